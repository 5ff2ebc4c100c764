"""How much of what the bookmakers offer is mapped: by bookmaker, sport and event, with what is missing and why.

One occurrence is one market with one line, as it stands on the wire. What is dropped counts against coverage.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final

import msgspec

from overround.ports import Reader
from overround.records.event import Offer
from overround.records.odds import Unmapped
from overround.records.response import Response

EVENTS_KEPT: Final = 20_000


class EventCoverage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One body: how many occurrences are mapped, and what is not. `source` is a file, or the listing's id."""

    bookmaker: str
    sport: str
    source: str
    mapped: int
    unmapped: tuple[Unmapped, ...]
    dropped: Mapping[str, int]

    @property
    def lost(self) -> int:
        """Return how many occurrences did not become prices, or not all of their outcomes."""
        return sum(market.count for market in self.unmapped) + sum(self.dropped.values())

    @property
    def share(self) -> float | None:
        """Return the share that is mapped; None for a body without markets."""
        return _share(self.mapped, self.lost)


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """One bookmaker and sport: sums over its events, the most frequent losses first."""

    bookmaker: str
    sport: str
    events: int
    mapped: int
    unmapped: tuple[Unmapped, ...]
    dropped: tuple[tuple[str, int], ...]

    @property
    def unmapped_count(self) -> int:
        """Return how many occurrences no mapping knows."""
        return sum(market.count for market in self.unmapped)

    @property
    def dropped_count(self) -> int:
        """Return how many losses there were for any reason."""
        return sum(count for _, count in self.dropped)

    @property
    def share(self) -> float | None:
        """Return the share that is mapped; None where there were no markets."""
        return _share(self.mapped, self.unmapped_count + self.dropped_count)


def event_coverage(offer: Offer, source: str) -> EventCoverage:
    """Return how much of an offer is mapped."""
    dropped: Counter[str] = Counter()
    for loss in offer.dropped:
        dropped[loss.reason] += loss.count
    return EventCoverage(
        bookmaker=offer.listing.bookmaker,
        sport=offer.listing.sport,
        source=source,
        mapped=len(offer.markets) if offer.occurrences is None else offer.occurrences,
        unmapped=offer.unmapped,
        dropped=dict(dropped),
    )


def summed(events: Sequence[EventCoverage]) -> tuple[Coverage, ...]:
    """Return the sums by bookmaker and sport."""
    groups: dict[tuple[str, str], list[EventCoverage]] = {}
    for event in events:
        groups.setdefault((event.bookmaker, event.sport), []).append(event)
    return tuple(_sum(bookmaker, sport, found) for (bookmaker, sport), found in sorted(groups.items()))


class CoverageBook:
    """The coverage of every listing's newest body; the oldest are forgotten beyond a number of listings."""

    def __init__(self, limit: int = EVENTS_KEPT) -> None:
        self._limit = limit
        self._events: dict[tuple[str, str], EventCoverage] = {}

    def record(self, offer: Offer) -> None:
        """Keep an offer's coverage in place of the listing's earlier one."""
        place = (offer.listing.bookmaker, offer.listing.listing_id)
        self._events.pop(place, None)
        self._events[place] = event_coverage(offer, offer.listing.listing_id)
        if len(self._events) > self._limit:
            del self._events[next(iter(self._events))]

    def events(self) -> tuple[EventCoverage, ...]:
        """Return the coverage by listing, the newest last."""
        return tuple(self._events.values())


class RecordingReader:
    """A reader whose offers are entered in a book."""

    def __init__(self, reader: Reader, book: CoverageBook) -> None:
        self._reader = reader
        self._book = book

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of all catalogue markets that the mapping can produce."""
        return self._reader.covered

    def read(self, response: Response) -> Offer:
        """Return what a single-event body says.

        Raises:
            FetchError: as the reader itself does.
        """
        offer = self._reader.read(response)
        self._book.record(offer)
        return offer


def _sum(bookmaker: str, sport: str, events: Sequence[EventCoverage]) -> Coverage:
    unmapped: Counter[str] = Counter()
    names: dict[str, str] = {}
    dropped: Counter[str] = Counter()
    for event in events:
        for market in event.unmapped:
            unmapped[market.id] += market.count
            names.setdefault(market.id, market.name)
        dropped.update(event.dropped)
    return Coverage(
        bookmaker=bookmaker,
        sport=sport,
        events=len(events),
        mapped=sum(event.mapped for event in events),
        unmapped=tuple(Unmapped(wire_id, names[wire_id], count) for wire_id, count in unmapped.most_common()),
        dropped=tuple(sorted(dropped.items(), key=itemgetter(1), reverse=True)),
    )


def _share(mapped: int, lost: int) -> float | None:
    return mapped / (mapped + lost) if mapped + lost else None
