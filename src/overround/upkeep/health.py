"""The rules by which the service says that something is not well: pure, and shared by API and command line.

A rule has a code, and yields findings from facts. To add one: a field of `Facts` whose default means health, a
function that yields findings, and a line of `RULES`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from overround.ports import Clock
from overround.records.writing import FillState, QueueStats, WriterState

STALE_SECONDS: Final = 900.0  # as the alert rule OverroundPricesStale
SILENT_SECONDS: Final = 5.0
"""Age from which a connection without a whole request counts as silent."""

_MANY_SILENT: Final = 50
_UNANSWERED_SECONDS: Final = 5.0
_RECENT: Final = timedelta(seconds=30)
_LONG_SHOWN: Final = timedelta(hours=1)
_FORGOTTEN_SHOWN: Final = timedelta(minutes=10)


class Severity(StrEnum):
    """How urgent it is: critical are faults that keep prices from being served, stored or right."""

    WARNING = "warning"
    CRITICAL = "critical"


class Effect(StrEnum):
    """How far a reason goes: up to the answer of `/health/ready`, or not so far."""

    NOT_READY = "not_ready"  # 503: prices are not served, or not journalled
    DEGRADED = "degraded"  # 200 with the reason: prices are served and journalled, and something is wrong
    NOTICE = "notice"  # shown among the alerts alone


class HealthFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not well; `bookmaker` is a slug, `since` None where only the first look at it is known."""

    text: str
    bookmaker: str = ""
    since: datetime | None = None


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """A finding with its rule's code and effect; (code, bookmaker) stands once in a list."""

    code: str
    text: str
    effect: Effect
    severity: Severity
    since: datetime
    bookmaker: str = ""


class RecoveryFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How far the cache has taken over the journal: percent, and batches read of those that it held."""

    percent: int
    batches: int
    batches_read: int


class ConnectionFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The connections of clients: open at present, and what became of others since the start.

    `silent` have sent no whole request for `SILENT_SECONDS`. `refused` were closed at once, because `most` were open;
    `crowded_at` is when that happened last. `timed_out` were closed for their silence. `accept_error` says why the
    newest connection could not be accepted, and is empty where it could.
    """

    most: int = 0
    open: int = 0
    silent: int = 0
    refused: int = 0
    crowded_at: datetime | None = None
    timed_out: int = 0
    accept_error: str = ""


class BookmakerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """How one bookmaker stands.

    `stale_seconds` is the age of its newest prices, 0 where nothing is known of them. `replaced` counts characters
    that no text can hold, `replaced_at` is None unless that was within one polling interval.
    """

    slug: str
    name: str
    left_alone: bool = False
    stale_seconds: float = 0.0
    replaced: int = 0
    replaced_at: datetime | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the rules look at; every default means health."""

    now: datetime
    recovery: RecoveryFacts | None = None
    database_ready: bool = True
    other_owner: str = ""
    clock_fault: str = ""
    retention_waits: Sequence[str] = ()
    warm: bool = True
    partitions_short: bool = False
    queue: QueueStats | None = None
    lost_markets: int = 0
    extra_markets: int = 0
    connections: ConnectionFigures = ConnectionFigures()
    bookmakers: Sequence[BookmakerFacts] = ()


class HealthRule(msgspec.Struct, frozen=True):
    """A rule; `part` is the part of the service that it is about, `remedy` the advice that goes with it."""

    code: str
    effect: Effect
    severity: Severity
    part: str
    remedy: str
    find: Callable[[Facts], Iterator[HealthFinding]]


class HealthBook:
    """Applies the rules, and remembers since when each reason is there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[tuple[str, str], datetime] = {}

    def reasons(self, facts: Facts) -> list[Reason]:
        """Return all that is not well, the most urgent first."""
        found = [(rule, finding) for rule in RULES for finding in rule.find(facts)]
        now = self._clock.now()
        self._since = {
            key: finding.since or self._since.get(key, now)
            for rule, finding in found
            for key in [(rule.code, finding.bookmaker)]
        }
        return [
            Reason(
                code=rule.code,
                text=finding.text,
                effect=rule.effect,
                severity=rule.severity,
                since=self._since[rule.code, finding.bookmaker],
                bookmaker=finding.bookmaker,
            )
            for rule, finding in found
        ]


def _recovering(facts: Facts) -> Iterator[HealthFinding]:
    progress = facts.recovery
    if progress is not None:
        batches = f"{progress.batches_read} of {progress.batches} batches read"
        yield HealthFinding(text=f"the cache takes over the journal: {progress.percent} %, {batches}")


def _owned_elsewhere(facts: Facts) -> Iterator[HealthFinding]:
    if facts.other_owner:
        rest = "this one fetches nothing, and keeps its journal until that one ends"
        yield HealthFinding(text=f"another service owns the database: {facts.other_owner}; {rest}")


def _clock_stepped(facts: Facts) -> Iterator[HealthFinding]:
    if facts.clock_fault:
        yield HealthFinding(
            text=f"{facts.clock_fault}: times that people read may be wrong; order, ages and schedule are not"
        )


def _retention_waits(facts: Facts) -> Iterator[HealthFinding]:
    if facts.retention_waits:
        text = "partitions are old by the clock, but not by the time that the service has run"
        yield HealthFinding(text=f"{len(facts.retention_waits)} {text}: {', '.join(facts.retention_waits)}")


def _database_away(facts: Facts) -> Iterator[HealthFinding]:
    if not facts.database_ready and not facts.other_owner:
        yield HealthFinding(text="the database is away: prices are journalled until it returns")


def _cache_filling(facts: Facts) -> Iterator[HealthFinding]:
    if facts.database_ready and not facts.warm:
        yield HealthFinding(text="the cache is being filled from the database")


def _queue_stopped(facts: Facts) -> Iterator[HealthFinding]:
    if facts.queue is not None and not facts.queue.running:
        yield HealthFinding(text="the write queue is not running")


def _journal_refused(facts: Facts) -> Iterator[HealthFinding]:
    if facts.queue is not None and facts.queue.journal_error:
        yield HealthFinding(text=f"the journal's disk refuses writes: {facts.queue.journal_error}")


def _journal_full(facts: Facts) -> Iterator[HealthFinding]:
    if facts.queue is not None and facts.queue.fill is FillState.WAITING:
        yield HealthFinding(text="the journal is full: new prices wait in memory until there is room")


def _journal_fills(facts: Facts) -> Iterator[HealthFinding]:
    if facts.queue is not None and facts.queue.fill is FillState.SLOW:
        yield HealthFinding(text=f"the journal is {facts.queue.fill_percent} % full: scraping is slow")


def _partitions_short(facts: Facts) -> Iterator[HealthFinding]:
    if facts.partitions_short:
        yield HealthFinding(text="fewer than two partitions are there for the time to come: maintenance fails")


def _writes_fail(facts: Facts) -> Iterator[HealthFinding]:
    if facts.queue is not None and facts.queue.last_error:
        text = f"the database does not take writes: {facts.queue.last_error}"
        yield HealthFinding(text=text, since=facts.queue.state_since)


def _writer_paused(facts: Facts) -> Iterator[HealthFinding]:
    if facts.queue is not None and facts.queue.state is WriterState.BREAKER_OPEN:
        yield HealthFinding(text=f"the writer is paused: {facts.queue.state_reason}", since=facts.queue.state_since)


def _database_silent(facts: Facts) -> Iterator[HealthFinding]:
    stats = facts.queue
    if stats is not None and stats.pending and stats.unanswered_seconds >= _UNANSWERED_SECONDS:
        seconds = stats.unanswered_seconds
        text = f"the database has not answered for {seconds:.0f} s, while {stats.pending} batches wait"
        yield HealthFinding(text=text, since=facts.now - timedelta(seconds=seconds))


def _integrity_broken(facts: Facts) -> Iterator[HealthFinding]:
    if facts.lost_markets or facts.extra_markets:
        text = f"cache and database differ: {facts.lost_markets} markets lost, {facts.extra_markets} extra"
        yield HealthFinding(text=text)


def _journal_unread(facts: Facts) -> Iterator[HealthFinding]:
    if facts.queue is not None and facts.queue.journal_read_error:
        yield HealthFinding(text=f"the journal cannot be read: {facts.queue.journal_read_error}")


def _journal_restored(facts: Facts) -> Iterator[HealthFinding]:
    stats = facts.queue
    if stats is not None and stats.restored_at is not None and facts.now - stats.restored_at < _LONG_SHOWN:
        text = f"{stats.restored_files} files of the journal were unlinked or replaced, and copied back"
        yield HealthFinding(text=text, since=stats.restored_at)


def _journal_damaged(facts: Facts) -> Iterator[HealthFinding]:
    stats = facts.queue
    if stats is not None and (stats.damaged_frames or stats.damaged_files):
        files = f"; {stats.damaged_files} damaged files are put away" if stats.damaged_files else ""
        yield HealthFinding(text=f"{stats.damaged_frames} damaged frames were found in the journal{files}")


def _watermark_went_back(facts: Facts) -> Iterator[HealthFinding]:
    stats = facts.queue
    if stats is not None and stats.went_back_at is not None and facts.now - stats.went_back_at < _FORGOTTEN_SHOWN:
        text = "the database had forgotten what it had confirmed; what the journal has of it is written again"
        yield HealthFinding(text=text, since=stats.went_back_at)


def _history_gaps(facts: Facts) -> Iterator[HealthFinding]:
    stats = facts.queue
    if stats is not None and stats.open_gaps:
        yield HealthFinding(
            text=f"the database forgot {stats.open_gaps} stretches of the history that no journal has any more"
        )


def _rows_held(facts: Facts) -> Iterator[HealthFinding]:
    for held in facts.queue.held if facts.queue is not None else ():
        name = _name(facts, held.bookmaker)
        full = "; there is no room for more, so it is not polled" if held.full else ""
        state = f"SQLSTATE {held.sqlstate}, " if held.sqlstate else ""
        text = f"{name}: {held.rows} batches are held back ({state}{held.sample}){full}"
        yield HealthFinding(text=text, bookmaker=held.bookmaker, since=held.since)


def _texts_cleaned(facts: Facts) -> Iterator[HealthFinding]:
    for one in facts.bookmakers:
        if one.replaced_at is not None:
            text = f"{one.name} sends characters that no text can hold: {one.replaced} were replaced since the start"
            yield HealthFinding(text=text, bookmaker=one.slug)


def _connections_crowded(facts: Facts) -> Iterator[HealthFinding]:
    book = facts.connections
    if book.crowded_at is not None and facts.now - book.crowded_at < _RECENT:
        yield HealthFinding(text=f"as many connections are open as there may be, {book.most}: others are closed")


def _connections_silent(facts: Facts) -> Iterator[HealthFinding]:
    if facts.connections.silent >= _MANY_SILENT:
        yield HealthFinding(text=f"{facts.connections.silent} connections have sent no whole request for some seconds")


def _accept_failed(facts: Facts) -> Iterator[HealthFinding]:
    if facts.connections.accept_error:
        yield HealthFinding(text=f"connections cannot be accepted: {facts.connections.accept_error}")


def _left_alone(facts: Facts) -> Iterator[HealthFinding]:
    for one in facts.bookmakers:
        if one.left_alone:
            yield HealthFinding(text=f"only probed, since so much failed: {one.name}", bookmaker=one.slug)


def _prices_stale(facts: Facts) -> Iterator[HealthFinding]:
    for one in facts.bookmakers:
        if one.stale_seconds > STALE_SECONDS:
            text = f"no prices for more than {STALE_SECONDS / 60:.0f} minutes: {one.name}"
            yield HealthFinding(text=text, bookmaker=one.slug)


def _dead_letters(facts: Facts) -> Iterator[HealthFinding]:
    if facts.queue is not None and facts.queue.dead_lettered:
        count = facts.queue.dead_lettered
        yield HealthFinding(text=f"the database could not take {count} units since the start: they are dead letters")


def _name(facts: Facts, slug: str) -> str:
    return next((one.name for one in facts.bookmakers if one.slug == slug), slug)


_NOT_READY, _DEGRADED, _NOTICE = Effect.NOT_READY, Effect.DEGRADED, Effect.NOTICE
_CRITICAL, _WARNING = Severity.CRITICAL, Severity.WARNING

RULES: Final[Sequence[HealthRule]] = (
    HealthRule("recovering", _NOT_READY, _CRITICAL, "cache", "wait: it says how far it is", _recovering),
    HealthRule(
        "database_away",
        _NOT_READY,
        _CRITICAL,
        "database",
        "bring PostgreSQL back: what waits is written by itself",
        _database_away,
    ),
    HealthRule("cache_filling", _NOT_READY, _CRITICAL, "cache", "wait: it takes seconds", _cache_filling),
    HealthRule("queue_stopped", _NOT_READY, _CRITICAL, "writer", "restart the service", _queue_stopped),
    HealthRule(
        "journal_refused",
        _NOT_READY,
        _CRITICAL,
        "journal",
        "free space on the journal's disk: it resumes by itself",
        _journal_refused,
    ),
    HealthRule(
        "journal_full",
        _NOT_READY,
        _CRITICAL,
        "journal",
        "bring the database back, or raise OVERROUND_QUEUE__MAX_BYTES and restart",
        _journal_full,
    ),
    HealthRule(
        "journal_fills",
        _DEGRADED,
        _CRITICAL,
        "journal",
        "bring the database back, or raise OVERROUND_QUEUE__MAX_BYTES and restart",
        _journal_fills,
    ),
    HealthRule(
        "owned_elsewhere",
        _NOT_READY,
        _CRITICAL,
        "database",
        "stop one of the two; `overround queue drain` writes the journal of the one that ended",
        _owned_elsewhere,
    ),
    HealthRule(
        "clock_stepped",
        _DEGRADED,
        _WARNING,
        "clock",
        "set the machine's clock right, and let NTP keep it; it is shown for ten minutes after that",
        _clock_stepped,
    ),
    HealthRule(
        "retention_waits",
        _DEGRADED,
        _WARNING,
        "database",
        "check the clock; if it is right, `overround db retain --until DATE` drops them",
        _retention_waits,
    ),
    HealthRule(
        "partitions_short",
        _DEGRADED,
        _CRITICAL,
        "database",
        "look for maintenance_failed in the log",
        _partitions_short,
    ),
    HealthRule(
        "writes_fail",
        _DEGRADED,
        _CRITICAL,
        "writer",
        "look at last_error of `overround queue status`; it is tried again by itself",
        _writes_fail,
    ),
    HealthRule(
        "writer_paused",
        _DEGRADED,
        _CRITICAL,
        "writer",
        "`overround db upgrade`, or a release that is mended; nothing is dropped meanwhile",
        _writer_paused,
    ),
    HealthRule(
        "database_silent",
        _DEGRADED,
        _CRITICAL,
        "database",
        "look at the server: it is reached and does not answer; prices are journalled meanwhile",
        _database_silent,
    ),
    HealthRule(
        "journal_unread",
        _DEGRADED,
        _CRITICAL,
        "journal",
        "look at the journal's disk: it is read again without end, and nothing is forgotten",
        _journal_unread,
    ),
    HealthRule(
        "watermark_went_back",
        _DEGRADED,
        _CRITICAL,
        "database",
        "find out why PostgreSQL forgot: an older copy, a promoted standby, a disk that it does not wait for",
        _watermark_went_back,
    ),
    HealthRule(
        "history_gaps",
        _DEGRADED,
        _CRITICAL,
        "database",
        "overround db gaps shows what the history lacks, --acknowledge ends the alarm",
        _history_gaps,
    ),
    HealthRule(
        "journal_restored",
        _DEGRADED,
        _CRITICAL,
        "journal",
        "find out who deletes or replaces files of the journal",
        _journal_restored,
    ),
    HealthRule(
        "integrity_broken", _DEGRADED, _CRITICAL, "integrity", "report it: this must not happen", _integrity_broken
    ),
    HealthRule(
        "journal_damaged",
        _DEGRADED,
        _CRITICAL,
        "journal",
        "look at the disk; the log names file and place; then `overround queue clear-damaged`",
        _journal_damaged,
    ),
    HealthRule(
        "rows_held",
        _DEGRADED,
        _CRITICAL,
        "held_rows",
        "`overround queue held`; they are written by themselves once the cause is mended; or retry or drop them",
        _rows_held,
    ),
    HealthRule(
        "connections_crowded",
        _DEGRADED,
        _WARNING,
        "connections",
        "look for a client that opens connections and leaves them; or raise the limit on open files",
        _connections_crowded,
    ),
    HealthRule(
        "connections_silent",
        _DEGRADED,
        _WARNING,
        "connections",
        "look for a client that opens connections and sends nothing: each is closed after 15 s",
        _connections_silent,
    ),
    HealthRule(
        "accept_failed",
        _DEGRADED,
        _WARNING,
        "connections",
        "look at the limits on open files and memory: it is tried again by itself",
        _accept_failed,
    ),
    HealthRule(
        "texts_cleaned",
        _DEGRADED,
        _WARNING,
        "bookmakers",
        "tell the bookmaker: its prices are taken, a character of its names is replaced by U+FFFD",
        _texts_cleaned,
    ),
    HealthRule(
        "bookmaker_left_alone",
        _NOTICE,
        _WARNING,
        "bookmakers",
        "look at last_error of GET /api/bookmakers; it closes with the first answer",
        _left_alone,
    ),
    HealthRule(
        "prices_stale",
        _NOTICE,
        _WARNING,
        "bookmakers",
        "look at the errors of the newest runs: GET /api/scrape/runs",
        _prices_stale,
    ),
    HealthRule(
        "dead_letters",
        _NOTICE,
        _WARNING,
        "dead_letters",
        "`overround queue dead-letters`, then retry or drop them",
        _dead_letters,
    ),
)

PARTS: Final[Mapping[str, str]] = {rule.code: rule.part for rule in RULES}
REMEDIES: Final[Mapping[str, str]] = {rule.code: rule.remedy for rule in RULES}
