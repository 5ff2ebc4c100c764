"""A progress bar per bookmaker for a run under way.

Apart because Rich is loaded only where a person watches.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from overround.streaming.progress import Discovered, Scraped
from overround.streaming.progress import Progress as RunProgress


@contextmanager
def progress_bars(names: Mapping[str, str]) -> Iterator[Callable[[RunProgress], None]]:
    """Show the bars on stderr during a `with` block; yields the listener that moves them."""
    columns = (
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} failed"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield _Bars(bars, names)


class _Bars:
    def __init__(self, bars: Progress, names: Mapping[str, str]) -> None:
        self._bars = bars
        self._names = names
        self._tasks: dict[str, TaskID] = {}
        self._failed: dict[str, int] = {}

    def __call__(self, notification: RunProgress) -> None:
        if isinstance(notification, Discovered):
            self._begin(notification)
        elif isinstance(notification, Scraped) and notification.bookmaker in self._tasks:
            self._advance(notification)

    def _begin(self, discovered: Discovered) -> None:
        for slug, total in discovered.targets.items():
            self._tasks[slug] = self._bars.add_task(self._names.get(slug, slug), total=total, failed=0)

    def _advance(self, scraped: Scraped) -> None:
        slug = scraped.bookmaker
        self._failed[slug] = self._failed.get(slug, 0) + bool(scraped.error_class)
        self._bars.update(self._tasks[slug], advance=1, failed=self._failed[slug])
