"""How the runs under way go, as clients are told: each notification once, sums at most four times a second."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, cast

import msgspec
from fastapi import Depends, Request

from overround.api.scrape.views import RunView, run_facts
from overround.ports import Clock
from overround.records.batch import ScrapeRun
from overround.scraping.runs import RunDetail
from overround.streaming.messages import message
from overround.streaming.progress import Discovered, Progress, ProgressHub, RunFinished, RunStarted, Scraped, Stored

KEPT: Final = 1000
"""Messages that a client can catch up on; a run of 1,300 events tells about a hundred."""

_PERIOD = 0.25  # seconds between two progress messages of a run

Details = Callable[[int], RunDetail | None]


class RunSums:
    """What a run has told so far."""

    def __init__(self, run: ScrapeRun, now: float) -> None:
        self.run = run
        self.discovered: Discovered | None = None
        self._began = self._scraping_since = now
        self._told_at = float("-inf")
        self._told = 0
        self._done: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._changed: Counter[str] = Counter()
        self._confirmed: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._durations: dict[str, list[int]] = {}

    def add(self, notification: Discovered | Scraped | Stored, now: float) -> None:
        """Take a notification into account."""
        if isinstance(notification, Discovered):
            self.discovered, self._scraping_since = notification, now
        elif isinstance(notification, Stored):
            self._changed.update(notification.changed)
            self._confirmed.update(notification.confirmed)
        else:
            self._done[notification.bookmaker] += 1
            if notification.error_class:
                self._failed[notification.bookmaker] += 1
                self._errors[notification.error_class] += 1
            else:
                self._durations.setdefault(notification.bookmaker, []).append(notification.duration_ms)

    def is_due(self, now: float) -> bool:
        """Tell whether clients may be told the sums once more."""
        return now - self._told_at >= _PERIOD

    def has_news(self) -> bool:
        """Tell whether more has been fetched than was told last."""
        return self._done.total() != self._told

    def told(self, now: float) -> Mapping[str, Any]:
        """Return the sums, which count as told now."""
        self._told_at, self._told = now, self._done.total()
        return self.sums(now)

    def sums(self, now: float) -> Mapping[str, Any]:
        """Return the sums."""
        targets = {} if self.discovered is None else self.discovered.targets
        done, total = self._done.total(), sum(targets.values())
        rate = done / max(now - self._scraping_since, 1e-3)
        return {
            "run_id": self.run.run_id,
            "elapsed_ms": round((now - self._began) * 1000),
            "done": done,
            "total": total,
            "rate": round(rate, 1),
            "eta_seconds": round((total - done) / rate, 1) if done else None,
            "bookmakers": {slug: self._bookmaker(slug, targets.get(slug, 0)) for slug in targets | self._done},
            "errors": dict(self._errors),
        }

    def _bookmaker(self, slug: str, total: int) -> Mapping[str, int | None]:
        ordered = sorted(self._durations.get(slug, ()))
        return {
            "done": self._done[slug],
            "total": total,
            "failed": self._failed[slug],
            "changed": self._changed[slug],
            "confirmed": self._confirmed[slug],
            "p50_ms": _percentile(ordered, 50),
            "p95_ms": _percentile(ordered, 95),
        }


class ProgressBoard:
    """Hears what runs tell, and keeps the newest messages for clients that come back."""

    def __init__(self, clock: Clock, details: Details, stopping: asyncio.Event) -> None:
        """Build it; `details` knows more of a run that has finished."""
        self._clock = clock
        self._details = details
        self._stopping = stopping
        self.clients = 0
        self._life = int(clock.now().timestamp())
        self._messages: deque[bytes] = deque(maxlen=KEPT)
        self._number = 0
        self._runs: dict[int, RunSums] = {}
        self._moved = asyncio.Event()

    @asynccontextmanager
    async def listening(self, hub: ProgressHub) -> AsyncIterator[None]:
        """Listen during the block."""
        waking = asyncio.create_task(self._wake_at_stop(), name="progress-stop")
        with hub.listening(self.hear):
            try:
                yield
            finally:
                waking.cancel()
                await asyncio.gather(waking, return_exceptions=True)

    def hear(self, notification: Progress) -> None:
        """Turn a notification into messages; of a run on demand, which is over at once, only its end."""
        now = self._clock.monotonic()
        if isinstance(notification, RunStarted):
            self._runs[notification.run.run_id] = RunSums(notification.run, now)
            self._tell("run_started", self._run(notification.run))
        elif isinstance(notification, RunFinished):
            self._finish(notification.run, now)
        elif (sums := self._runs.get(notification.run_id)) is not None:
            sums.add(notification, now)
            if not isinstance(notification, Scraped):
                self._tell(_name(notification), msgspec.to_builtins(notification))
            elif sums.is_due(now):
                self._tell("progress", sums.told(now))

    async def messages(self, cursor: str, allowed: Callable[[], bool]) -> AsyncIterator[bytes]:
        """Yield what a client is to be told: what it missed where that is held, else how the runs stand."""
        self.clients += 1
        try:
            number, first = self._start(cursor)
            yield first
            while allowed() and not self._stopping.is_set():
                moved = self._moved
                number, text = self._since(number)
                if text:
                    yield text
                else:
                    await moved.wait()
        finally:
            self.clients -= 1

    def _start(self, cursor: str) -> tuple[int, bytes]:
        life, _, number = cursor.partition(".")
        if life == str(self._life) and number.isdecimal():
            known = int(number)
            if 0 <= self._number - known <= len(self._messages):
                return known, b""
        return self._number, b"".join(self._present())

    def _since(self, number: int) -> tuple[int, bytes]:
        missed = self._number - number
        if missed > len(self._messages):
            return self._start("")
        return self._number, b"".join(list(self._messages)[-missed:]) if missed else b""

    def _present(self) -> Sequence[bytes]:
        """Return how the runs under way stand."""
        now, found = self._clock.monotonic(), []
        for sums in self._runs.values():
            found.append(message("run_started", self._run(sums.run)))
            if sums.discovered is not None:
                found += [
                    message("discovered", msgspec.to_builtins(sums.discovered)),
                    message("progress", sums.sums(now)),
                ]
        return [b": how the runs stand\n\n", *found, b"id: %d.%d\n\n" % (self._life, self._number)]

    def _finish(self, run: ScrapeRun, now: float) -> None:
        sums = self._runs.pop(run.run_id, None)
        if sums is not None and sums.has_news():
            self._tell("progress", sums.told(now))
        self._tell("run_finished", self._run(run))

    def _run(self, run: ScrapeRun) -> Mapping[str, Any]:
        return {"run": RunView(**run_facts(run, self._details(run.run_id))).model_dump(mode="json")}

    def _tell(self, name: str, data: Mapping[str, Any]) -> None:
        self._number += 1
        self._messages.append(message(name, data, f"{self._life}.{self._number}"))
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _wake_at_stop(self) -> None:
        await self._stopping.wait()
        self._moved.set()


def _name(notification: Discovered | Stored) -> str:
    return "discovered" if isinstance(notification, Discovered) else "stored"


def _percentile(ordered: Sequence[int], percent: int) -> int | None:
    return ordered[(len(ordered) - 1) * percent // 100] if ordered else None


def _board(request: Request) -> ProgressBoard:
    return cast("ProgressBoard", request.app.state.progress)


Board = Annotated[ProgressBoard, Depends(_board)]
