"""What a scrape run tells while it goes: a closed set of notifications, and the hub that hands them on."""

import contextlib
from collections.abc import Callable, Iterator

import msgspec

from overround.records.batch import ScrapeRun


class RunStarted(msgspec.Struct, frozen=True, kw_only=True, tag="run_started"):
    """A run began."""

    run: ScrapeRun


class Discovered(msgspec.Struct, frozen=True, kw_only=True, tag="discovered"):
    """Discovery is over: `targets` are fetches to come, by bookmaker."""

    run_id: int
    events: int
    targets: dict[str, int]
    failed_calls: int
    duration_ms: float


class Scraped(msgspec.Struct, frozen=True, kw_only=True, tag="scraped"):
    """One (event, bookmaker) was fetched, or not; `error_class` is empty where it was."""

    run_id: int
    sr_id: int
    bookmaker: str
    duration_ms: int
    bytes: int
    error_class: str = ""


class Stored(msgspec.Struct, frozen=True, kw_only=True, tag="stored"):
    """A batch went to cache and queue; times in milliseconds, counts in snapshots.

    `blocking_ms` is how long the scraper was kept from its next batch. Snapshots are compared and packed
    as their bodies arrive: `change_detection_ms` is what was left of comparing, `processing_ms` is for
    building the batch. Flush and commit are 0 where writing is asynchronous. `bp` counts the reference
    bookmaker, `comp` its competitors; `changed` and `confirmed` count by bookmaker.
    """

    run_id: int
    batch_index: int
    events: int
    lookups_ms: float
    processing_ms: float
    change_detection_ms: float
    cache_update_ms: float
    queue_enqueue_ms: float
    storage_flush_ms: float
    storage_commit_ms: float
    blocking_ms: float
    changed_bp: int
    unchanged_bp: int
    changed_comp: int
    unchanged_comp: int
    markets_changed: int
    changed: dict[str, int] = {}
    confirmed: dict[str, int] = {}


class RunFinished(msgspec.Struct, frozen=True, kw_only=True, tag="run_finished"):
    """A run is over."""

    run: ScrapeRun


Progress = RunStarted | Discovered | Scraped | Stored | RunFinished
Listener = Callable[[Progress], None]


class ProgressHub:
    """Hands each notification to all listeners, at once and in order; a listener must be quick."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def publish(self, notification: Progress) -> None:
        """Hand a notification to whoever listens."""
        for listener in tuple(self._listeners):
            listener(notification)

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Iterator[None]:
        """Listen for the time of a `with` block."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)
