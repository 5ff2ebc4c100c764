"""Whatever lists and bodies say, in any order: runs end, and every price that is shown has its evidence."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from overround.errors import ErrorClass, GoneError, MalformedError
from overround.records.batch import RunStatus
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Offer
from overround.records.odds import UNREAD, MarketPrices
from overround.records.response import Response
from overround.scraping.event_coordinator import EventCoordinator
from overround.testing import ScriptedBookmaker
from tests.support.desk import OPTIONS, RESULT, Desk, listing, result_prices

HEALTHY, VICTIM = "betpawa", "sportybet"
EVENTS = (1, 2, 3)
LISTS = ("whole", "unreadable", "unlisted", "failed page", "failed", "two pages", "wrong count", "empty")
BODIES = ("good", "unread", "partial", "live", "suspended", "other event", "other number", "gone", "garbage")


class Step(msgspec.Struct, frozen=True):
    """What one bookmaker does in a cycle: its list, the events that are on it, and the bodies by event."""

    kind: str
    listed: frozenset[int]
    bodies: tuple[str, str, str]
    price: int


class Misleading(ScriptedBookmaker):
    """A bookmaker that follows a script of steps."""

    step = Step(kind="whole", listed=frozenset(EVENTS), bodies=("good",) * 3, price=2000)

    async def discover(self, sports: Sequence[str]) -> AsyncIterator[LeagueListings | DiscoveryFailure]:
        """Yield the list of the step."""
        del sports
        step = self.step
        shown = tuple(own(sr_id) for sr_id in sorted(step.listed))
        failure = DiscoveryFailure(bookmaker=self.slug, league="board", error_class=ErrorClass.TRANSIENT, message="")
        page = LeagueListings(bookmaker=self.slug, league="board", listings=shown, listed=len(shown))
        if step.kind in ("failed", "failed page"):
            yield failure
        if step.kind == "two pages":
            yield msgspec.structs.replace(page, listings=shown[:1], listed=len(shown[:1]))
            page = msgspec.structs.replace(page, listings=shown[1:], listed=len(shown[1:]))
        lies = {"unreadable": {"unreadable": 1}, "unlisted": {"unlisted": 1}, "wrong count": {"stated": 9}}
        if step.kind not in ("failed", "empty"):
            yield msgspec.structs.replace(page, **lies.get(step.kind, {}))

    async def fetch_event(self, listing: Listing) -> Response:
        """Return the number of the event as the body; `normalise` makes of it what the step says."""
        return Response(body=listing.listing_id.encode(), received_at=self._clock.now(), duration_ms=1)

    def normalise(self, body: bytes, at: object) -> Offer:
        """Return what the step says of an event."""
        del at
        sr_id = int(body[1:])
        kind, price = self.step.bodies[sr_id - 1], self.step.price
        stated, prices = own(sr_id), (price, 3300, 3600)
        if kind == "gone":
            raise GoneError(self.slug, "event", "no such event")
        if kind == "garbage":
            raise MalformedError(self.slug, "event", "no JSON")
        if kind == "other event":
            stated = own(sr_id % len(EVENTS) + 1)
        if kind == "other number":
            stated = msgspec.structs.replace(stated, sr_id=99)
        if kind == "unread":
            prices = (price, UNREAD, 3600)
        if kind == "partial":
            prices = (price, 0, 3600)
        if kind == "suspended":
            prices = (-price, -3300, -3600)
        return Offer(
            listing=stated,
            markets={RESULT: MarketPrices(prices)},
            complete=kind not in ("partial", "live"),
            live=kind == "live",
            suspended=kind == "suspended",
        )


def own(sr_id: int) -> Listing:
    """Return the victim's listing of an event."""
    return listing(VICTIM, f"s{sr_id}", sr_id)


steps = st.builds(
    Step,
    kind=st.sampled_from(LISTS),
    listed=st.frozensets(st.sampled_from(EVENTS)),
    bodies=st.tuples(*[st.sampled_from(BODIES)] * len(EVENTS)),
    price=st.sampled_from((2000, 2100, 2200)),
)


class Model:
    """What the evidence says of each event at the victim: its home price, 0 where it is not offered."""

    def __init__(self) -> None:
        self.listed: set[int] = set()
        self.prices: dict[int, int] = {}
        self.live: set[int] = set()

    def take(self, step: Step) -> None:
        """Follow a step."""
        answered = step.kind not in ("failed", "empty")
        if step.kind in ("whole", "two pages"):
            for sr_id in self.listed - step.listed:
                self.prices[sr_id] = 0
            self.listed = set(step.listed)
        elif answered:
            self.listed |= step.listed
        for sr_id in sorted(self.listed):
            self._take_body(sr_id, step.bodies[sr_id - 1], step.price)

    def _take_body(self, sr_id: int, kind: str, price: int) -> None:
        if kind == "live":
            self.live.add(sr_id)
        if kind in ("good", "unread", "suspended"):
            self.live.discard(sr_id)
        if kind in ("good", "unread", "partial"):
            self.prices[sr_id] = price
        if kind == "suspended":
            self.prices[sr_id] = -price


WHOLE = Step(kind="whole", listed=frozenset(EVENTS), bodies=("good",) * 3, price=2000)
GONE = Step(kind="whole", listed=frozenset((1, 2)), bodies=("good",) * 3, price=2000)
UNREADABLE = Step(kind="unreadable", listed=frozenset((1, 2)), bodies=("good",) * 3, price=2000)
ODD_BODIES = [
    Step(kind="whole", listed=frozenset(EVENTS), bodies=(kind,) * 3, price=2100) for kind in BODIES if kind != "good"
]


# Random scripts may take long to come upon a listing that leaves, or a body that lies after one that did not.
@settings(max_examples=150, deadline=None)
@example([WHOLE, GONE, WHOLE])
@example([WHOLE, UNREADABLE, GONE])
@example([step for odd in ODD_BODIES for step in (WHOLE, odd)])
@given(st.lists(steps, min_size=1, max_size=8))
def test_no_price_is_shown_against_the_evidence(script: list[Step]) -> None:
    """Runs end, the healthy bookmaker's prices stay, and the victim's are those of the latest complete evidence."""
    asyncio.run(_play(script))


async def _play(script: Sequence[Step]) -> None:
    desk = Desk(HEALTHY, VICTIM)
    victim = Misleading(VICTIM, desk.clock)
    source = msgspec.structs.replace(desk.context.sources[VICTIM], client=victim, reader=victim)
    desk.context.sources[VICTIM] = source  # type: ignore[index]  # the desk's own dict
    for sr_id in EVENTS:
        desk.books[HEALTHY].offer(listing(HEALTHY, f"p{sr_id}", sr_id), result_prices(1500 + sr_id))
    options = msgspec.structs.replace(OPTIONS, interval=timedelta(minutes=1))
    coordinator = EventCoordinator(desk.context, options)
    model = Model()
    for step in script:
        victim.step = step
        desk.clock.advance(1)  # within one polling interval no second list confirms an absence
        run = await coordinator.run_full_cycle()
        assert run.status in (RunStatus.COMPLETED, RunStatus.PARTIAL)
        assert ErrorClass.INTERNAL not in run.errors
        model.take(step)
        _judge(desk, model)


def _judge(desk: Desk, model: Model) -> None:
    for sr_id in EVENTS:
        healthy = desk.cache.get(sr_id, HEALTHY)
        assert healthy is not None
        assert healthy.markets[RESULT].prices == (1500 + sr_id, 3300, 3600)
        event = desk.book.event(sr_id)
        assert event is not None
        assert bool(event.conflict) == (sr_id in model.live)
        cached = desk.cache.get(sr_id, VICTIM)
        prices = () if cached is None or RESULT not in cached.markets else cached.markets[RESULT].prices
        assert (prices[0] if prices else 0) == model.prices.get(sr_id, 0)
        assert UNREAD not in prices
