"""Builds the service from the settings; the only module that does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import msgspec
import structlog
from aiohttp import ClientSession
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.batch import WriteBatch
from overround.bookmakers.fetcher import HttpFetcher, RetryPolicy, open_session
from overround.bookmakers.registry import configured_options, load_bookmakers, refuse_unknown_bookmakers
from overround.caching.event_book import EventBook
from overround.caching.odds_cache import OddsCache
from overround.caching.warmup import apply_journalled, enter_journalled, warm_cache_from_db
from overround.catalogue import load_catalogue
from overround.clock import SystemClock
from overround.db.dead_letters import DeadLetterRepository
from overround.db.embedded import running_postgres
from overround.db.engine import create_engine
from overround.db.history import HistoryRepository
from overround.db.listing_links import PostgresLinkRepository
from overround.db.preparation import Preparation
from overround.db.repositories import FactsRepository, PostgresWarmupRepository
from overround.errors import SettingsError
from overround.markets.coverage import CoverageBook, RecordingNormaliser
from overround.ports import Bookmaker, BookmakerOptions, Clock, Journal, ScrapeControl, WriteQueue
from overround.scheduling.integrity import IntegrityCheck
from overround.scheduling.maintenance import Maintenance
from overround.scheduling.scheduler import SchedulePlan, ScrapeScheduler
from overround.scraping.control import ScrapeController
from overround.scraping.event_coordinator import EventCoordinator, ScrapeContext
from overround.scraping.event_scrape import Source
from overround.scraping.linking import ListingLinker
from overround.scraping.progress import ProgressHub
from overround.scraping.runs import RunBook
from overround.settings import Settings
from overround.storage.ack_log import AckLog
from overround.storage.attempts import Backoff
from overround.storage.batch_codec import read_entry
from overround.storage.dead_letters import DeadLetters
from overround.storage.disk import LocalDisk
from overround.storage.inline import InlineWriter
from overround.storage.journal import SegmentedJournal
from overround.storage.memory_journal import MemoryJournal
from overround.storage.write_handler import PostgresWriteHandler
from overround.storage.write_queue import AsyncWriteQueue

Queue = AsyncWriteQueue[AsyncEngine]
BeforeCycle = Callable[[], Awaitable[None]]

_MAINTENANCE = timedelta(hours=1)
_RUNS_REMEMBERED = 200
_REPLAYED_AT_ONCE = 100

_log = structlog.get_logger(__name__)


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """A database; once `ready` is set it is migrated and knows our bookmakers."""

    engine: AsyncEngine
    repository: PostgresWarmupRepository
    facts: FactsRepository
    links: PostgresLinkRepository
    history: HistoryRepository
    ready: asyncio.Event


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """The running parts, for those who present them: API, scheduler, command line."""

    settings: Settings
    bookmakers: Mapping[str, Bookmaker]
    options: Mapping[str, BookmakerOptions]
    context: ScrapeContext
    coordinator: EventCoordinator
    control: ScrapeController
    linker: ListingLinker
    scheduler: ScrapeScheduler
    database: Database
    write_queue: Queue | None
    dead_letters: DeadLetters
    warm: asyncio.Event
    maintenance: Maintenance
    integrity: IntegrityCheck
    coverage: CoverageBook


class Jobs(msgspec.Struct, kw_only=True):
    """What the scheduler's jobs work on."""

    write_queue: WriteQueue | None
    odds_cache: OddsCache
    control: ScrapeControl


@asynccontextmanager
async def database_address(settings: Settings, *, ephemeral: bool = False) -> AsyncIterator[str]:
    """Yield the address of the settings' database; without one, run the embedded server meanwhile.

    `ephemeral`: the embedded server's files go with it.

    Raises:
        DatabaseUnavailableError: it cannot be started.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    async with running_postgres(settings.data_dir, ephemeral=ephemeral) as url:
        yield url


@asynccontextmanager
async def running_database(settings: Settings, *, ephemeral: bool = False) -> AsyncIterator[Database]:
    """Reach the settings' database and bring it up to date; one that is away is waited for in the background.

    Raises:
        DatabaseUnavailableError: the embedded server cannot be started.
        BookmakerMismatchError: the database numbers its bookmakers otherwise.
    """
    bookmakers = load_bookmakers()
    async with database_address(settings, ephemeral=ephemeral) as url:
        engine = create_engine(url, "overround")
        numbers = {one.number: (one.slug, one.name) for one in bookmakers.values()}
        preparation = Preparation(url, engine, numbers)
        try:
            async with preparation.kept_up(SystemClock()):
                yield Database(
                    engine=engine,
                    repository=PostgresWarmupRepository(engine, bookmakers.keys()),
                    facts=FactsRepository(engine),
                    links=PostgresLinkRepository(engine),
                    history=HistoryRepository(engine),
                    ready=preparation.ready,
                )
        finally:
            await engine.dispose()


@asynccontextmanager
async def running_service(
    settings: Settings, database: Database, clock: Clock | None = None, before_cycle: BeforeCycle | None = None
) -> AsyncIterator[Service]:
    """Start everything on a database; stopping is starting reversed.

    `before_cycle` is awaited before each scheduled cycle.

    Raises:
        SettingsError: the settings name a bookmaker that is not installed.
    """
    bookmakers = load_bookmakers()
    options = _enabled(configured_options(bookmakers, settings.bookmakers), settings.reference)
    parts = _Parts(settings, database, clock or SystemClock())
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session(settings.user_agent))
        sources = {slug: parts.source(bookmakers[slug], one, session) for slug, one in options.items()}
        context = parts.context(sources)
        warm_up = _WarmUp(database, context, settings)
        await stack.enter_async_context(warm_up.running())
        write_queue = None
        if settings.asynchronous_writes:
            write_queue = await stack.enter_async_context(parts.running_queue(context))
        inline = None if write_queue else parts.inline_writer()
        coordinator = EventCoordinator.from_settings(settings, context, write_queue, inline)
        await coordinator.close_open_runs()
        control = ScrapeController(coordinator, context, settings.scraping.on_demand_cool_down)
        stack.push_async_callback(control.stop)
        maintenance, integrity = parts.maintenance(), parts.integrity(context, write_queue)
        jobs = Jobs(write_queue=write_queue, odds_cache=context.cache, control=control)
        scheduler = _scheduler(settings, jobs, context.clock, before_cycle)
        for job, name in ((maintenance.run, "maintenance"), (integrity.run_quietly, "integrity")):
            scheduler.every(_MAINTENANCE, job, name)
        stack.callback(scheduler.stop)
        yield Service(
            settings=settings,
            bookmakers=bookmakers,
            options=options,
            context=context,
            coordinator=coordinator,
            control=control,
            linker=parts.linker(coordinator, context),
            scheduler=scheduler,
            database=database,
            write_queue=write_queue,
            dead_letters=parts.dead_letters(write_queue, inline),
            warm=warm_up.done,
            maintenance=maintenance,
            integrity=integrity,
            coverage=parts.coverage,
        )


class _Parts:
    """Builds what several parts of a service share."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._catalogue = load_catalogue(settings.mapping_file)
        refuse_unknown_bookmakers(self._catalogue, load_bookmakers())
        self.coverage = CoverageBook()
        self._database = database
        self._numbers = {one.slug: one.number for one in load_bookmakers().values()}

    def context(self, sources: Mapping[str, Source]) -> ScrapeContext:
        return ScrapeContext(
            sources=sources,
            cache=OddsCache(),
            book=EventBook(),
            runs=RunBook(self._clock, _RUNS_REMEMBERED),
            catalogue=self._catalogue,
            clock=self._clock,
            progress=ProgressHub(),
        )

    def source(self, bookmaker: Bookmaker, options: BookmakerOptions, session: ClientSession) -> Source:
        scraping = self._settings.scraping
        fetcher = HttpFetcher(
            bookmaker.slug,
            options=options,
            session=session,
            clock=self._clock,
            retry=RetryPolicy(attempts=scraping.max_attempts, base=scraping.retry_base, cap=scraping.retry_cap),
            max_bytes=scraping.max_response_bytes,
        )
        return Source(
            slug=bookmaker.slug,
            client=bookmaker.client(fetcher, options, self._clock),
            normaliser=RecordingNormaliser(bookmaker.normaliser(self._catalogue), self.coverage),
        )

    def handler(self, engine: AsyncEngine) -> PostgresWriteHandler:
        return PostgresWriteHandler(
            engine, catalogue=self._catalogue, bookmaker_numbers=self._numbers, clock=self._clock
        )

    def maintenance(self) -> Maintenance:
        database = self._database
        return Maintenance(database.engine, database.ready, self._clock, self._settings.retention.model_dump())

    def integrity(self, context: ScrapeContext, write_queue: Queue | None) -> IntegrityCheck:
        return IntegrityCheck(context.cache, self._database.repository, self._catalogue, self._clock, write_queue)

    def linker(self, coordinator: EventCoordinator, context: ScrapeContext) -> ListingLinker:
        return ListingLinker(coordinator, context.book, self._database.links, self._clock)

    def inline_writer(self) -> InlineWriter:
        return InlineWriter(self.handler(self._database.engine), self._clock)

    def dead_letters(self, write_queue: Queue | None, inline: InlineWriter | None) -> DeadLetters:
        async def submit(batch: WriteBatch) -> None:
            if write_queue is not None:
                await write_queue.enqueue(batch)
            elif inline is not None:
                await inline.write(batch)

        return DeadLetters(DeadLetterRepository(self._database.engine), submit)

    def _journal(self, last_epoch: int) -> Journal:
        """Return the journal of the settings; its epoch is by the machine's clock, whatever the service's shows."""
        options = self._settings.queue
        if options.journal == "memory":
            return MemoryJournal(SystemClock(), options.max_bytes, last_epoch)
        disk = LocalDisk(self._settings.data_dir / "journal")
        return SegmentedJournal(disk, SystemClock(), max_bytes=options.max_bytes, last_epoch=last_epoch)

    @asynccontextmanager
    async def running_queue(self, context: ScrapeContext) -> AsyncIterator[Queue]:
        options = self._settings.queue
        last_epoch = await self._database.repository.last_epoch() if self._database.ready.is_set() else 0
        async with _open_journal(self._journal(last_epoch)) as journal:
            await _replay(journal, context)
            queue = AsyncWriteQueue(
                session_factory=self._database.engine,
                journal=journal,
                handler=self.handler,
                clock=self._clock,
                maxsize=options.read_ahead,
                backoff=Backoff(base=options.retry_base.total_seconds(), cap=options.retry_cap.total_seconds()),
                on_missed=context.cache.unaccept,
            )
            if options.ack_log is not None:
                queue.on_accepted(AckLog(options.ack_log).note)
            await queue.start()
            try:
                yield queue
            finally:
                await queue.stop(options.stop_deadline.total_seconds())


class _WarmUp:
    """Fills the cache from the database: before anything else where it answers, else once it does."""

    def __init__(self, database: Database, context: ScrapeContext, settings: Settings) -> None:
        self._database = database
        self._context = context
        self._grace = settings.scraping.eviction_grace
        self.done = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Warm up now, or in the background during the block."""
        if self._database.ready.is_set():
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
        await self._database.ready.wait()
        while not self.done.is_set():
            try:
                await self._warm()
            except Exception as error:  # noqa: BLE001 - supervision point: the database may go away again
                _log.error("warm_up_failed", error=repr(error))
                await self._context.clock.sleep(1)

    async def _warm(self) -> None:
        clock, context, repository = self._context.clock, self._context, self._database.repository
        began = clock.monotonic()
        kickoff_after = clock.now() - self._grace
        for link in await self._database.links.links():
            context.book.link(link)
        report = await warm_cache_from_db(repository, context.cache, context.book, context.catalogue, kickoff_after)
        context.runs.warm(await repository.runs(_RUNS_REMEMBERED), await repository.last_run_id())
        self.done.set()
        duration = round((clock.monotonic() - began) * 1000, 1)
        _log.info("cache_warmed", duration_ms=duration, **msgspec.to_builtins(report))


@asynccontextmanager
async def _open_journal(journal: Journal) -> AsyncIterator[Journal]:
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


async def _replay(journal: Journal, context: ScrapeContext) -> None:
    """Put over cache, book and runs what an earlier process journalled and the database may not have yet."""
    seq = 0
    while entries := await journal.read(seq, _REPLAYED_AT_ONCE, wait=False):
        for entry in entries:
            batch = read_entry(entry).batch
            apply_journalled(context.cache, batch.snapshots, context.catalogue)
            enter_journalled(context.book, batch.events, batch.listings)
            context.runs.warm([batch.run] if batch.run else [], batch.scrape_run_id)
        seq = entries[-1].seq


def _scheduler(settings: Settings, jobs: Jobs, clock: Clock, before_cycle: BeforeCycle | None) -> ScrapeScheduler:
    """Return the running scheduler; it starts cycles by itself unless the settings say otherwise."""
    schedule = settings.schedule
    plan = SchedulePlan(
        short_interval=schedule.short_interval,
        long_interval=max(schedule.short_interval, schedule.long_interval),
        stuck_after=schedule.stuck_after,
    )
    scheduler = ScrapeScheduler(plan, jobs, clock, before_cycle)
    scheduler.start(cycles=schedule.enabled)
    return scheduler


def _enabled(options: Mapping[str, BookmakerOptions], reference: str) -> Mapping[str, BookmakerOptions]:
    if reference not in options:
        raise SettingsError(f"the reference {reference!r} is not installed: there are {', '.join(options)}")
    return {slug: one for slug, one in options.items() if one.enabled}
