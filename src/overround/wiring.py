"""Builds the service from the settings; the only module that does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import asyncpg
import msgspec
import structlog
from aiohttp import ClientSession
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from overround.access.keyring import KeyRing
from overround.bookmakers.registry import configured_options, load_bookmakers, refuse_unknown_bookmakers
from overround.caching.event_register import EventRegister
from overround.caching.odds_cache import OddsCache
from overround.catalogue import load_catalogue
from overround.clock import SystemClock
from overround.configuration.live_settings import LiveSettings
from overround.db.dead_letters import DeadLetterRepository
from overround.db.embedded import running_postgres, shared_postgres
from overround.db.engine import create_engine, disposed
from overround.db.history import HistoryRepository
from overround.db.migrate import require_head
from overround.db.ownership import Holder, Ownership, beside_owner
from overround.db.preparation import Preparation
from overround.db.repositories import (
    FactsRepository,
    PostgresKeyRepository,
    PostgresLinkRepository,
    PostgresOverrides,
    PostgresWarmupRepository,
)
from overround.descriptors import DescriptorRoom, raise_descriptor_limit, shared_out
from overround.errors import DatabaseUnavailableError, SettingsError
from overround.fetching.http import HttpFetcher, RetryPolicy, open_session
from overround.fetching.known_bodies import UnchangedBodies
from overround.fetching.statistics import WatchedReader
from overround.ports import Bookmaker, BookmakerOptions, Clock, Journal, ScrapeControl, WriteQueue
from overround.pricing.coverage import CoverageBook, RecordingReader
from overround.records.batch import WriteBatch
from overround.scheduling.clock_watch import ClockWatch
from overround.scheduling.scheduler import SchedulePlan, ScrapeScheduler
from overround.scraping.enabled_bookmakers import EnabledBookmakers
from overround.scraping.event_coordinator import EventCoordinator, ScrapeContext
from overround.scraping.event_scrape import Source
from overround.scraping.linking import ListingLinker
from overround.scraping.on_demand import ScrapeController
from overround.scraping.rewriting import StateRewriter
from overround.scraping.runs import RunBook
from overround.scraping.start_up import CatchUp, WarmUp
from overround.settings import Settings
from overround.storage.ack_log import AckLog
from overround.storage.announcing import AnnouncingHandler
from overround.storage.attempts import Backoff
from overround.storage.dead_letters import DeadLetters
from overround.storage.draining import drain_former
from overround.storage.held_rows import HeldRows
from overround.storage.holding import Holds
from overround.storage.journal.disk import LocalDisk, refuse_unreadable
from overround.storage.journal.memory import MemoryJournal
from overround.storage.journal.segmented import SegmentedJournal
from overround.storage.watermarks import Watermarks
from overround.storage.write_handler import InlineWriter, PostgresWriteHandler
from overround.storage.write_queue import AsyncWriteQueue
from overround.streaming.hub import StreamHub
from overround.streaming.progress import ProgressHub
from overround.upkeep.integrity import IntegrityCheck
from overround.upkeep.maintenance import Maintenance

Queue = AsyncWriteQueue[AsyncEngine]
BeforeCycle = Callable[[], Awaitable[None]]

_LOOK = timedelta(seconds=1)
_MAINTENANCE = timedelta(hours=1)
_RUNS_REMEMBERED = 200
_LANDING_SECONDS = 3.0  # for the answers under way when the service is told to stop: a slow one takes as long

_log = structlog.get_logger(__name__)


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """A database; once `ready` is set it is migrated and knows our bookmakers."""

    engine: AsyncEngine
    repository: PostgresWarmupRepository
    facts: FactsRepository
    links: PostgresLinkRepository
    keys: KeyRing
    overrides: PostgresOverrides
    history: HistoryRepository
    ownership: Ownership
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
    held_rows: HeldRows
    warm: asyncio.Event
    catch_up: CatchUp
    maintenance: Maintenance
    clock_watch: ClockWatch
    integrity: IntegrityCheck
    coverage: CoverageBook
    fetchers: Mapping[str, HttpFetcher]
    roster: EnabledBookmakers
    live: LiveSettings
    stream: StreamHub
    descriptors: DescriptorRoom


class Jobs(msgspec.Struct, kw_only=True):
    """What the scheduler's jobs work on."""

    write_queue: WriteQueue | None
    odds_cache: OddsCache
    control: ScrapeControl


@asynccontextmanager
async def database_address(settings: Settings, *, ephemeral: bool = False, shared: bool = False) -> AsyncIterator[str]:
    """Yield the address of the settings' database; without one, run the embedded server meanwhile.

    `ephemeral`: the embedded server's files go with it. `shared`: one that another process runs will do.

    Raises:
        DatabaseUnavailableError: it cannot be started.
    """
    if settings.database_url is not None:
        yield settings.database_url
        return
    place = settings.data_dir
    server = shared_postgres(place) if shared else running_postgres(place, ephemeral=ephemeral)
    async with server as url:
        yield url


@asynccontextmanager
async def running_database(
    settings: Settings, *, ephemeral: bool = False, standby: bool = False
) -> AsyncIterator[Database]:
    """Own the settings' database and bring it up to date; one that is away is waited for in the background.

    `standby`: wait first, for as long as another service owns it.

    Raises:
        OwnedElsewhereError: another service owns the database.
        DatabaseUnavailableError: the embedded server cannot be started.
        BookmakerMismatchError: the database numbers its bookmakers otherwise.
        JournalUnreadableError: the journal, which is opened later, is not ours to read.
    """
    refuse_unreadable(settings.journal_dir)
    bookmakers = load_bookmakers()
    async with database_address(settings, ephemeral=ephemeral) as url:
        engine = create_engine(url, "overround")
        numbers = {one.number: (one.slug, one.name) for one in bookmakers.values()}
        ownership = Ownership(url, Holder.here(settings.data_dir), SystemClock())
        preparation = Preparation(url, engine, numbers, ownership)
        keys = KeyRing(PostgresKeyRepository(engine), preparation.ready, SystemClock())
        try:
            async with ownership.kept(), AsyncExitStack() as stack:
                if standby:
                    await ownership.wait_and_take()
                await stack.enter_async_context(preparation.kept_up(SystemClock()))
                await stack.enter_async_context(keys.kept_fresh())
                yield Database(
                    engine=engine,
                    repository=PostgresWarmupRepository(engine, bookmakers.keys()),
                    facts=FactsRepository(engine),
                    links=PostgresLinkRepository(engine),
                    keys=keys,
                    overrides=PostgresOverrides(engine),
                    history=HistoryRepository(engine),
                    ownership=ownership,
                    ready=preparation.ready,
                )
        finally:
            await engine.dispose()


@asynccontextmanager
async def running_service(
    settings: Settings, database: Database, clock: Clock | None = None, before_cycle: BeforeCycle | None = None
) -> AsyncIterator[Service]:
    """Start everything on a database, with what was changed over the settings; stopping is starting reversed.

    `before_cycle` is awaited before each scheduled cycle.

    Raises:
        SettingsError: the settings name a bookmaker that is not installed.
    """
    bookmakers, clock = load_bookmakers(), clock or SystemClock()
    live = LiveSettings(settings, bookmakers, database.overrides, database.ready, clock)
    settings = await live.load()
    async with _started_service(settings, database, clock, before_cycle, live) as service, live.applied_to(service):
        yield service


@asynccontextmanager
async def _started_service(
    settings: Settings, database: Database, clock: Clock, before_cycle: BeforeCycle | None, live: LiveSettings
) -> AsyncIterator[Service]:
    bookmakers = load_bookmakers()
    options = _options_with_reference(settings, bookmakers)
    parts = _Parts(settings, database, clock)
    descriptors = _descriptor_room(settings, options.values())
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session(settings.user_agent, connections=descriptors.fetches))
        roster = parts.roster(bookmakers, options, session)
        context = parts.context(roster)
        path = await stack.enter_async_context(parts.write_path(context))
        coordinator = EventCoordinator.from_settings(settings, context, path.queue, path.inline)
        await stack.enter_async_context(_caught_up(path, coordinator, context))
        held_rows = await stack.enter_async_context(parts.kept_held_rows(context.cache, path.warm))
        permit = database.ownership.raise_if_elsewhere
        control = ScrapeController(coordinator, context, settings.scraping.on_demand_cool_down, path.catch_up, permit)
        stack.push_async_callback(control.stop, _LANDING_SECONDS)
        stack.callback(parts.stop_asking)
        maintenance, integrity = parts.maintenance(), parts.integrity(context, path)
        scheduler = _scheduler(settings, path.queue, context, control, before_cycle)
        clock_watch = parts.watch_owner(scheduler, control, context.cache)
        _upkeep(scheduler, maintenance, integrity)
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
            write_queue=path.queue,
            dead_letters=parts.dead_letters(path.queue, path.inline),
            held_rows=held_rows,
            warm=path.warm,
            catch_up=path.catch_up,
            maintenance=maintenance,
            clock_watch=clock_watch,
            integrity=integrity,
            coverage=parts.coverage,
            fetchers=parts.fetchers,
            roster=roster,
            live=live,
            stream=parts.stream,
            descriptors=descriptors,
        )


@asynccontextmanager
async def _caught_up(path: "_WritePath", coordinator: EventCoordinator, context: ScrapeContext) -> AsyncIterator[None]:
    """Take over what the journal has, and write again what the database loses."""
    rewriter = StateRewriter(context, coordinator.store, path.lost)
    async with path.catch_up.running(coordinator.close_open_runs), rewriter.running():
        yield


def _descriptor_room(settings: Settings, options: Iterable[BookmakerOptions]) -> DescriptorRoom:
    """Raise the limit on open files, and share them out; the log says how."""
    soft, hard = raise_descriptor_limit()
    fetches = sum(one.concurrency for one in options)
    room = shared_out(soft, hard, journal_bytes=settings.queue.max_bytes, fetches=fetches)
    _log.info("descriptors_shared_out", **msgspec.structs.asdict(room))
    return room


class _WritePath(msgspec.Struct, frozen=True, kw_only=True):
    """The way to the database: the queue or, without one, the inline writer; and how far the cache is filled."""

    warm: asyncio.Event
    catch_up: CatchUp
    lost: asyncio.Event
    queue: Queue | None = None
    inline: InlineWriter | None = None


class _Parts:
    """Builds what several parts of a service share."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._catalogue = load_catalogue(settings.mapping_file)
        bookmakers = load_bookmakers()
        refuse_unknown_bookmakers(self._catalogue, bookmakers)
        self.holds = Holds(clock)
        self.coverage = CoverageBook()
        self.fetchers: dict[str, HttpFetcher] = {}
        self._database = database
        self._book = EventRegister()
        self.stream = StreamHub(self._book, clock)
        self._numbers = {one.slug: one.number for one in bookmakers.values()}

    def context(self, sources: Mapping[str, Source]) -> ScrapeContext:
        return ScrapeContext(
            sources=sources,
            cache=OddsCache(),
            book=self._book,
            runs=RunBook(self._clock, _RUNS_REMEMBERED),
            catalogue=self._catalogue,
            clock=self._clock,
            progress=ProgressHub(),
            stream=self.stream,
        )

    def roster(
        self, bookmakers: Mapping[str, Bookmaker], options: Mapping[str, BookmakerOptions], session: ClientSession
    ) -> EnabledBookmakers:
        everyone = {slug: self.source(bookmakers[slug], one, session) for slug, one in options.items()}
        return EnabledBookmakers(everyone, [slug for slug, one in options.items() if one.enabled], self.holds.full)

    def warm_up(self, context: ScrapeContext, caught_up: asyncio.Event) -> WarmUp:
        database, grace = self._database, self._settings.scraping.eviction_grace
        return WarmUp(
            database.ready,
            database.repository,
            database.links,
            context,
            grace,
            _RUNS_REMEMBERED,
            caught_up,
            is_whole=lambda: not database.ownership.inherits,
        )

    def source(self, bookmaker: Bookmaker, options: BookmakerOptions, session: ClientSession) -> Source:
        scraping = self._settings.scraping
        bodies = UnchangedBodies(bookmaker.normaliser(self._catalogue))
        fetcher = HttpFetcher(
            bookmaker.slug,
            options=options,
            session=session,
            clock=self._clock,
            retry=RetryPolicy(attempts=scraping.max_attempts, base=scraping.retry_base, cap=scraping.retry_cap),
            max_bytes=scraping.max_response_bytes,
            known=bodies.known,
        )
        self.fetchers[bookmaker.slug] = fetcher
        return Source(
            slug=bookmaker.slug,
            client=bookmaker.client(fetcher, options, self._clock),
            reader=RecordingReader(WatchedReader(bodies, fetcher.statistics), self.coverage),
        )

    def handler(self, engine: AsyncEngine) -> PostgresWriteHandler:
        return PostgresWriteHandler(
            engine,
            catalogue=self._catalogue,
            bookmaker_numbers=self._numbers,
            clock=self._clock,
            fence=self._database.ownership.hold,
            holds=self.holds,
        )

    @asynccontextmanager
    async def kept_held_rows(self, cache: OddsCache, warm: asyncio.Event) -> AsyncIterator[HeldRows]:
        """Run the keeper of held rows; the cache hears of states that the database does not get."""
        held_rows = HeldRows(
            self._database.engine,
            self._catalogue,
            self._numbers,
            self._clock,
            self.holds,
            self._database.ownership.hold,
        )
        held_rows.on_missed = cache.unaccept
        held_rows.on_forgotten = cache.unaccept_all
        async with held_rows.kept(warm):
            yield held_rows

    def stop_asking(self) -> None:
        """Let no bookmaker be asked from now on."""
        for fetcher in self.fetchers.values():
            fetcher.stop_asking()

    def watch_owner(self, scheduler: ScrapeScheduler, control: ScrapeController, cache: OddsCache) -> ClockWatch:
        """Let the renewals of the ownership compare clocks and name drained states; end what another is to scrape."""
        watch = ClockWatch(SystemClock())  # the machine's, whatever date the service's clock shows
        ownership, slugs = self._database.ownership, {number: slug for slug, number in self._numbers.items()}
        ownership.on_renewed(watch.compare)
        ownership.on_drained(lambda sr_id, number: cache.unaccept(sr_id, slugs.get(number, "")))
        scheduler.every(_LOOK, watch.look, "clock-watch")
        scheduler.every(_LOOK, control.stop_without_permit, "ownership-look")
        return watch

    def maintenance(self) -> Maintenance:
        database = self._database
        keep = self._settings.retention.model_dump()
        return Maintenance(database.engine, database.ready, self._clock, keep, database.ownership.hold)

    def integrity(self, context: ScrapeContext, path: "_WritePath") -> IntegrityCheck:
        cache, book, repository = context.cache, context.book, self._database.repository
        return IntegrityCheck(cache, book, repository, self._catalogue, self._clock, path.queue, path.catch_up)

    def linker(self, coordinator: EventCoordinator, context: ScrapeContext) -> ListingLinker:
        return ListingLinker(coordinator, context.book, self._database.links, self._clock)

    def inline_writer(self) -> InlineWriter:
        writer = InlineWriter(self.handler(self._database.engine))
        self.stream.begin(writer.generation)
        return writer

    def dead_letters(self, write_queue: Queue | None, inline: InlineWriter | None) -> DeadLetters:
        async def submit(batch: WriteBatch) -> None:
            if write_queue is not None:
                await write_queue.enqueue(batch)
            elif inline is not None:
                await inline.write(batch)

        return DeadLetters(DeadLetterRepository(self._database.engine), submit)

    def _journal(self) -> Journal:
        """Return the journal of the settings; it goes by the machine's clock, whatever the service's shows."""
        options = self._settings.queue
        if options.journal == "memory":
            return MemoryJournal(SystemClock(), options.max_bytes)
        disk = LocalDisk(self._settings.journal_dir)
        return SegmentedJournal(disk, SystemClock(), max_bytes=options.max_bytes)

    @asynccontextmanager
    async def write_path(self, context: ScrapeContext) -> AsyncIterator["_WritePath"]:
        """Own the journal before anything is read from the database: nobody writes there from then on but the queue."""
        caught_up = asyncio.Event()
        warm_up = self.warm_up(context, caught_up)
        if not self._settings.asynchronous_writes:
            nothing = CatchUp(MemoryJournal(self._clock, 0), context, caught_up)
            async with warm_up.running():
                yield _WritePath(warm=warm_up.done, catch_up=nothing, inline=self.inline_writer(), lost=asyncio.Event())
            return
        lost = asyncio.Event()
        async with self.opened_journal(lost) as (journal, watermarks), warm_up.running():
            catch_up = CatchUp(journal, context, caught_up, watermarks.epochs)
            async with self.running_queue(journal, watermarks, context) as queue:
                yield _WritePath(warm=warm_up.done, catch_up=catch_up, queue=queue, lost=lost)

    @asynccontextmanager
    async def opened_journal(self, lost: asyncio.Event) -> AsyncIterator[tuple[Journal, Watermarks]]:
        """Own the journal; what the database does not have for certain is kept until the cache has caught up."""
        database, journal = self._database, self._journal()
        await journal.open()
        try:
            watermarks = Watermarks(journal, self.handler(database.engine), SystemClock(), lost.set)
            await watermarks.recall()
            position = await (watermarks.look() if database.ready.is_set() else watermarks.remembered())
            await journal.release(position)
            await journal.keep(position)
            self.stream.begin(journal.generation)
            yield journal, watermarks
        finally:
            await journal.close()

    @asynccontextmanager
    async def running_queue(
        self, journal: Journal, watermarks: Watermarks, context: ScrapeContext
    ) -> AsyncIterator[Queue]:
        options = self._settings.queue
        queue = AsyncWriteQueue(
            session_factory=self._database.engine,
            journal=journal,
            handler=self.handler,
            clock=self._clock,
            maxsize=options.read_ahead,
            backoff=Backoff(base=options.retry_base.total_seconds(), cap=options.retry_cap.total_seconds()),
            on_missed=context.cache.unaccept,
        )
        queue.count_held(self.holds)
        with ExitStack() as stack:
            if options.ack_log is not None:
                log = stack.enter_context(closing(AckLog(options.ack_log)))
                queue.on_accepted(log.note)
            await queue.start(watermarks)
            try:
                yield queue
            finally:
                await queue.stop(options.stop_deadline.total_seconds())
                self._database.ownership.left_behind = journal.stats().pending > 0


async def drain_journal(settings: Settings, data_dir: Path) -> int:
    """Write to the settings' database what a former service journalled in `data_dir`; return the number of batches.

    A service may own the database meanwhile: it hears of what is written.

    Raises:
        JournalLockedError: the service that owns the journal still lives.
        DatabaseUnavailableError: the database does not answer, or is not of this release.
    """
    catalogue, bookmakers = load_catalogue(settings.mapping_file), load_bookmakers()
    numbers = {one.slug: one.number for one in bookmakers.values()}
    journal = SegmentedJournal(LocalDisk(data_dir / "journal"), SystemClock(), max_bytes=settings.queue.max_bytes)
    async with (
        database_address(settings, shared=True) as url,
        disposed(create_engine(url, "overround drain")) as engine,
    ):
        await require_head(engine)
        handler = AnnouncingHandler(engine, catalogue, numbers, SystemClock(), fence=beside_owner)
        await journal.open()
        try:
            return await drain_former(journal, handler)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, SQLAlchemyError) as error:
            raise DatabaseUnavailableError(f"the database does not answer: {error}") from error
        finally:
            await journal.close()


def _options_with_reference(settings: Settings, bookmakers: Mapping[str, Bookmaker]) -> Mapping[str, BookmakerOptions]:
    options = configured_options(bookmakers, settings.bookmakers)
    if settings.reference not in options:
        raise SettingsError(f"the reference {settings.reference!r} is not installed: there are {', '.join(options)}")
    return options


def _upkeep(scheduler: ScrapeScheduler, maintenance: Maintenance, integrity: IntegrityCheck) -> None:
    for job, name in ((maintenance.run, "maintenance"), (integrity.run_quietly, "integrity")):
        scheduler.every(_MAINTENANCE, job, name)


def _scheduler(
    settings: Settings,
    queue: Queue | None,
    context: ScrapeContext,
    control: ScrapeController,
    before_cycle: BeforeCycle | None,
) -> ScrapeScheduler:
    """Return the running scheduler; it starts cycles by itself unless the settings say otherwise."""
    jobs = Jobs(write_queue=queue, odds_cache=context.cache, control=control)
    scheduler = ScrapeScheduler(SchedulePlan.of(settings.schedule), jobs, context.clock, before_cycle)
    scheduler.start(cycles=settings.schedule.enabled)
    return scheduler
