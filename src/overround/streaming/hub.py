"""The states that the journal has, and what changes among them: the source of the live streams.

The cache is ahead of the journal by what is being stored. A client is told only what the journal has, so
that it finds everything again in the history; therefore accepted states are kept apart here. They are the
cache's own objects: an entry more for each (event, bookmaker), no copy.
"""

import contextlib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Final

import msgspec

from overround.caching.cells import cells_of, told_anew
from overround.caching.change_detection import BatchChanges, Verdict
from overround.caching.event_register import EventRegister
from overround.caching.odds_cache import CachedSnapshot, OddsCache
from overround.ports import Clock
from overround.records.batch import WriteBatch
from overround.records.event import Event
from overround.records.writing import Place
from overround.streaming.log import MAX_BYTES, Confirmed, Cursor, Gone, Item, League, Moved, StreamLog, Told, league_of
from overround.streaming.progress import Progress, RunFinished

_REMEMBERED: Final = 120.0  # seconds after the last client has left, for its return
_LARGE: Final = 100  # markets: from here on the state and their keys take less room than so many cells

_NO_STATES: Mapping[str, CachedSnapshot] = {}


class StreamHub:
    """Hears of accepted batches and evicted events, and writes the stream's log. All its methods are one step.

    `generation` is another number whenever states came from elsewhere than the stream: clients start anew.
    `newest` is when prices of each bookmaker last arrived. Nothing is logged while nobody listens.
    """

    def __init__(self, book: EventRegister, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        self.book = book
        self.log = StreamLog(max_bytes)
        self.generation = 0
        self.newest: dict[str, datetime] = {}
        self.clock = clock
        self._states: dict[int, dict[str, CachedSnapshot]] = {}
        self._told: dict[int, Told] = {}
        self._holders: dict[tuple[str, str], int] = {}
        self._followers = 0
        self._left_at = float("-inf")

    def begin(self, generation: uuid.UUID) -> None:
        """Say which generation the journal is in: no place of another process is one of this process's."""
        self.log.begin(Cursor(generation.hex, 0, 0))

    def states(self, sr_id: int) -> Mapping[str, CachedSnapshot]:
        """Return an event's accepted states by bookmaker."""
        return self._states.get(sr_id, _NO_STATES)

    def league(self, sr_id: int) -> League | None:
        """Return the country and tournament of an event that was told; None of any other."""
        told = self._told.get(sr_id)
        return None if told is None else league_of(told.event)

    def facts(self, sr_id: int) -> Told | None:
        """Return what the book says of an event."""
        event = self.book.event(sr_id)
        if event is None:
            return None
        listings = self.book.listings_of(sr_id)
        return Told(event=event, listings={slug: one.listing_id for slug, one in listings.items()})

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        """Keep what happens during the block, and a while after it."""
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1
            self._left_at = self.clock.monotonic()

    def accepted(self, place: Place, changes: BatchChanges) -> None:
        """Take over what a batch changed, confirmed or saw in part, now that the journal has it."""
        items: list[Item] = []
        confirmed: dict[str, dict[int, datetime]] = {}
        verdicts: tuple[Verdict, ...] = (*changes.changed, *changes.confirmed)
        for one in verdicts:
            sr_id, bookmaker, state = one.snapshot.sr_id, one.snapshot.bookmaker, one.state
            held = self.states(sr_id).get(bookmaker)
            if not self._enter(sr_id, bookmaker, state):
                continue
            if sr_id not in self._told:
                items.extend(self._newly_told(sr_id))
            if not self._listened():
                continue
            moved = _moved(sr_id, bookmaker, held, state)
            if moved is not None:
                items.append(moved)
            elif state.confirmed_at == state.received_at:
                confirmed.setdefault(bookmaker, {})[sr_id] = state.confirmed_at
        for seen in changes.incomplete:
            self._enter(seen.snapshot.sr_id, seen.snapshot.bookmaker, seen.state)
        items.extend(Confirmed(bookmaker=slug, times=times) for slug, times in confirmed.items())
        self._write(place, items)

    def listed(self, place: Place, batch: WriteBatch) -> None:
        """Tell of events that are new or have changed, and of who lists them, now that the journal has them."""
        concerned = dict.fromkeys(event.sr_id for event in batch.events)
        for data in batch.listings:
            key = (data.listing.bookmaker, data.listing.listing_id)
            for sr_id in (self._holders.get(key), data.listing.sr_id):
                if sr_id is not None:
                    concerned[sr_id] = None
        items = [item for sr_id in concerned for item in self._newly_told(sr_id)]
        if items:
            self._write(place, items)

    def hear(self, progress: Progress) -> None:
        """Look, at the end of a run, which events the book has dropped."""
        if isinstance(progress, RunFinished):
            self.sweep()

    def sweep(self) -> None:
        """Forget events that the book no longer has, and say so."""
        gone = [told.event for sr_id, told in self._told.items() if self.book.event(sr_id) is None]
        for event in gone:
            self._forget(event)
        if gone:
            self._write(self._here, [Gone(event=event) for event in gone])

    def seed(self, cache: OddsCache) -> None:
        """Take over the accepted states of a cache that was filled from the database or the journal."""
        for sr_id, bookmaker, cached in cache:
            if cached.accepted or not cached.number:  # not yet scraped: what is stored or journalled
                self._enter(sr_id, bookmaker, cached)
        for event in self.book.events():
            self._newly_told(event.sr_id)
        self.renew()

    def renew(self) -> None:
        """Give every client a new image."""
        self.generation += 1
        self.log.renew()

    def _enter(self, sr_id: int, bookmaker: str, state: CachedSnapshot) -> bool:
        """Hold a state; return whether it is newer than the one that was held, and of an event that still counts."""
        if self.book.event(sr_id) is None:
            return False
        held = self._states.setdefault(sr_id, {})
        before = held.get(bookmaker)
        if before is not None and state.number < before.number:
            return False
        held[bookmaker] = state
        self.newest[bookmaker] = state.received_at
        return True

    def _newly_told(self, sr_id: int) -> Iterable[Item]:
        """Return what to say of an event that is not as it was told: itself, and its prices in another league."""
        facts, before = self.facts(sr_id), self._told.get(sr_id)
        if facts is None or (before is not None and _same(before, facts)):
            return ()
        self._told[sr_id] = facts
        self._holders.update(dict.fromkeys(facts.listings.items(), sr_id))
        if before is None or league_of(before.event) == league_of(facts.event):
            return (facts,)
        former = league_of(before.event)
        moved = Told(event=facts.event, listings=facts.listings, former=former)
        return (moved, *(_whole(sr_id, slug, state, former) for slug, state in self.states(sr_id).items()))

    def _forget(self, event: Event) -> None:
        self._states.pop(event.sr_id, None)
        told = self._told.pop(event.sr_id)
        for listing in told.listings.items():
            self._holders.pop(listing, None)

    def _listened(self) -> bool:
        return self._followers > 0 or self.clock.monotonic() - self._left_at < _REMEMBERED

    @property
    def _here(self) -> Place:
        return (uuid.UUID(self.log.head.generation), self.log.head.seq)

    def _write(self, place: Place, items: Iterable[Item]) -> None:
        if self._listened():
            self.log.append(place, items)
        else:
            self.log.skip(place)


def _moved(sr_id: int, bookmaker: str, held: CachedSnapshot | None, state: CachedSnapshot) -> Moved | None:
    keys = None if held is None else told_anew(held, state)
    if keys is None:
        return _whole(sr_id, bookmaker, state)
    if not keys:
        return None
    if len(keys) > _LARGE:
        # Not told whole: a client that follows others of its markets would hear again what it knows.
        return msgspec.structs.replace(_whole(sr_id, bookmaker, state), keys=keys)
    return Moved(
        sr_id=sr_id,
        bookmaker=bookmaker,
        received_at=state.received_at,
        confirmed_at=state.confirmed_at,
        cells=cells_of(state, keys),
    )


def _whole(sr_id: int, bookmaker: str, state: CachedSnapshot, former: League | None = None) -> Moved:
    return Moved(
        sr_id=sr_id,
        bookmaker=bookmaker,
        received_at=state.received_at,
        confirmed_at=state.confirmed_at,
        whole=state,
        former=former,
    )


def _same(before: Told, now: Told) -> bool:
    return before.event == now.event and before.listings == now.listings
