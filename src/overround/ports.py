"""Every Protocol on one page: what the parts of Overround ask of each other, and of plug-ins."""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from overround.catalogue import Catalogue
from overround.errors import FetchError
from overround.records.batch import RunKind, ScrapeRun, WriteBatch
from overround.records.event import DiscoveryFailure, Event, LeagueListings, Listing, ListingLink, Offer
from overround.records.odds import MarketKey, MarketPrices
from overround.records.response import Response
from overround.records.stored import LatestRow, StoredListing
from overround.records.writing import (
    Generation,
    HistoryGap,
    JournalEntry,
    JournalStats,
    QueueStats,
    StampedBatch,
    Watermark,
    WriteReport,
)


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""


# Bookmakers


class BookmakerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a bookmaker is reached; a plug-in states its defaults, the settings merge over them."""

    base_url: str
    country: str = "ng"
    enabled: bool = True
    proxy: str | None = None
    concurrency: int = 10
    min_interval_ms: int = 0
    requests_per_minute: int | None = None
    timeout: float = 20.0
    headers: Mapping[str, str] = {}


Refusal = Callable[[bytes], FetchError | None]
"""Returns the classified error that a body states, None where it states none."""


class Fetcher(Protocol):
    """HTTP for one bookmaker, within its limits; failures are the classified `FetchError`s."""

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        refusal: Refusal | None = None,
    ) -> Response:
        """Ask for a path below the bookmaker's base address; `subject` names it in errors.

        `refusal` returns the error that a body states under status 200; it counts as a status of that meaning does.
        """

    async def post(
        self,
        path: str,
        *,
        json: object,
        params: Mapping[str, str] | None = None,
        subject: str = "",
        refusal: Refusal | None = None,
    ) -> Response:
        """Send a JSON body to a path below the bookmaker's base address."""


class Normaliser(Protocol):
    """One bookmaker's wire format: bytes to catalogue markets."""

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of all catalogue markets that this mapping can produce."""

    def normalise(self, body: bytes, at: datetime) -> Offer:
        """Decode and normalise a single-event body received at `at`.

        Raises:
            FetchError: MalformedError, BlockedError (not JSON) or GoneError (the bookmaker's "no such event").
        """


class Reader(Protocol):
    """A normaliser behind which the service keeps what it has read before."""

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of all catalogue markets that the mapping can produce."""

    def read(self, response: Response) -> Offer:
        """Return what a single-event body says; raises `FetchError` as the normaliser does."""


class BookmakerClient(Protocol):
    """One bookmaker's API."""

    def discover(self, sports: Sequence[str]) -> AsyncIterator[LeagueListings | DiscoveryFailure]:
        """Yield all upcoming listings of these sports, league by league, failures included."""

    async def fetch_event(self, listing: Listing) -> Response:
        """Fetch one event with all its markets, undecoded.

        Raises:
            FetchError: the bookmaker did not answer with a body.
        """


class SimulatedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a simulated bookmaker answers to a request.

    `encoding` is "gzip" where the body is compressed already; `subject` says what the answer is about,
    in two words ("event 55", "league 17"), where it is about one thing.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    encoding: str = ""
    subject: str = ""


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A captured single-event body, and the listing it is of."""

    name: str
    body: bytes
    listing: Listing


class SimulatedBookmaker(Protocol):
    """The server's side of one bookmaker's API."""

    def answer(self, method: str, path: str, query: Mapping[str, str], body: bytes) -> SimulatedAnswer:
        """Answer a request; `path` is below the bookmaker's prefix and starts with a slash."""


class Bookmaker(Protocol):
    """A plug-in: everything about one bookmaker, registered under the entry point group `overround.bookmakers`.

    `number` is its identity in the database: one never used by another bookmaker, and never changed.
    """

    @property
    def slug(self) -> str:
        """Return the name used in settings, addresses and logs: lower case letters and digits."""

    @property
    def name(self) -> str:
        """Return the name for people."""

    @property
    def number(self) -> int:
        """Return the database id, 1 to 32767."""

    @property
    def defaults(self) -> BookmakerOptions:
        """Return how it is reached unless the settings say otherwise."""

    def normaliser(self, catalogue: Catalogue) -> Normaliser:
        """Build the normaliser for a catalogue.

        Raises:
            CatalogueError: the mapping names a market or an outcome that the catalogue does not have.
        """

    def client(self, fetcher: Fetcher, options: BookmakerOptions, clock: Clock) -> BookmakerClient:
        """Build the client."""

    def replay(self, recordings: Sequence[Recording]) -> SimulatedBookmaker:
        """Build the server's side that serves recordings byte for byte, and discovery answers derived from them."""


# The write path


class Journal(Protocol):
    """Accepted batches in order, until the database has them.

    `append` takes the batch's place in the order in its first step, before it awaits anything, and
    a cancelled `append` leaves the batch fully in or fully out. Positions grow; a restart may leave a gap.
    Each opening is a generation of its own, in which seqs count from 1.
    """

    @property
    def generation(self) -> uuid.UUID:
        """Return the identity under which the database keeps the watermark of what is appended now."""

    def generations(self) -> Sequence[Generation]:
        """Return the generations that are there in part, oldest first; the present one comes last."""

    async def open(self) -> None:
        """Take ownership, recover what an earlier process left.

        Raises:
            JournalLockedError: another process has it.
            JournalFormatError: it was written by a later release.
            JournalUnreadableError: the system does not let us read it; damage to its contents raises nothing.
            DamagedFilesError: it is damaged, and there is no more room for damaged files.
        """

    async def close(self) -> None:
        """Give up ownership; what is pending stays as durable as the implementation is."""

    async def append(self, body: bytes) -> JournalEntry:
        """Store a batch; it is as durable as the implementation promises when this returns. Waits only when full.

        Raises:
            JournalFullError: the batch alone is larger than the journal may be.
            JournalWriteError: the disk refused it; the batch is not in, the next append tries again.
            QueueClosedError: the journal is closed.
        """

    async def read(self, after: int, limit: int, *, wait: bool = True) -> Sequence[JournalEntry]:
        """Return entries of one generation that follow a position in order: up to `limit`, fewer where they are large.

        With none to return it waits for one, or returns nothing if told not to wait. Empty once closed.
        """

    async def release(self, position: int) -> None:
        """Forget all entries up to a position: the database has them. They may stay for a while all the same."""

    async def rewind(self, position: int) -> None:
        """Take back that the entries after a position were released, as far as they are still there."""

    async def first_after(self, position: int) -> int | None:
        """Return the position of the first entry behind a position that is still there, released or not."""

    async def note(self, text: bytes) -> None:
        """Keep a small text beside the entries in place of the one before; a failure is logged and no harm."""

    async def noted(self) -> bytes:
        """Return the text that was last kept; empty without one."""

    async def keep(self, after: int | None) -> None:
        """Keep the entries that follow a position to be read, released or not; None keeps nothing any longer."""

    def stats(self) -> JournalStats:
        """Return how much is pending."""


class DiskStorage(Protocol):
    """A directory with one owner. Calls block, come from one thread at a time, and fail as OSError does.

    A file is held from its first use until `remove` or `put_away`: it is read and written although
    somebody takes its name away, and `estranged` tells that this happened.
    """

    def open(self) -> None:
        """Take ownership of the directory, which is made where there is none.

        Raises:
            JournalLockedError: another process has it.
        """

    def close(self) -> None:
        """Give up ownership."""

    def names(self) -> Sequence[str]:
        """Return the names of the files."""

    def size(self, name: str) -> int:
        """Return a file's length in bytes."""

    def create(self, name: str) -> None:
        """Make an empty file; its name survives a power cut when this returns."""

    def write(self, name: str, offset: int, data: bytes) -> None:
        """Write at an offset; on failure a part may have been written."""

    def sync(self, name: str) -> None:
        """Make what was written to the file since its creation survive a power cut."""

    def truncate(self, name: str, size: int) -> None:
        """Cut a file."""

    def read(self, name: str, offset: int, size: int) -> bytes:
        """Return up to `size` bytes from an offset; fewer at the end of the file."""

    def remove(self, name: str) -> None:
        """Delete a file; after a power cut it may be back. A name that leads to another file stays."""

    def note(self, data: bytes) -> None:
        """Replace a small text that is kept beside the files; after a power cut an older one may be back."""

    def noted(self) -> bytes:
        """Return that text; empty without one."""

    def estranged(self) -> Sequence[str]:
        """Return the held files to which their names no longer lead, or which somebody cut."""

    def put_away(self, name: str) -> None:
        """Move what stands under a name, if anything does, among the damaged files; let go of the held file."""

    def damaged(self) -> Sequence[int]:
        """Return the sizes of the files that were put away, in bytes."""

    def pause(self) -> None:
        """Wait a moment before a failed read is tried again."""


class WriteHandler(Protocol):
    """Commits batches to the database, several in one transaction, with the journal's watermark."""

    async def register(self, generations: Sequence[uuid.UUID], *, late: bool = False) -> Mapping[uuid.UUID, Watermark]:
        """Give those generations that have none their number in the order of all, in the order given; return all.

        `late` ones come before the newest generation that there is.
        """

    async def watermarks(self, generations: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Watermark]:
        """Return how far the database has those generations that it knows."""

    async def write(self, generation: uuid.UUID, batches: Sequence[StampedBatch], confirmed: int = 0) -> WriteReport:
        """Commit the batches and move the watermark in one transaction; batches applied before are skipped.

        Raises:
            WatermarkWentBackError: the database says less than it `confirmed`; nothing was written.
        """

    def forget(self) -> None:
        """Believe nothing any longer about what the database has."""

    async def record_gaps(self, gaps: Sequence[HistoryGap]) -> None:
        """Record what is lost."""

    async def open_gaps(self) -> int:
        """Return how many recorded gaps nobody has acknowledged."""


class BatchWriter(Protocol):
    """Writes one batch at once, through the write handler: what stands in for the queue where there is none."""

    async def write(self, batch: WriteBatch) -> WriteReport:
        """Commit a batch; concurrent calls are served in their order."""


class WriteQueue(Protocol):
    """Where scraping hands over what changed."""

    async def enqueue(self, batch: WriteBatch) -> JournalEntry:
        """Journal a batch; takes its place in the order before it awaits anything, waits only when full.

        Raises:
            QueueClosedError: the queue is not running.
        """

    async def drain(self) -> None:
        """Wait until everything accepted so far is committed."""

    def stats(self) -> QueueStats:
        """Return counters and depth."""


# Warm-up


class WarmupRepository(Protocol):
    """What a starting service reads from the database, once."""

    def latest(self, kickoff_after: datetime) -> AsyncIterator[LatestRow]:
        """Yield the latest state of every (event, bookmaker) whose event starts after that instant."""

    async def events(self, kickoff_after: datetime) -> Sequence[Event]:
        """Return the events that start after that instant."""

    async def listings(self, kickoff_after: datetime) -> Sequence[StoredListing]:
        """Return the listings whose kick-off is after that instant."""

    async def runs(self, limit: int) -> Sequence[ScrapeRun]:
        """Return the newest scrape runs, newest first."""

    async def last_run_id(self) -> int:
        """Return the greatest run id ever written; 0 if none."""


class LinkRepository(Protocol):
    """Where links made by hand are kept; every method raises DatabaseUnavailableError where it cannot be reached."""

    async def links(self) -> Sequence[ListingLink]:
        """Return all links."""

    async def save(self, link: ListingLink) -> None:
        """Make a link, in place of one that the listing had."""

    async def remove(self, bookmaker: str, listing_id: str) -> None:
        """Undo a listing's link."""


# Progress and control


class MarketChange(msgspec.Struct, frozen=True, kw_only=True):
    """One bookmaker's market before and after a scrape."""

    bookmaker: str
    key: MarketKey
    before: MarketPrices
    after: MarketPrices


class EventScrape(msgspec.Struct, frozen=True, kw_only=True):
    """A finished scrape of one event; `shared` tells that somebody else had asked for it before."""

    run: ScrapeRun
    shared: bool
    changes: tuple[MarketChange, ...]


class ScrapeControl(Protocol):
    """Starts scrape runs; there is one cycle at a time."""

    def start_cycle(self) -> int:
        """Start a full cycle in the background and return its run id.

        Raises:
            RunInProgressError: a cycle is under way.
        """

    async def run_cycle(self, kind: RunKind = RunKind.CYCLE) -> ScrapeRun:
        """Run a cycle to its end and return the finished run.

        Raises:
            RunInProgressError: a cycle is under way.
        """

    def idle_seconds(self) -> float | None:
        """Return for how long the cycle under way has told nothing; None where there is none."""

    async def cancel_cycle(self) -> None:
        """End the cycle under way, if any, as interrupted."""

    def retry_failures(self, run_id: int) -> int:
        """Start a run over what a run did not get, in the background, and return the new run's id.

        Raises:
            UnknownRunError: there is no such run.
            NothingToRetryError: it has no failures whose events are to come.
            RunInProgressError: a cycle is under way.
        """

    async def scrape_event(self, sr_id: int) -> EventScrape:
        """Scrape one event at every bookmaker that lists it, and return what came of it.

        Raises:
            UnknownEventError: nobody lists it.
            CoolingDownError: it was scraped on demand just before.
        """

    def runs(self) -> Sequence[ScrapeRun]:
        """Return the newest runs, the one under way included, newest first."""
