"""Scrapes a simulated market for some cycles and compares cache and stored history with the market model itself.

`python -m tools.oracle_check --events 1300 --cycles 5 [--fault NAME]`: exit code 1 if anything differs.
The model is worked out anew in this process, from the simulation's parameters alone.
"""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from overround.bookmakers.kit.simulation import Size
from overround.cli.market import SPORTS, DemoMarket, MarketRequest, running_market
from overround.db.engine import driver_connection
from overround.logs import configure_logs
from overround.records.batch import ScrapeRun
from overround.records.event import Listing
from overround.records.odds import REMOVED, SUSPENDED_UNPRICED, MarketKey, MarketPrices
from overround.settings import BookmakerSettings, Settings
from overround.simulator.model.parameters import Parameters
from overround.simulator.server.arguments import fault_of
from overround.simulator.server.faults import Fault, FaultName, Faults
from overround.simulator.server.oracle import Oracle, build_model
from overround.streaming.progress import Progress, Scraped
from overround.wiring import Service, running_database, running_service

Key = tuple[int, str]
Markets = Mapping[MarketKey, MarketPrices]

_HASTE = 2.0  # seconds for an answer: less than one that hangs or comes slowly takes
_PATIENCE = 60.0  # nothing fails because this machine is busy
_AFTER_KICKOFF = "fetched after kick-off: the state before it was compared instead"
_EVICTED = "evicted after kick-off"

_HISTORY = """
select s.event_id, b.slug, s.scrape_run_id, s.market_ids, s.specifiers, s.counts, s.prices
from odds_snapshots s join bookmakers b on b.id = s.bookmaker_id
order by s.captured_at
"""


class Seen(msgspec.Struct, frozen=True):
    """That a run saw one (event, bookmaker): under which listing, and at which tick."""

    run_id: int
    tick: int
    listing_id: str


class Verdict(msgspec.Struct, kw_only=True):
    """What was compared, in (event, bookmaker) states, and where something else was found than expected.

    `unread` of them kept the price of before for one that could not be read. `skipped` were not compared, by reason;
    `missed` are listed events that were neither fetched nor failed,
    by bookmaker.
    """

    compared: int = 0
    skipped: Counter[str] = msgspec.field(default_factory=Counter)
    missed: Counter[str] = msgspec.field(default_factory=Counter)
    failed_fetches: Counter[str] = msgspec.field(default_factory=Counter)
    differing: list[str] = []
    unread: int = 0
    stored_compared: int = 0
    stored_differing: list[str] = []
    statuses: list[str] = []

    @property
    def sound(self) -> bool:
        """Tell whether something was compared, and nothing differs."""
        return bool(self.compared and self.stored_compared and not self.differing and not self.stored_differing)


class Check:
    """Keeps what was seen, and compares it with the model."""

    def __init__(self, service: Service, market: DemoMarket) -> None:
        self._service = service
        self._market = market
        self._faults: dict[int, Sequence[Fault]] = {}
        self._seen: dict[Key, list[Seen]] = defaultdict(list)
        self._oracles: dict[str, Oracle] = {}
        self._held: dict[Key, Markets] = {}
        self._withdrawn: list[tuple[Key, int]] = []
        self._accepted: dict[tuple[Key, int], Markets] = {}
        ready = market.simulator
        assert ready.seed is not None and ready.epoch is not None  # noqa: PT018, S101 - a simulated market has both
        parameters = Parameters(
            seed=ready.seed,
            epoch=ready.epoch,
            events=ready.events,
            tick_seconds=ready.tick_seconds,
            size=Size(ready.size),
            sports=ready.sports,
        )
        self._model = build_model(parameters, service.context.catalogue)
        self.verdict = Verdict()

    async def cycle(self, faults: Sequence[Fault]) -> ScrapeRun:
        """Move the market by a tick, scrape it with these faults, and compare the cache; return the run."""
        await self._market.next_cycle()
        await self._market.simulator.set_faults(*faults)
        tick = await self._market.simulator.tick()
        self._faults[tick] = faults
        fetched: list[Scraped] = []

        def listener(notification: Progress) -> None:
            if isinstance(notification, Scraped):
                fetched.append(notification)

        with self._service.context.progress.listening(listener):
            run = await self._service.control.run_cycle()
        self.verdict.statuses.append(run.status)
        for one in fetched:
            self._note(one, run.run_id, tick)
        self._count_missed(fetched, tick)
        self._compare_cache(tick, run.run_id)
        return run

    def _note(self, one: Scraped, run_id: int, tick: int) -> None:
        """Keep that an event was seen; what is seen after kick-off shows no prices, and the state before it stands."""
        listing = self._service.context.book.listings_of(one.sr_id).get(one.bookmaker)
        if one.error_class or listing is None:
            self.verdict.failed_fetches[one.bookmaker] += 1
        elif self._oracle(tick).state(one.bookmaker, listing.listing_id, tick) is None:
            self.verdict.skipped[_AFTER_KICKOFF] += 1
        else:
            self._seen[one.sr_id, one.bookmaker].append(Seen(run_id, tick, listing.listing_id))

    def _count_missed(self, fetched: Sequence[Scraped], tick: int) -> None:
        tried = {(one.sr_id, one.bookmaker) for one in fetched}
        for slug in self._model.bookmakers:
            listed = {listing.sr_id for listing in self._oracle(tick).listings(slug, tick) if listing.sr_id}
            self.verdict.missed[slug] += sum((sr_id, slug) not in tried for sr_id in listed)

    def odd_listings(self, slug: str) -> int:
        """Return how many of a bookmaker's listings the faults of the newest tick add, number wrong or leave out."""
        tick = max(self._faults)
        right = {(listing.listing_id, listing.sr_id) for listing in Oracle(self._model).listings(slug, tick)}
        told = {(listing.listing_id, listing.sr_id) for listing in self._oracle(tick).listings(slug, tick)}
        left_out = {listing_id for listing_id, _ in right} - {listing_id for listing_id, _ in told}
        return len(told - right) + len(left_out)

    def unseen(self, slug: str) -> int:
        """Return how many of a bookmaker's markets were not seen with the newest complete body of their event."""
        return sum(len(cached.own_times) for _, one, cached in self._service.context.cache if one == slug)

    def listed(self, slug: str) -> int:
        """Return how many entries a bookmaker's lists held at the newest discovery."""
        figures = self._service.control.lists(slug)
        return 0 if figures is None else figures.listed

    async def stored(self) -> None:
        """Fold the stored history, run by run, and compare each state with the model's."""
        assert self._service.write_queue is not None  # noqa: S101 - the check runs with a queue
        await self._service.write_queue.drain()
        history: dict[Key, list[tuple[int, Markets]]] = defaultdict(list)
        async with driver_connection(self._service.database.engine) as connection:
            for event, slug, run_id, *packed in await connection.fetch(_HISTORY):
                history[event, slug].append((run_id, self._unpacked(*packed)))
        for key, sights in self._seen.items():
            for seen in sights:
                held = _folded(history[key], seen.run_id)
                self._judge(key, seen, held, self.verdict.stored_differing, self._accepted.get((key, seen.run_id)))
                self.verdict.stored_compared += 1
        for key, run_id in self._withdrawn:
            if _offered(_folded(history[key], run_id)):
                self.verdict.stored_differing.append(f"event {key[0]} at {key[1]}, run {run_id}: not withdrawn")
            self.verdict.stored_compared += 1

    def _compare_cache(self, tick: int, run_id: int) -> None:
        absent = {slug: self._left_out(slug, tick) for slug in self._model.bookmakers}
        renumbered = {slug: self._renumbered(slug, tick) for slug in self._model.bookmakers}
        for (sr_id, slug), sights in self._seen.items():
            cached = self._service.context.cache.get(sr_id, slug)
            if cached is not None and sights[-1].listing_id in absent[slug]:
                if _offered(cached.markets):
                    self.verdict.differing.append(f"event {sr_id} at {slug}, tick {tick}: not withdrawn")
                self._withdrawn.append(((sr_id, slug), run_id))
                self.verdict.compared += 1
            elif cached is not None and sights[-1].listing_id in renumbered[slug] and not _offered(cached.markets):
                self._withdrawn.append(((sr_id, slug), run_id))  # a listing with another number has left this event
                self.verdict.compared += 1
            elif cached is not None:
                self._judge_cached((sr_id, slug), sights[-1], cached.markets)
                self.verdict.compared += 1
            elif self._oracle(tick).state(slug, sights[-1].listing_id, tick) is None:
                self.verdict.skipped[_EVICTED] += 1
            else:
                self.verdict.differing.append(f"event {sr_id} at {slug}, tick {tick}: not in the cache")

    def _left_out(self, slug: str, tick: int) -> frozenset[str]:
        """Return the listings that a bookmaker's lists leave out at a tick because of a fault.

        Where a whole league is left out, there is no list that could show it.
        """
        if not any(fault.name is FaultName.UNLISTED_EVENTS for fault in self._faults[tick]):
            return frozenset()
        told = list(self._oracle(tick).listings(slug, tick))
        lists, ids = {_list_of(one) for one in told}, {one.listing_id for one in told}
        right = Oracle(self._model).listings(slug, tick)
        return frozenset(one.listing_id for one in right if one.listing_id not in ids and _list_of(one) in lists)

    def _renumbered(self, slug: str, tick: int) -> frozenset[str]:
        """Return the listings whose number a bookmaker's lists state wrong at a tick because of a fault."""
        if not any(fault.name is FaultName.WRONG_SR_ID for fault in self._faults[tick]):
            return frozenset()
        told = {(one.listing_id, one.sr_id) for one in self._oracle(tick).listings(slug, tick)}
        right = Oracle(self._model).listings(slug, tick)
        return frozenset(one.listing_id for one in right if (one.listing_id, one.sr_id) not in told)

    def _judge_cached(self, key: Key, seen: Seen, found: Markets) -> None:
        """Compare a state with the model's; where a price could not be read, it must be as it was before."""
        struck = any(
            fault.name is FaultName.UNREADABLE_PRICES and key[1] in (fault.bookmakers or self._model.bookmakers)
            for fault in self._faults[seen.tick]
        )
        offered, before = _offered(found), self._held.get(key, {})
        expected = self._oracle(seen.tick).state(key[1], seen.listing_id, seen.tick)
        assert expected is not None  # noqa: S101 - what has no state is not kept as seen
        if struck and _kept_alone(offered, expected.markets, before):
            self.verdict.unread += offered != expected.markets
            self._accepted[key, seen.run_id] = offered
        else:
            self._judge(key, seen, found, self.verdict.differing)
        self._held[key] = offered

    def _judge(
        self, key: Key, seen: Seen, found: Markets, differing: list[str], accepted: Markets | None = None
    ) -> None:
        expected = self._oracle(seen.tick).state(key[1], seen.listing_id, seen.tick)
        assert expected is not None  # noqa: S101 - what has no state is not kept as seen
        offered = _offered(found)
        if accepted is not None and offered == accepted:
            return
        if offered != expected.markets:
            others = offered.keys() ^ expected.markets.keys() or [
                market for market in offered if offered[market] != expected.markets[market]
            ]
            differing.append(f"event {key[0]} at {key[1]}, tick {seen.tick}: {sorted(others)[:3]}")

    def _oracle(self, tick: int) -> Oracle:
        """Return the oracle for a tick; ticks with the same lists share one, which keeps much."""
        faults = Faults(self._model.parameters.seed)
        faults.set(self._faults[tick], tick)
        anomalies = faults.anomalies(self._model.bookmakers, tick)
        name = repr(anomalies)
        if name not in self._oracles:
            self._oracles[name] = Oracle(self._model, anomalies)
        return self._oracles[name]

    def _unpacked(
        self, numbers: Sequence[int], specifiers: Sequence[str], counts: Sequence[int], prices: Sequence[int]
    ) -> Markets:
        return dict(_markets(self._service, numbers, specifiers, counts, prices))


def _list_of(listing: Listing) -> tuple[str, str, str]:
    return listing.sport, listing.country, listing.tournament


def _offered(markets: Markets) -> Markets:
    return {market: prices for market, prices in markets.items() if prices.prices}


def _kept_alone(found: Markets, expected: Markets, before: Markets) -> bool:
    """Tell whether at most one market differs from the model's, and only by outcomes that are as they were."""
    others = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
    if not others:
        return True
    key = others[0]
    width = max(len(one[key].prices) for one in (found, expected, before) if key in one)
    now, right, was = (_padded(one.get(key, REMOVED).prices, width) for one in (found, expected, before))
    return len(others) == 1 and all(
        price in (good, old) or (price == SUSPENDED_UNPRICED and good < 0)
        for price, good, old in zip(now, right, was, strict=True)
    )


def _padded(prices: Sequence[int], width: int) -> Sequence[int]:
    return (*prices, *[0] * (width - len(prices)))


def _markets(
    service: Service, numbers: Sequence[int], specifiers: Sequence[str], counts: Sequence[int], prices: Sequence[int]
) -> Iterator[tuple[MarketKey, MarketPrices]]:
    start = 0
    for number, specifier, count in zip(numbers, specifiers, counts, strict=True):
        market = service.context.catalogue.numbered(number)
        assert market is not None  # noqa: S101 - written by this very process
        yield MarketKey(market.key, specifier), MarketPrices(tuple(prices[start : start + count]))
        start += count


def _folded(rows: Sequence[tuple[int, Markets]], run_id: int) -> Markets:
    state: dict[MarketKey, MarketPrices] = {}
    for written_in, markets in rows:
        if written_in <= run_id:
            state.update(markets)
    return state


def _settings(market: DemoMarket, data_dir: Path, hasty: Collection[str], scraping: Mapping[str, object]) -> Settings:
    given = Settings()
    bookmakers = {
        slug: BookmakerSettings(
            base_url=market.simulator.base_url(slug), min_interval_ms=0, timeout=_HASTE if slug in hasty else _PATIENCE
        )
        for slug in market.simulator.listings
    }
    return given.with_values(
        data_dir=data_dir,
        database_url=None,
        bookmakers=bookmakers,
        scraping=given.scraping.model_copy(update={"horizon": None, "sports": SPORTS, **scraping}),
        schedule=given.schedule.model_copy(update={"enabled": False}),
    )


@asynccontextmanager
async def scraped_market(
    request: MarketRequest, hasty: Collection[str] = (), **scraping: object
) -> AsyncIterator[tuple[DemoMarket, Service]]:
    """Run a market with a service that scrapes it on demand alone.

    The `hasty` bookmakers get little time to answer; `scraping` changes settings of that name.
    """
    with tempfile.TemporaryDirectory(prefix="overround-oracle-") as temporary:
        data_dir = Path(temporary)
        async with running_market(data_dir, request) as market:
            settings = _settings(market, data_dir, hasty, scraping)
            async with (
                running_database(settings, ephemeral=True) as database,
                running_service(settings, database, market.clock) as service,
            ):
                yield market, service


async def check(request: MarketRequest, cycles: int, faults: Sequence[Fault] = ()) -> Verdict:
    """Run the cycles, with the faults in all of them but the first and the last, and compare."""
    haste = {"retry_base": timedelta(milliseconds=10), "retry_cap": timedelta(seconds=1)}
    struck = {slug for fault in faults for slug in fault.bookmakers}
    async with scraped_market(request, struck, **haste) as (market, service):
        examination = Check(service, market)
        for number in range(cycles):
            await examination.cycle(faults if 0 < number < cycles - 1 else ())
        await examination.stored()
        return examination.verdict


def main() -> int:
    """Print the verdict as JSON; return 1 if something differs."""
    parser = argparse.ArgumentParser(description="Compare what is scraped and stored with the simulated market.")
    parser.add_argument("--events", type=int, default=1300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cycles", type=int, default=5)
    parser.add_argument("--fault", action="append", default=[], help="NAME[:BOOKMAKER[:PERCENT]]; repeatable")
    arguments = parser.parse_args()
    configure_logs("error")
    request = MarketRequest(events=arguments.events, seed=arguments.seed)
    verdict = asyncio.run(check(request, arguments.cycles, [fault_of(text) for text in arguments.fault]))
    sys.stdout.write(
        msgspec.json.encode(
            {
                **msgspec.to_builtins(verdict),
                "differing": len(verdict.differing),
                "stored_differing": len(verdict.stored_differing),
                "examples": (verdict.differing + verdict.stored_differing)[:10],
                "statuses": Counter(verdict.statuses),
            }
        ).decode()
        + "\n"
    )
    return 0 if verdict.sound else 1


if __name__ == "__main__":
    sys.exit(main())
