"""Filling the cache at start: from the database, then from batches that an earlier process journalled."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from types import MappingProxyType

import msgspec
import structlog

from overround.caching.warmup import SharedKeys, apply_journalled, enter_journalled, warm_cache_from_db
from overround.errors import RecoveringError
from overround.ports import Journal, LinkRepository, WarmupRepository
from overround.records.batch import SnapshotWriteData
from overround.records.writing import JournalEntry
from overround.scraping.discovery import drop_lapsed
from overround.scraping.event_coordinator import ScrapeContext
from overround.storage.batch_codec import OpenBatch

SMALL_BACKLOG = 8 << 20  # bytes on disk; read through in well under a second, so that the service starts with it

_READ_AT_ONCE = 100
_SLICE = 0.004  # seconds after which others get their turn of the event loop
_SURVEY_PERCENT = 80  # how much of the whole it is to find out which snapshots are the newest
_LOGGED_EVERY = 10  # percent

Key = tuple[int, str]

_log = structlog.get_logger(__name__)


class CatchUpProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far the cache is: batches looked through, and snapshots taken over of those that are the newest."""

    batches: int = 0
    batches_read: int = 0
    snapshots: int = 0
    snapshots_taken: int = 0

    @property
    def percent(self) -> int:
        """Return about how much is done, 0 to 100."""
        surveyed = _SURVEY_PERCENT * self.batches_read // self.batches if self.batches else _SURVEY_PERCENT
        if surveyed < _SURVEY_PERCENT:
            return surveyed
        rest = 100 - _SURVEY_PERCENT
        return surveyed + (rest * self.snapshots_taken // self.snapshots if self.snapshots else rest)


class _Place(msgspec.Struct, frozen=True, gc=False):
    """Where in the journal a snapshot is."""

    position: int
    place: int


class CatchUp:
    """Puts over cache, book and runs what the journal holds at start, while its writer is at work.

    Each (event, bookmaker) is journalled with its whole state, so only its newest snapshot counts: a
    first pass finds out which these are, a second one decodes them. Until `done` is set the cache
    may be behind what was accepted, and nobody may compare new prices with it.
    """

    def __init__(
        self,
        journal: Journal,
        context: ScrapeContext,
        done: asyncio.Event,
        epochs: Mapping[uuid.UUID, int] = MappingProxyType({}),
    ) -> None:
        """Build it for an open journal that keeps what is pending, and takes nothing yet; it will set `done`.

        `epochs` are the numbers of the journal's generations, where the database could be asked: what another journal
        has written since counts as newer.
        """
        self._journal = journal
        self._epochs = epochs
        self._context = context
        self._clock = context.clock
        self._backlog = stats = journal.stats()
        self._newest: dict[Key, _Place] = {}
        self._keys = SharedKeys(context.catalogue)
        self._slice_began = 0.0
        self._logged = 0
        self.done = done
        self.progress = CatchUpProgress(batches=stats.pending)

    def require_done(self) -> None:
        """Let nobody go on before the cache has caught up.

        Raises:
            RecoveringError: it has not.
        """
        if not self.done.is_set():
            raise RecoveringError(self.progress.percent)

    @asynccontextmanager
    async def running(self, finish: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Catch up now with a small backlog, in the background during the block with a large one.

        `finish` is awaited when the cache has caught up, before `done` is set.
        """
        backlog = self._backlog
        small = backlog.pending_bytes <= SMALL_BACKLOG
        if backlog.pending:
            _log.info("recovery_started", batches=backlog.pending, bytes=backlog.pending_bytes, background=not small)
        if small:
            await self._run(finish)
            yield
            return
        task = asyncio.create_task(self._run(finish), name="catch-up")
        task.add_done_callback(_report_death)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self, finish: Callable[[], Awaitable[None]]) -> None:
        began = self._slice_began = self._clock.monotonic()
        await self._survey()
        for position, places in self._wanted():
            await self._take_over(position, places)
        self._newest.clear()
        self._keys.clear()
        await self._journal.keep(None)
        await finish()
        self.done.set()
        if self.progress.batches:
            duration = round((self._clock.monotonic() - began) * 1000, 1)
            _log.info("recovery_finished", duration_ms=duration, **msgspec.structs.asdict(self.progress))

    async def _survey(self) -> None:
        """Look through all batches: enter events, listings and runs, and note the newest snapshots."""
        position, last = 0, self._backlog.last
        while position < last and (entries := await self._journal.read(position, _READ_AT_ONCE, wait=False)):
            for entry in (one for one in entries if one.position <= last):
                await self._look_through(entry)
                self._move(batches_read=self.progress.batches_read + 1)
            position = entries[-1].position

    async def _look_through(self, entry: JournalEntry) -> None:
        with suppress(ValueError):  # one that cannot be decoded is the writer's to report
            batch = OpenBatch(entry.body)
            rest = batch.rest
            enter_journalled(self._context.book, rest.events, rest.listings)
            self._context.runs.warm([rest.run] if rest.run else [], rest.scrape_run_id)
            for place in range(len(batch)):
                label = batch.label(place)
                self._newest[label.sr_id, label.bookmaker] = _Place(entry.position, place)
                await self._breathe()

    def _wanted(self) -> Sequence[tuple[int, Sequence[int]]]:
        """Return which snapshots of which batches are to be taken over, in their order."""
        wanted: dict[int, list[int]] = {}
        for one in self._newest.values():
            wanted.setdefault(one.position, []).append(one.place)
        self._move(batches_read=self.progress.batches, snapshots=len(self._newest))
        return [(position, sorted(wanted[position])) for position in sorted(wanted)]

    async def _take_over(self, position: int, places: Sequence[int]) -> None:
        for entry in await self._journal.read(position - 1, 1, wait=False):
            if entry.position != position:  # damaged since
                continue
            batch = OpenBatch(entry.body)
            for place in places:
                snapshot = batch.snapshot(place)
                if not self._is_overtaken(entry, snapshot):
                    self._put(snapshot)
                self._move(snapshots_taken=self.progress.snapshots_taken + 1)
                await self._breathe()

    def _put(self, snapshot: SnapshotWriteData) -> None:
        """Take a snapshot over; without the database it may be old: another journal may have gone on from there."""
        context = self._context
        apply_journalled(
            context.cache, [snapshot], context.catalogue, self._keys, self._clock, accepted=bool(self._epochs)
        )

    def _is_overtaken(self, entry: JournalEntry, snapshot: SnapshotWriteData) -> bool:
        """Tell whether the database has a later state, which another journal wrote."""
        cached, epoch = self._context.cache.get(snapshot.sr_id, snapshot.bookmaker), self._epochs.get(entry.generation)
        stored = None if cached is None or cached.row is None else cached.row.place
        return stored is not None and epoch is not None and (epoch, entry.seq) < stored

    async def _breathe(self) -> None:
        if self._clock.monotonic() - self._slice_began > _SLICE:
            await asyncio.sleep(0)
            self._slice_began = self._clock.monotonic()

    def _move(self, **values: int) -> None:
        self.progress = msgspec.structs.replace(self.progress, **values)
        percent = self.progress.percent
        if percent >= self._logged + _LOGGED_EVERY and percent < 100:  # noqa: PLR2004 - the end has an event of its own
            self._logged = percent - percent % _LOGGED_EVERY
            _log.info("recovery_progress", percent=percent, **msgspec.structs.asdict(self.progress))


def _report_death(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("recovery_died", error=repr(error), exc_info=error)


class WarmUp:
    """Fills the cache from the database: before anything else where it answers, else once it does."""

    def __init__(  # noqa: PLR0913 - what it reads, where it puts it, and what it waits for
        self,
        ready: asyncio.Event,
        repository: WarmupRepository,
        links: LinkRepository,
        context: ScrapeContext,
        grace: timedelta,
        runs_remembered: int,
        caught_up: asyncio.Event,
        *,
        is_whole: Callable[[], bool] = lambda: True,
    ) -> None:
        """Build it; `is_whole` tells, once the database is ready, whether it has all that was ever accepted.

        Where it has not, the next body of each event is written whole: a former journal, drained later, may bring
        steps that come between the stored state and that body.
        """
        self._is_whole = is_whole
        self._caught_up = caught_up
        self._ready = ready
        self._repository = repository
        self._links = links
        self._context = context
        self._grace = grace
        self._runs_remembered = runs_remembered
        self.done = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Warm up now, or in the background during the block."""
        if self._ready.is_set():
            await self._warm()
            yield
            return
        # Greater than any id counted from one, and growing with time: the ids in the database are not known.
        self._context.runs.warm((), int(self._context.clock.now().timestamp()))
        task = asyncio.create_task(self._warm_later(), name="warm-up")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _warm_later(self) -> None:
        await self._ready.wait()
        await self._caught_up.wait()  # what the cache has counts as newer than what the database has
        while not self.done.is_set():
            try:
                await self._warm()
            except Exception as error:  # noqa: BLE001 - supervision point: the database may go away again
                _log.error("warm_up_failed", error=repr(error))
                await self._context.clock.sleep(1)

    async def _warm(self) -> None:
        clock, context, repository = self._context.clock, self._context, self._repository
        began = clock.monotonic()
        kickoff_after = clock.now() - self._grace
        for link in await self._links.links():
            context.book.link(link)
        report = await warm_cache_from_db(
            repository, context.cache, context.book, context.catalogue, kickoff_after, clock
        )
        drop_lapsed(context.book)
        if not self._is_whole():
            for sr_id, bookmaker, _ in tuple(context.cache):
                context.cache.unaccept(sr_id, bookmaker)
        context.runs.warm(await repository.runs(self._runs_remembered), await repository.last_run_id())
        self.done.set()
        duration = round((clock.monotonic() - began) * 1000, 1)
        _log.info("cache_warmed", duration_ms=duration, **msgspec.to_builtins(report))
