"""The register of scrape runs: their ids, and how each went."""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from overround.ports import Clock
from overround.records.batch import BookmakerCounts, RunKind, RunStatus, ScrapeRun
from overround.records.odds import Dropped

_FAILURES_KEPT = 5_000  # of one run: more than that is not looked at one by one


class ScrapeFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One (event, bookmaker) that a run did not get, and why."""

    sr_id: int
    bookmaker: str
    error_class: str
    message: str
    at: datetime


class RunDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run beyond its counts, while the process lives; times in milliseconds."""

    discovery_ms: float = 0.0
    scraping_ms: float = 0.0
    storage_ms: float = 0.0
    markets_changed: int = 0
    failures: tuple[ScrapeFailure, ...] = ()


class ListFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What a bookmaker's lists held at the newest discovery, which was at `at`; see `LeagueListings` for the counts.

    `failed` counts lists that could not be had. `dropped` has what became no listing, by reason, the most frequent
    first. `counts_trusted` is False once the bookmaker's own count of a list has disagreed with it for ten discoveries.
    """

    at: datetime
    listed: int = 0
    unreadable: int = 0
    unlisted: int = 0
    failed: int = 0
    dropped: tuple[Dropped, ...] = ()
    counts_trusted: bool = True


class RunBook:
    """The newest runs by id; ids grow by one from the greatest known at start."""

    def __init__(self, clock: Clock, keep: int = 200) -> None:
        self._clock = clock
        self._keep = keep
        self._runs: OrderedDict[int, ScrapeRun] = OrderedDict()
        self._details: dict[int, RunDetail] = {}
        self._lists: Mapping[str, ListFigures] = {}
        self._last_id = 0

    def warm(self, runs: Iterable[ScrapeRun], last_id: int) -> None:
        """Take over what the database knows; `last_id` is the greatest run id ever used."""
        for run in sorted(runs, key=lambda run: run.run_id):
            self._enter(run)
        self._last_id = max(self._last_id, last_id, *self._runs)

    def close_open(self) -> Sequence[ScrapeRun]:
        """Mark the runs that are still open as interrupted, and return them."""
        open_runs = [run for run in self._runs.values() if run.status is RunStatus.RUNNING]
        now = self._clock.now()
        closed = [msgspec.structs.replace(run, status=RunStatus.INTERRUPTED, finished_at=now) for run in open_runs]
        self._runs.update((run.run_id, run) for run in closed)
        return closed

    def begin(self, kind: RunKind) -> ScrapeRun:
        """Start a run."""
        self._last_id += 1
        run = ScrapeRun(run_id=self._last_id, kind=kind, status=RunStatus.RUNNING, started_at=self._clock.now())
        self._enter(run)
        return run

    def update(self, run: ScrapeRun) -> ScrapeRun:
        """Enter a run's new state, and return it."""
        self._enter(run)
        return run

    def note(self, run_id: int, detail: RunDetail) -> None:
        """Keep what is known of a run beyond its counts, as long as the run is."""
        if run_id in self._runs:
            self._details[run_id] = detail

    def detail(self, run_id: int) -> RunDetail | None:
        """Return what is known of a run beyond its counts; None of a run of an earlier process."""
        return self._details.get(run_id)

    def note_lists(self, figures: Mapping[str, ListFigures]) -> None:
        """Keep what the newest discovery found in each bookmaker's lists."""
        self._lists = {**self._lists, **figures}

    def lists(self, bookmaker: str) -> ListFigures | None:
        """Return what the newest discovery found in a bookmaker's lists; None before the first."""
        return self._lists.get(bookmaker)

    def find(self, run_id: int) -> ScrapeRun | None:
        """Return a run, or None."""
        return self._runs.get(run_id)

    def newest(self) -> Sequence[ScrapeRun]:
        """Return the runs, newest first."""
        return tuple(reversed(self._runs.values()))

    def _enter(self, run: ScrapeRun) -> None:
        self._runs[run.run_id] = run
        while len(self._runs) > self._keep:
            dropped, _ = self._runs.popitem(last=False)
            self._details.pop(dropped, None)


class RunTally:
    """Counts a run while it goes."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}
        self.errors: Counter[str] = Counter()
        self.events = 0
        self.discovery_ms = 0.0
        self.scraping_ms = 0.0
        self.storage_ms = 0.0
        self.markets_changed = 0
        self._failures: list[ScrapeFailure] = []
        self._batches = 0

    def count(self, bookmaker: str, what: str, by: int = 1) -> None:
        """Add to one of a bookmaker's `BookmakerCounts`."""
        self._counts.setdefault(bookmaker, Counter())[what] += by

    def next_batch(self) -> int:
        """Return the index of the run's next batch, from 0."""
        self._batches += 1
        return self._batches - 1

    def fail(self, bookmaker: str, what: str, error_class: str) -> None:
        """Count a failure, by bookmaker and by class."""
        self.count(bookmaker, what)
        self.errors[error_class] += 1

    def note_failure(self, failure: ScrapeFailure) -> None:
        """Count one (event, bookmaker) that could not be had, and keep the reason."""
        self.fail(failure.bookmaker, "failed", failure.error_class)
        if len(self._failures) < _FAILURES_KEPT:
            self._failures.append(failure)

    def detail(self) -> RunDetail:
        """Return what is known so far beyond the counts."""
        return RunDetail(
            discovery_ms=round(self.discovery_ms, 1),
            scraping_ms=round(self.scraping_ms, 1),
            storage_ms=round(self.storage_ms, 1),
            markets_changed=self.markets_changed,
            failures=tuple(self._failures),
        )

    def finished(self, run: ScrapeRun, clock: Clock, status: RunStatus | None = None) -> ScrapeRun:
        """Return the run as ended now, with its counts; the status follows from them unless given."""
        counts = self.counts()
        return msgspec.structs.replace(
            run,
            status=status or self._status(counts),
            finished_at=clock.now(),
            events=self.events,
            counts=dict(counts),
            errors=dict(self.errors),
        )

    def counts(self) -> Mapping[str, BookmakerCounts]:
        """Return the counts by bookmaker."""
        return {slug: BookmakerCounts(**counter) for slug, counter in sorted(self._counts.items())}

    def _status(self, counts: Mapping[str, BookmakerCounts]) -> RunStatus:
        if not self.errors:
            return RunStatus.COMPLETED
        good = sum(one.changed + one.confirmed + one.incomplete + one.overtaken for one in counts.values())
        return RunStatus.PARTIAL if good else RunStatus.FAILED
