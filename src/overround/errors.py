"""Every error Overround raises on purpose; a class's docstring is its default message."""

from enum import StrEnum
from typing import ClassVar


class ErrorClass(StrEnum):
    """What a failed fetch means for the caller: retry it, wait, stop asking, or forget the event.

    With an open circuit nothing was sent: earlier failures stand for this one.
    """

    TRANSIENT = "transient"
    THROTTLED = "throttled"
    BLOCKED = "blocked"
    REFUSED = "refused"
    GONE = "gone"
    MALFORMED = "malformed"
    INTERNAL = "internal"
    STORAGE = "storage"
    CIRCUIT_OPEN = "circuit_open"


class OverroundError(Exception):
    """Something Overround could not do."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class SettingsError(OverroundError):
    """The settings do not fit together."""


class CatalogueError(OverroundError):
    """A market definition or a bookmaker's mapping is not valid."""


class PriceError(OverroundError, ValueError):
    """Not a decimal price."""


class LineError(OverroundError, ValueError):
    """Not a decimal line."""


class DateError(OverroundError, ValueError):
    """Not an instant of the years 2000 to 2200."""


class FetchError(OverroundError):
    """A bookmaker did not answer as it should; the bookmaker, what was asked for and the reason are named."""

    error_class: ClassVar[ErrorClass]

    def __init__(self, bookmaker: str, subject: str, reason: str) -> None:
        self.bookmaker = bookmaker
        self.subject = subject
        self.reason = reason
        super().__init__(f"{bookmaker}: {subject}: {reason}")


class TransientFetchError(FetchError):
    """The network or the bookmaker's server failed; asking again may help.

    `timed_out`: no whole answer came in time. `overloaded`: the server said that it has too much to do.
    """

    error_class = ErrorClass.TRANSIENT

    def __init__(
        self, bookmaker: str, subject: str, reason: str, *, timed_out: bool = False, overloaded: bool = False
    ) -> None:
        super().__init__(bookmaker, subject, reason)
        self.timed_out = timed_out
        self.overloaded = overloaded


class ThrottledError(FetchError):
    """The bookmaker asks for fewer requests; `retry_after` is in seconds where it said so."""

    error_class = ErrorClass.THROTTLED

    def __init__(self, bookmaker: str, subject: str, reason: str, retry_after: float | None = None) -> None:
        super().__init__(bookmaker, subject, reason)
        self.retry_after = retry_after


class BlockedError(FetchError):
    """The bookmaker refuses us (403, a challenge page, something that is not JSON): not the same as not found."""

    error_class = ErrorClass.BLOCKED


class RefusedError(FetchError):
    """The bookmaker answered, in its own words, that it does not serve this request: not the same as not found."""

    error_class = ErrorClass.REFUSED


class GoneError(FetchError):
    """The bookmaker knows no such event (any more)."""

    error_class = ErrorClass.GONE


class MalformedError(FetchError):
    """The body is JSON, but not of the shape this bookmaker sends; `field` names the place."""

    error_class = ErrorClass.MALFORMED

    def __init__(self, bookmaker: str, subject: str, reason: str, field: str = "") -> None:
        super().__init__(bookmaker, subject, f"{field}: {reason}" if field else reason)
        self.field = field


class CircuitOpenError(FetchError):
    """So many requests failed that the bookmaker is left alone for a while; nothing was sent."""

    error_class = ErrorClass.CIRCUIT_OPEN


class QueueClosedError(OverroundError):
    """The write queue does not accept batches: it has not been started, or is stopping."""


class JournalFullError(OverroundError):
    """One batch is larger than the whole journal may be."""


class JournalWriteError(OverroundError):
    """The disk did not take a batch; it is not in the journal, and a later append may succeed."""

    def __init__(self, file: str, error: OSError) -> None:
        self.file = file
        self.errno = error.errno
        super().__init__(f"journal file {file}: {error.strerror or error}")


class JournalLockedError(OverroundError):
    """Another process owns the journal; `pid` is its process id where it could be read."""

    def __init__(self, folder: str, pid: int | None = None) -> None:
        self.folder = folder
        self.pid = pid
        super().__init__(f"the journal in {folder} is in use by {f'process {pid}' if pid else 'another process'}")


class JournalFormatError(OverroundError):
    """A journal file has a format that this release does not know; nothing was changed."""

    def __init__(self, file: str, version: int) -> None:
        self.file = file
        self.version = version
        super().__init__(f"journal file {file} has format {version}, which this release does not read")


class JournalUnreadableError(OverroundError):
    """The system does not let us read the journal; nothing was changed."""

    def __init__(self, path: str, error: OSError) -> None:
        self.path = path
        self.errno = error.errno
        reason = error.strerror or str(error)
        super().__init__(
            f"the journal cannot be read: {path}: {reason}; it may hold prices that no database has, so the service"
            " does not start until the user that runs it can read and write there; nothing was changed"
        )


class DamagedFilesError(OverroundError):
    """The journal is damaged, and as many damaged files are kept as may be; nothing was changed."""

    def __init__(self, files: int, size: int) -> None:
        self.files = files
        self.size = size
        super().__init__(
            f"the journal is damaged once more, and {files} damaged files of {size / 1e6:.1f} MB are kept already:"
            " look at them, delete them with `overround queue clear-damaged`, and start again"
        )


class RunInProgressError(OverroundError):
    """A scrape run is already under way."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        super().__init__(f"scrape run {run_id} is under way")


class UnknownEventError(OverroundError):
    """No bookmaker lists this event."""

    def __init__(self, sr_id: int) -> None:
        self.sr_id = sr_id
        super().__init__(f"event {sr_id} is not known")


class UnknownMarketError(OverroundError):
    """The catalogue has no such market."""

    def __init__(self, key: str) -> None:
        self.key = key
        super().__init__(f"the catalogue has no market {key!r}")


class UnknownListingError(OverroundError):
    """No bookmaker has such a listing (any more)."""

    def __init__(self, bookmaker: str, listing_id: str) -> None:
        self.bookmaker = bookmaker
        self.listing_id = listing_id
        super().__init__(f"{bookmaker} has no listing {listing_id!r}")


class UnknownRunError(OverroundError):
    """There is no such scrape run (any more)."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        super().__init__(f"scrape run {run_id} is not known")


class RecoveringError(OverroundError):
    """The cache has not caught up yet with what an earlier process journalled; `percent` is how far it is."""

    def __init__(self, percent: int) -> None:
        self.percent = percent
        super().__init__(f"recovering: the cache takes over the journal, {percent} % done")


class NothingToRetryError(OverroundError):
    """A run had no failure whose event is still to come."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        super().__init__(f"scrape run {run_id} has no failures to retry")


class CoolingDownError(OverroundError):
    """An event was scraped on demand just before; `retry_after` is in seconds."""

    def __init__(self, sr_id: int, retry_after: float) -> None:
        self.sr_id = sr_id
        self.retry_after = retry_after
        super().__init__(f"event {sr_id} was scraped just now: again in {retry_after:.1f} s")


class TooManyStreamsError(OverroundError):
    """As many clients follow live streams as there may be."""

    def __init__(self, most: int) -> None:
        super().__init__(f"there are {most} streams already")


class DatabaseUnavailableError(OverroundError):
    """The database cannot be reached or started."""


class DatabaseInUseError(DatabaseUnavailableError):
    """Another process runs the embedded database of this data directory."""


class NotOwnerError(DatabaseUnavailableError):
    """This service does not own the database yet, and may not write to it."""


class OwnedElsewhereError(OverroundError):
    """Another service owns the database; it is named."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        super().__init__(f"another service owns this database: {holder}; stop it first, or start with --standby")


class OwnershipLostError(OverroundError):
    """Another service has taken the database over; it is named."""

    def __init__(self, holder: str) -> None:
        self.holder = holder
        text = "`overround queue drain` writes the journal that stays here"
        super().__init__(f"another service has taken the database over: {holder}; {text}")


class DumpError(OverroundError):
    """A dump could not be written or read."""


class BookmakerMismatchError(OverroundError):
    """The database numbers its bookmakers otherwise than the installed plug-ins do."""


class ContentError(OverroundError, ValueError):
    """A batch holds what the database cannot take: no retry will help."""


class DeadLetterRunError(OverroundError):
    """So much fails for its content that the fault must lie elsewhere."""


class NothingHeldError(OverroundError):
    """No rows of that bookmaker are held back."""

    def __init__(self, bookmaker: str) -> None:
        self.bookmaker = bookmaker
        super().__init__(f"no rows of {bookmaker} are held back")


class UnknownDeadLetterError(OverroundError):
    """There is no such dead letter (any more)."""

    def __init__(self, letter_id: int) -> None:
        self.letter_id = letter_id
        super().__init__(f"there is no dead letter {letter_id}")


class WatermarkWentBackError(OverroundError):
    """The database has less of a journal than it once confirmed."""

    def __init__(self, found: int, confirmed: int) -> None:
        super().__init__(f"the database has the journal up to {found}, and confirmed {confirmed}")
        self.found = found
        self.confirmed = confirmed
