"""Fakes that ship with the package, for its own tests and for those of plug-ins."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappush
from itertools import count

import msgspec

from overround.batch import SnapshotWriteData, WriteBatch
from overround.errors import FetchError, GoneError, MalformedError
from overround.event import DiscoveryFailure, LeagueListings, Listing, Offer
from overround.odds import MarketKey, MarketPrices
from overround.ports import Clock, Response
from overround.writing import StampedBatch, WriteReport


class ManualClock:
    """A clock that stands still but for `advance` and `sleep`; implements the `Clock` port.

    `sleep` takes no time: it moves the clock to the moment at which it ends. Of several sleepers the
    one that ends first goes on first.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int]] = []
        self.slept: list[float] = []

    def now(self) -> datetime:
        """Return the instant that the clock shows."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return the seconds since the clock was made."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        self._elapsed += seconds

    async def sleep(self, seconds: float) -> None:
        """Move the clock to the end of this sleep, once no other sleep ends before it."""
        self.slept.append(seconds)
        sleeper = (self._elapsed + seconds, next(self._order))
        heappush(self._sleepers, sleeper)
        try:
            await asyncio.sleep(0)
            while self._sleepers[0] != sleeper:  # noqa: ASYNC110 - an event could not know of sleepers still to come
                await asyncio.sleep(0)
            self._elapsed = max(self._elapsed, sleeper[0])
        finally:
            self._sleepers.remove(sleeper)
            heapify(self._sleepers)


class _BoardEntry(msgspec.Struct, kw_only=True):
    listing: Listing
    markets: list[tuple[MarketKey, MarketPrices]]
    complete: bool = True
    states_id: bool = True


class ScriptedBookmaker:
    """A bookmaker whose board a test sets: client and normaliser in one, without a network.

    `failures` are raised by the next fetches of a listing, one each; while a `gate` is set for a
    listing, its fetches wait for it. `league_failure` makes discovery fail; `asked` is set by the
    first fetch.
    """

    def __init__(self, slug: str, clock: Clock) -> None:
        self.slug = slug
        self.board: dict[str, _BoardEntry] = {}
        self.failures: dict[str, list[FetchError]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.league_failure: FetchError | None = None
        self.fetched: list[str] = []
        self.asked = asyncio.Event()
        self._clock = clock

    @property
    def covered(self) -> frozenset[str]:
        """Return the markets that the board has ever held."""
        return frozenset(key.market for entry in self.board.values() for key, _ in entry.markets) | self._once_covered

    _once_covered: frozenset[str] = frozenset()

    def offer(
        self,
        listing: Listing,
        markets: Mapping[MarketKey, MarketPrices],
        *,
        complete: bool = True,
        states_id: bool = True,
    ) -> None:
        """Put an event on the board, or change it; `states_id`: lists give its SportRadar id."""
        self._once_covered = self.covered
        self.board[listing.listing_id] = _BoardEntry(
            listing=listing, markets=list(markets.items()), complete=complete, states_id=states_id
        )

    async def discover(self, sports: Sequence[str]) -> AsyncIterator[LeagueListings | DiscoveryFailure]:
        """Yield the board's listings as one league."""
        if self.league_failure is not None:
            error = self.league_failure
            yield DiscoveryFailure(
                bookmaker=self.slug, league="board", error_class=error.error_class, message=str(error)
            )
            return
        entries = [entry for entry in self.board.values() if entry.listing.sport in sports]
        yield LeagueListings(
            bookmaker=self.slug,
            league="board",
            listings=tuple(
                entry.listing if entry.states_id else msgspec.structs.replace(entry.listing, sr_id=None)
                for entry in entries
            ),
        )

    async def fetch_event(self, listing: Listing) -> Response:
        """Return the board's entry as bytes."""
        self.fetched.append(listing.listing_id)
        self.asked.set()
        entry = self.board.get(listing.listing_id)
        body = msgspec.json.encode(entry)
        if listing.listing_id in self.gates:
            await self.gates[listing.listing_id].wait()
        if self.failures.get(listing.listing_id):
            raise self.failures[listing.listing_id].pop(0)
        if entry is None:
            raise GoneError(self.slug, f"event {listing.listing_id}", "not on the board")
        return Response(body=body, received_at=self._clock.now(), duration_ms=1)

    def normalise(self, body: bytes, at: datetime) -> Offer:
        """Return the offer that a body of `fetch_event` holds."""
        try:
            entry = msgspec.json.decode(body, type=_BoardEntry)
        except msgspec.DecodeError as error:
            raise MalformedError(self.slug, "event", str(error)) from error
        return Offer(
            listing=entry.listing,
            markets=dict(entry.markets),
            complete=entry.complete and entry.listing.kickoff > at,
        )


class StoredSnapshot(msgspec.Struct, kw_only=True):
    """A changed snapshot as a `MemoryWriteHandler` holds it, with its place in the order of writes."""

    epoch: int
    seq: int
    snapshot: SnapshotWriteData
    last_confirmed_at: datetime | None = None


class MemoryWriteHandler:
    """A database in memory, as far as prices go; implements the `WriteHandler` port.

    `history` is in the order of writing, `latest` by (event, bookmaker). `failures_before` and
    `failures_after` are raised by the next writes, one each, before anything is stored or when all is:
    the latter is a commit whose reply was lost.
    """

    def __init__(self) -> None:
        self.history: list[StoredSnapshot] = []
        self.latest: dict[tuple[int, str], StoredSnapshot] = {}
        self.failures_before: list[Exception] = []
        self.failures_after: list[Exception] = []
        self._applied: dict[uuid.UUID, int] = {}

    async def applied(self, journal_id: uuid.UUID) -> int:
        """Return the seq up to which this journal's batches are stored; 0 for a new journal."""
        return self._applied.get(journal_id, 0)

    async def write(self, journal_id: uuid.UUID, batches: Sequence[StampedBatch]) -> WriteReport:
        """Store the batches that were not stored before, all or none, or fail as told."""
        if self.failures_before:
            raise self.failures_before.pop(0)
        todo = [stamped for stamped in batches if stamped.seq > self._applied.get(journal_id, 0)]
        for stamped in todo:
            self._insert(stamped)
        missed = [missed for stamped in todo for missed in self._confirm(stamped.batch)]
        if todo:
            self._applied[journal_id] = todo[-1].seq
        if self.failures_after:
            raise self.failures_after.pop(0)
        snapshots = [snapshot for stamped in todo for snapshot in stamped.batch.snapshots]
        return WriteReport(
            batches=len(todo),
            snapshots=len(snapshots),
            markets=sum(len(snapshot.markets) for snapshot in snapshots),
            confirmed=sum(len(stamped.batch.confirmed) for stamped in todo) - len(missed),
            missed=tuple(missed),
        )

    def _insert(self, stamped: StampedBatch) -> None:
        for snapshot in stamped.batch.snapshots:
            stored = StoredSnapshot(epoch=stamped.epoch, seq=stamped.seq, snapshot=snapshot)
            self.history.append(stored)
            latest = self.latest.get((snapshot.sr_id, snapshot.bookmaker))
            if latest is None or (latest.epoch, latest.seq) < (stored.epoch, stored.seq):
                self.latest[snapshot.sr_id, snapshot.bookmaker] = stored

    def _confirm(self, batch: WriteBatch) -> Sequence[tuple[int, str]]:
        """Confirm what was the newest at the instant; return those for which there was none."""
        missed = []
        for confirmed in batch.confirmed:
            key = (confirmed.sr_id, confirmed.bookmaker)
            known = [
                stored
                for stored in self.history
                if (stored.snapshot.sr_id, stored.snapshot.bookmaker) == key
                and stored.snapshot.captured_at <= confirmed.confirmed_at
            ]
            if not known:
                missed.append(key)
                continue
            newest = max(known, key=lambda stored: stored.snapshot.captured_at)
            newest.last_confirmed_at = max(newest.last_confirmed_at or confirmed.confirmed_at, confirmed.confirmed_at)
        return missed
