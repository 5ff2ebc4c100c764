"""Warm-up: what comes from the database or the journal is what the cache held."""

from datetime import timedelta
from uuid import uuid4

import msgspec

from overround.caching.event_register import EventRegister
from overround.caching.odds_cache import OddsCache
from overround.caching.warmup import (
    apply_journalled,
    enter_journalled,
    snapshot_to_cached_from_data,
    snapshot_to_cached_from_models,
)
from overround.catalogue import load_catalogue
from overround.records.batch import (
    CurrentMarketData,
    ListingWriteData,
    MarketWriteData,
    SnapshotWriteData,
    current_markets,
)
from overround.records.event import Event
from overround.records.odds import MarketPrices
from overround.records.stored import LatestRow
from tests.support.desk import KICKOFF, OVER_UNDER, RESULT, START, listing

CATALOGUE = load_catalogue()
EARLIER = START - timedelta(minutes=5)
PRICES = {RESULT: (2100, 3300, 3600), OVER_UNDER: (1900, 1900)}


def row(**changes: object) -> LatestRow:
    """Return a stored state of two markets: the result changed last, the total before."""
    facts: dict[str, object] = {
        "sr_id": 1,
        "bookmaker": "betpawa",
        "snapshot_id": uuid4(),
        "captured_at": START,
        "last_confirmed_at": None,
        "body_hash": b"hash",
        "markets": [CATALOGUE.number(key.market) for key in PRICES],
        "specifiers": [key.specifiers for key in PRICES],
        "prices": list(PRICES.values()),
        "changed_at": [START, EARLIER],
        "confirmed_at": [START, START],
        **changes,
    }
    return LatestRow(**facts)  # type: ignore[arg-type]  # the facts above, by name


def test_prices_and_times_come_back() -> None:
    """Each market has its prices and since when it has them; the entry counts as accepted."""
    cached = snapshot_to_cached_from_models(row(), CATALOGUE)
    assert cached.markets == {key: MarketPrices(prices) for key, prices in PRICES.items()}
    assert (cached.market_changed_at(RESULT), cached.market_changed_at(OVER_UNDER)) == (START, EARLIER)
    assert cached.accepted


def test_a_later_confirmation_counts_for_all_that_were_confirmed_then() -> None:
    """The newest confirmation is every market's, but for those that lagged behind."""
    later = START + timedelta(minutes=5)
    cached = snapshot_to_cached_from_models(row(last_confirmed_at=later, confirmed_at=[START, EARLIER]), CATALOGUE)
    assert cached.market_confirmed_at(RESULT) == later
    assert cached.market_confirmed_at(OVER_UNDER) == EARLIER
    assert cached.received_at == later


def test_markets_of_another_release_are_left_out() -> None:
    """A number that this catalogue does not have is skipped, the rest is used."""
    cached = snapshot_to_cached_from_models(row(markets=[999_999, CATALOGUE.number(OVER_UNDER.market)]), CATALOGUE)
    assert set(cached.markets) == {OVER_UNDER}


def journalled(minute: int) -> SnapshotWriteData:
    """Return a journalled snapshot in which the result changed."""
    result, total = (CATALOGUE.number(key.market) for key in PRICES)
    at = START + timedelta(minutes=minute)
    return SnapshotWriteData(
        snapshot_id=uuid4(),
        sr_id=1,
        bookmaker="betpawa",
        captured_at=at,
        body_hash=b"hash",
        markets=(MarketWriteData(result, "", (2000 + minute, 3300, 3600)),),
        unchanged=current_markets([CurrentMarketData(total, "line=2.5", (1900, 1900), EARLIER, START)], at),
    )


def test_a_journalled_snapshot_holds_the_whole_state() -> None:
    """Changed and unchanged markets together are the cache entry, with their own times."""
    cached = snapshot_to_cached_from_data(journalled(1), CATALOGUE)
    assert set(cached.markets) == set(PRICES)
    assert cached.market_changed_at(OVER_UNDER) == EARLIER
    assert cached.market_confirmed_at(OVER_UNDER) == START


def test_the_journal_counts_in_its_own_order() -> None:
    """A journalled state replaces what came before it, whatever times they have."""
    cache = OddsCache()
    apply_journalled(cache, [journalled(1), journalled(3), journalled(2)], CATALOGUE)
    cached = cache.get(1, "betpawa")
    assert cached is not None
    assert cached.markets[RESULT].prices[0] == 2002


def test_journalled_events_and_listings_are_known() -> None:
    """What was journalled last stands: an event's new kick-off, a listing that vanished and is back."""
    book = EventRegister()
    event = Event(sr_id=1, sport="football", home="A", away="B", kickoff=START, country="Utopia", tournament="Cup")
    here = listing("betpawa", "a")
    gone = ListingWriteData(listing=here, seen_at=EARLIER, gone_at=START)
    enter_journalled(book, [event, msgspec.structs.replace(event, kickoff=KICKOFF)], [gone])
    assert not book.listings_of(1)
    enter_journalled(book, [], [ListingWriteData(listing=here, seen_at=START)])
    known = book.event(1)
    assert known is not None
    assert known.kickoff == KICKOFF
    assert book.listings_of(1) == {"betpawa": here}
