"""Was everything stored as it was seen? Asked of the database, of the API and of the market model, from outside."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import aiohttp
import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.pipeline.records import Check, CycleRecord, Extent
from overround.catalogue import Catalogue, load_catalogue
from overround.db.engine import driver_connection
from overround.errors import OverroundError
from overround.records.odds import MarketKey, MarketPrices, price_text, shown_price
from overround.simulator.model.parameters import EPOCH, TICK_SECONDS, Parameters
from overround.simulator.server.oracle import Oracle, build_model

Key = tuple[int, str]
Markets = Mapping[MarketKey, MarketPrices]

_EXAMPLES = 5
_API_EVENTS = 25
_WRITTEN = "select scrape_run_id, count(*) from odds_snapshots group by scrape_run_id"
_DOUBLED = "select count(*), count(*) - count(distinct id) from odds_snapshots"
_UNCONFIRMED = """
select count(*), count(*) filter (where not exists (
    select from odds_snapshots s
    where s.event_id = t.event_id and s.bookmaker_id = t.bookmaker_id and s.last_confirmed_at >= t.scraped_at
))
from event_scrape_status t where outcome = 'confirmed'
"""
_SEEN = """
select t.scrape_run_id, t.event_id, b.slug, l.listing_id
from event_scrape_status t
join bookmakers b on b.id = t.bookmaker_id
join listings l on l.event_id = t.event_id and l.bookmaker_id = t.bookmaker_id and l.active and not l.duplicate
where t.outcome in ('changed', 'confirmed', 'incomplete')
order by t.scrape_run_id
"""
_HISTORY = """
select s.scrape_run_id, s.event_id, b.slug, s.market_ids, s.specifiers, s.counts, s.prices
from odds_snapshots s join bookmakers b on b.id = s.bookmaker_id
order by s.scrape_run_id, s.captured_at
"""
_LATEST = """
select b.slug, unpacked_smallints(l.market_ids),
    (string_to_array(l.specifiers, E'\\n'))[: octet_length(l.counts) / 2],
    unpacked_smallints(l.counts), unpacked_prices(l.prices)
from latest_odds l join bookmakers b on b.id = l.bookmaker_id
where l.event_id = $1
"""


async def stored_as_detected(engine: AsyncEngine, cycles: Sequence[CycleRecord]) -> list[Check]:
    """Compare the database's rows with what change detection reported, run by run."""
    async with driver_connection(engine) as connection:
        written: dict[int, int] = dict(await connection.fetch(_WRITTEN))
        rows, doubled = await connection.fetchrow(_DOUBLED)
        confirmed, unproven = await connection.fetchrow(_UNCONFIRMED)
    wrong = [cycle for cycle in cycles if written.get(cycle.run_id, 0) != cycle.changed]
    return [
        Check(
            name="changed snapshots in the database = changed snapshots detected, in every cycle",
            looked_at=sum(cycle.changed for cycle in cycles),
            wrong=sum(abs(written.get(cycle.run_id, 0) - cycle.changed) for cycle in wrong),
            examples=tuple(f"run {one.run_id}: {written.get(one.run_id, 0)} of {one.changed}" for one in wrong),
        ),
        Check(name="no snapshot is stored twice", looked_at=rows, wrong=doubled),
        Check(
            name="confirmed snapshots have last_confirmed_at",
            looked_at=sum(one.confirmed for cycle in cycles for one in cycle.counts.values()),
            wrong=unproven + abs(confirmed - sum(one.confirmed for cycle in cycles for one in cycle.counts.values())),
        ),
    ]


async def cache_equals_database(address: str) -> Check:
    """Let the service compare its cache with the database."""
    async with aiohttp.ClientSession() as session, session.post(f"{address}/api/integrity") as response:
        report = await response.json()
    return Check(
        name="cache = database, market by market",
        looked_at=report["compared"],
        wrong=report["lost"] + report["extra"] + report["moving"],
    )


async def api_equals_database(address: str, engine: AsyncEngine) -> Check:
    """Compare the API's answers for some events, all markets, with the stored latest state."""
    catalogue = load_catalogue()
    looked_at, differing = 0, []
    async with aiohttp.ClientSession(address) as session:
        page = await _json(session, f"/api/events?limit={_API_EVENTS}")
        for sr_id in [event["sr_id"] for event in page["events"]]:
            answer = await _json(session, f"/api/events/{sr_id}")
            stored = await _latest(engine, catalogue, sr_id)
            shown = dict(_shown(answer))
            expected = {key: texts for key, texts in stored.items() if any(texts)}
            looked_at += len(expected)
            differing += [f"event {sr_id}: {key}" for key in expected if shown.get(key) != expected[key]]
            differing += [f"event {sr_id}: {key}" for key in shown.keys() - stored.keys()]
    return Check(
        name=f"API answers = stored prices, all markets of {_API_EVENTS} events",
        looked_at=looked_at,
        wrong=len(differing),
        examples=tuple(differing[:_EXAMPLES]),
    )


class History:
    """Compares every state that a run saw, folded from the stored history, with the market model's."""

    def __init__(self, extent: Extent, ticks: Mapping[int, int]) -> None:
        """`ticks` are the runs' ticks."""
        self._catalogue = load_catalogue()
        parameters = Parameters(
            seed=extent.seed, epoch=EPOCH, events=extent.events, tick_seconds=TICK_SECONDS, size=extent.size
        )
        self._oracle = Oracle(build_model(parameters, self._catalogue))
        self._ticks = ticks
        self._states: dict[Key, dict[MarketKey, MarketPrices]] = defaultdict(dict)
        self._before: dict[Key, Markets] = {}
        self._moved: Counter[int] = Counter()

    async def checks(self, engine: AsyncEngine, cycles: Sequence[CycleRecord]) -> list[Check]:
        """Fold and compare, run after run; and count what the model changed, against what was detected."""
        states = await self._states_check(engine)
        wrong = [
            f"run {cycle.run_id}: {cycle.changed} of {self._moved[cycle.run_id]}"
            for cycle in cycles
            if cycle.changed != self._moved[cycle.run_id]
        ]
        return [
            states,
            Check(
                name="changed snapshots detected = snapshots that the model changed, in every cycle",
                looked_at=sum(self._moved.values()),
                wrong=len(wrong),
                examples=tuple(wrong),
            ),
        ]

    async def _states_check(self, engine: AsyncEngine) -> Check:
        async with driver_connection(engine) as connection:
            seen = _by_run(await connection.fetch(_SEEN))
            rows = _by_run(await connection.fetch(_HISTORY))
        looked_at, differing = 0, []
        for run_id, tick in sorted(self._ticks.items()):
            for sr_id, slug, *packed in rows.get(run_id, ()):
                self._states[sr_id, slug].update(_unpacked(self._catalogue, *packed))
            for sr_id, slug, listing_id in seen.get(run_id, ()):
                expected = self._expected(run_id, (sr_id, slug), listing_id)
                looked_at += expected is not None
                if expected is not None and self._folded(sr_id, slug) != expected:
                    differing.append(f"event {sr_id} at {slug}, tick {tick}")
        return Check(
            name="every stored state of every tick = the simulator's own model",
            looked_at=looked_at,
            wrong=len(differing),
            examples=tuple(differing[:_EXAMPLES]),
        )

    def _expected(self, run_id: int, key: Key, listing_id: str) -> Markets | None:
        """Return what the model has at a run's tick, and count it if that differs from what it had before."""
        expected = self._oracle.state(key[1], listing_id, self._ticks[run_id])
        if expected is None:
            return None  # it started between the list and the fetch
        self._moved[run_id] += expected.markets != self._before.get(key)
        self._before[key] = dict(expected.markets)
        return expected.markets

    def _folded(self, sr_id: int, slug: str) -> Markets:
        return {key: prices for key, prices in self._states[sr_id, slug].items() if prices.prices}


def require_sound(checks: Sequence[Check]) -> None:
    """Fail where one of the checks does not hold.

    Raises:
        OverroundError: it names them.
    """
    broken = [f"{one.name}: {one.wrong} of {one.looked_at} {one.examples}" for one in checks if not one.holds]
    if broken:
        raise OverroundError("integrity is broken: " + "; ".join(broken))


def _by_run(rows: Sequence[asyncpg.Record]) -> Mapping[int, Sequence[Sequence[Any]]]:
    by_run: dict[int, list[Sequence[Any]]] = defaultdict(list)
    for run_id, *rest in rows:
        by_run[run_id].append(rest)
    return by_run


def _unpacked(
    catalogue: Catalogue,
    numbers: Sequence[int],
    specifiers: Sequence[str],
    counts: Sequence[int],
    prices: Sequence[int],
) -> Iterator[tuple[MarketKey, MarketPrices]]:
    start = 0
    for number, specifier, count in zip(numbers, specifiers, counts, strict=True):
        market = catalogue.numbered(number)
        if market is None:
            raise OverroundError(f"the database holds market {number}, which the catalogue does not have")
        yield MarketKey(market.key, specifier), MarketPrices(tuple(prices[start : start + count]))
        start += count


async def _latest(engine: AsyncEngine, catalogue: Catalogue, sr_id: int) -> Mapping[tuple[str, str], list[str | None]]:
    async with driver_connection(engine) as connection:
        rows = await connection.fetch(_LATEST, sr_id)
    return {
        (slug, f"{key.market}:{key.specifiers}" if key.specifiers else key.market): _texts(catalogue, key, prices)
        for slug, *packed in rows
        for key, prices in _unpacked(catalogue, *packed)
    }


def _texts(catalogue: Catalogue, key: MarketKey, prices: MarketPrices) -> list[str | None]:
    size = len(catalogue.market(key.market).outcomes)
    shown = [shown_price(price) for price in prices.prices]
    return [None if price is None else price_text(price) for price in shown] + [None] * (size - len(shown))


def _shown(answer: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], list[str | None]]]:
    for market in answer["markets"]:
        for slug, cell in market["bookmakers"].items():
            texts = [outcome["price"] for outcome in cell["outcomes"]]
            if any(texts):
                yield (slug, market["key"]), texts


async def _json(session: aiohttp.ClientSession, path: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    async with session.get(path) as response:
        return msgspec.json.decode(await response.read())
