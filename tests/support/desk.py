"""A scraping desk on scripted bookmakers, and a real database where a test asks for one."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from overround.caching.event_register import EventRegister
from overround.caching.odds_cache import OddsCache
from overround.catalogue import load_catalogue
from overround.ports import BatchWriter, WriteQueue
from overround.records.event import Listing
from overround.records.odds import MarketKey, MarketPrices
from overround.scraping.event_coordinator import CycleOptions, EventCoordinator, ScrapeContext
from overround.scraping.event_scrape import Source
from overround.scraping.runs import RunBook
from overround.streaming.progress import ProgressHub
from overround.testing import ManualClock, ScriptedBookmaker

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
KICKOFF = START + timedelta(hours=6)
RESULT = MarketKey("match_result")
OVER_UNDER = MarketKey("total_goals", "line=2.5")
OPTIONS = CycleOptions(
    reference="betpawa",
    sports=("football",),
    batch_size=2,
    horizon=None,
    near_kickoff=timedelta(hours=3),
    eviction_grace=timedelta(hours=2),
)


def listing(bookmaker: str, listing_id: str, sr_id: int | None = 1, **changes: object) -> Listing:
    """Return a listing of a made-up match."""
    facts: dict[str, object] = {
        "bookmaker": bookmaker,
        "listing_id": listing_id,
        "sr_id": sr_id,
        "sport": "football",
        "home": f"Northern {sr_id}",
        "away": f"Southern {sr_id}",
        "kickoff": KICKOFF,
        "country": "Utopia",
        "tournament": "First League",
        **changes,
    }
    return Listing(**facts)  # type: ignore[arg-type]  # the facts above, by name


def result_prices(home: int = 2100, draw: int = 3300, away: int = 3600) -> dict[MarketKey, MarketPrices]:
    """Return a 1X2 market in thousandths."""
    return {RESULT: MarketPrices((home, draw, away))}


class Desk:
    """A coordinator with its parts within reach."""

    def __init__(
        self,
        *slugs: str,
        clock: ManualClock | None = None,
        write_queue: WriteQueue | None = None,
        batch_writer: BatchWriter | None = None,
        books: Mapping[str, ScriptedBookmaker] | None = None,
    ) -> None:
        self.clock = clock or ManualClock(START)
        self.books: Mapping[str, ScriptedBookmaker] = books or {
            slug: ScriptedBookmaker(slug, self.clock) for slug in slugs or ("betpawa", "sportybet")
        }
        self.context = ScrapeContext(
            sources={slug: Source(slug=slug, client=book, reader=book) for slug, book in self.books.items()},
            cache=OddsCache(),
            book=EventRegister(),
            runs=RunBook(self.clock),
            catalogue=load_catalogue(),
            clock=self.clock,
            progress=ProgressHub(),
        )
        self.coordinator = EventCoordinator(self.context, OPTIONS, write_queue, batch_writer)

    @property
    def cache(self) -> OddsCache:
        """Return the cache."""
        return self.context.cache

    @property
    def book(self) -> EventRegister:
        """Return the event book."""
        return self.context.book
