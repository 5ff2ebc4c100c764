"""When a listing that a bookmaker's lists no longer show is gone, and which prices are withdrawn then."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from overround.caching.event_register import EventRegister, KnownListing
from overround.caching.odds_cache import CachedSnapshot, OddsCache
from overround.records.event import DiscoveryFailure, LeagueListings
from overround.records.odds import Snapshot

DISAGREEING_SWEEPS = 10
"""After so many sweeps in a row in which a list's count disagrees, the bookmaker's counts are not trusted."""

ListingKey = tuple[str, str]
ListKey = tuple[str, str]


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one discovery: lists and failed calls of the bookmakers that were asked for these sports."""

    leagues: tuple[LeagueListings, ...]
    failures: tuple[DiscoveryFailure, ...]
    bookmakers: tuple[str, ...] = ()
    sports: tuple[str, ...] = ()


class _List(msgspec.Struct, frozen=True, kw_only=True):
    """One list with all its pages; `counts` are those that its pages state."""

    listed: int
    whole: bool
    counts: frozenset[int]

    @property
    def agrees(self) -> bool:
        return not self.counts or self.counts == {self.listed}


class _Suspicion(msgspec.Struct, frozen=True, kw_only=True):
    """That a listing was missing at an instant (in monotonic seconds) from a list of so many entries."""

    at: float
    listed: int


class Absences:
    """Decides which missing listings are gone, from one sweep to the next.

    A list proves an absence at once if it is whole and its count agrees. If only its count disagrees, the listing
    must be missing twice, a polling interval apart, from lists of equal length. The same holds for a listing whose
    list no longer exists, where the bookmaker's lists all came whole. Anything else proves nothing.
    """

    def __init__(self, interval: timedelta) -> None:
        """Build it; `interval` is the polling interval."""
        self._interval = interval.total_seconds()
        self._suspected: dict[ListingKey, _Suspicion] = {}
        self._disagreed: dict[ListKey, int] = {}

    def untrusted(self) -> frozenset[str]:
        """Return the bookmakers whose counts have disagreed for too long."""
        return frozenset(slug for (slug, _), sweeps in self._disagreed.items() if sweeps >= DISAGREEING_SWEEPS)

    def gone(self, sweep: Sweep, missing: Iterable[KnownListing], at: float) -> list[KnownListing]:
        """Return the listings that are gone among those that a sweep did not show.

        Args:
            sweep: what the bookmakers answered.
            missing: the current listings that none of its lists holds.
            at: when it ended, in monotonic seconds.
        """
        lists = _lists(sweep)
        self._count(lists)
        untrusted, clean = self.untrusted(), _clean(sweep, lists)
        gone: list[KnownListing] = []
        suspected: dict[ListingKey, _Suspicion] = {}
        for known in missing:
            key = (known.listing.bookmaker, known.listing.listing_id)
            found = lists.get((known.listing.bookmaker, label_of(known)))
            before = self._suspected.get(key)
            if found is not None and found.whole and (found.agrees or known.listing.bookmaker in untrusted):
                gone.append(known)
            elif _may_be_gone(known, found, clean, sweep.sports):
                now = _Suspicion(at=at, listed=0 if found is None else found.listed)
                if before is not None and before.listed == now.listed and at - before.at >= self._interval:
                    gone.append(known)
                else:
                    suspected[key] = before if before is not None and before.listed == now.listed else now
            elif before is not None:
                suspected[key] = before
        self._suspected = suspected
        return gone

    def _count(self, lists: Mapping[ListKey, _List]) -> None:
        """Count the sweeps in a row in which a list's count disagrees; lists that are not whole say nothing of it."""
        for key, found in lists.items():
            if not found.whole:
                continue
            if found.agrees:
                self._disagreed.pop(key, None)
            else:
                self._disagreed[key] = self._disagreed.get(key, 0) + 1


def label_of(known: KnownListing) -> str:
    """Return the label of the list that showed a listing; of one read from the database, what it would be."""
    return known.league or f"{known.listing.country} / {known.listing.tournament}"


def _lists(sweep: Sweep) -> Mapping[ListKey, _List]:
    """Return the lists by bookmaker and label, each with all its pages."""
    pages: dict[ListKey, list[LeagueListings]] = defaultdict(list)
    for page in sweep.leagues:
        pages[page.bookmaker, page.league].append(page)
    failed = {(failure.bookmaker, failure.league) for failure in sweep.failures}
    return {key: _joined(several, failed=key in failed) for key, several in pages.items()}


def _joined(pages: Sequence[LeagueListings], *, failed: bool) -> _List:
    return _List(
        listed=sum(page.listed for page in pages),
        whole=not failed and all(page.whole for page in pages),
        counts=frozenset(page.stated for page in pages if page.stated is not None),
    )


def clean_bookmakers(sweep: Sweep) -> frozenset[str]:
    """Return the bookmakers of which no call failed and every list came whole."""
    return _clean(sweep, _lists(sweep))


def _clean(sweep: Sweep, lists: Mapping[ListKey, _List]) -> frozenset[str]:
    troubled = {failure.bookmaker for failure in sweep.failures}
    troubled.update(slug for (slug, _), found in lists.items() if not found.whole)
    return frozenset(sweep.bookmakers) - troubled


def _may_be_gone(known: KnownListing, found: _List | None, clean: Collection[str], sports: Collection[str]) -> bool:
    if found is not None:
        return found.whole
    return known.listing.bookmaker in clean and known.listing.sport in sports


def withdrawals(
    book: EventRegister, cache: OddsCache, clean: Collection[str], now: datetime, seen: float
) -> Iterator[Snapshot]:
    """Yield, for each (event, bookmaker) that has prices and no listing, a complete snapshot without markets.

    It takes a sign that the listing has left: it is known to be gone, or was another event's after this one's, or
    the bookmaker is among `clean`, whose lists all came whole. An event that has kicked off keeps its last prices.
    `now` and `seen` (monotonic seconds) are when the lists had come.
    """
    left = book.left()
    for sr_id, bookmaker, cached in cache:
        event = book.event(sr_id)
        if event is None or event.kickoff <= now or book.is_listed(sr_id, bookmaker):
            continue
        departed = (sr_id, bookmaker) in left or bookmaker in clean
        if departed and any(prices.prices for prices in cached.markets.values()):
            yield _withdrawal(sr_id, bookmaker, cached, now, seen)


def _withdrawal(sr_id: int, bookmaker: str, cached: CachedSnapshot, now: datetime, seen: float) -> Snapshot:
    return Snapshot(
        sr_id=sr_id,
        bookmaker=bookmaker,
        received_at=now,
        markets={},
        complete=True,
        covered=frozenset(key.market for key in cached.markets),
        number=cached.number,  # it follows the state that it withdraws
        seen=seen,
    )
