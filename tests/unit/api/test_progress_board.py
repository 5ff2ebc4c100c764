"""What clients are told of runs: in which order, how often, and after coming back."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from overround.api.scrape.progress_board import KEPT, ProgressBoard
from overround.records.batch import RunKind, RunStatus, ScrapeRun
from overround.streaming.progress import Discovered, ProgressHub, RunFinished, RunStarted, Scraped, Stored
from overround.testing import ManualClock
from tests.support.desk import START

Message = tuple[str, str, dict[str, Any]]


def parsed(text: bytes) -> list[Message]:
    """Return the messages of a text as (id, name, data)."""
    found = []
    for one in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in one.split("\n") if not line.startswith(":") and line)
        if "event" in fields:
            found.append((fields.get("id", ""), fields["event"], json.loads(fields["data"])))
    return found


class Bench:
    """A board, and a run that tells it how it goes."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.stopping = asyncio.Event()
        self.board = ProgressBoard(self.clock, lambda _: None, self.stopping)
        self.run = ScrapeRun(run_id=5, kind=RunKind.CYCLE, status=RunStatus.RUNNING, started_at=START)

    def start(self) -> None:
        """Begin the run, and discover two events."""
        self.board.hear(RunStarted(run=self.run))
        self.clock.advance(1)
        targets = {"us": 2, "them": 1}
        self.board.hear(Discovered(run_id=5, events=2, targets=targets, failed_calls=0, duration_ms=1000.0))

    def scrape(self, bookmaker: str, duration_ms: int, error_class: str = "", run_id: int = 5) -> None:
        """Tell that an event was fetched, or not."""
        self.board.hear(
            Scraped(
                run_id=run_id,
                sr_id=1,
                bookmaker=bookmaker,
                duration_ms=duration_ms,
                bytes=1,
                error_class=error_class,
            )
        )

    def store(self) -> None:
        """Tell that a batch was stored."""
        times: dict[str, Any] = dict.fromkeys(
            (
                "lookups_ms",
                "processing_ms",
                "change_detection_ms",
                "cache_update_ms",
                "queue_enqueue_ms",
                "storage_flush_ms",
                "storage_commit_ms",
                "blocking_ms",
            ),
            0.5,
        )
        counts = dict.fromkeys(("changed_bp", "unchanged_bp", "changed_comp", "unchanged_comp"), 1)
        self.board.hear(
            Stored(
                run_id=5,
                batch_index=0,
                events=2,
                markets_changed=7,
                changed={"us": 1},
                confirmed={"us": 1, "them": 1},
                **times,
                **counts,
            )
        )

    def finish(self) -> None:
        """End the run."""
        self.board.hear(RunFinished(run=self.run))

    def follow(self, cursor: str = "") -> AsyncIterator[bytes]:
        """Return what a client is sent."""
        return self.board.messages(cursor, lambda: True)


@pytest.fixture
def bench() -> Bench:
    """Return a bench."""
    return Bench()


async def test_a_run_is_told_from_its_start_to_its_summary(bench: Bench) -> None:
    """Start, discovery, sums, batches and the end come in their order; the sums are complete before the end."""
    follower = bench.follow()
    assert parsed(await anext(follower)) == []
    bench.start()
    bench.clock.advance(1)
    bench.scrape("us", 120)
    bench.clock.advance(0.1)
    bench.scrape("us", 80)
    bench.scrape("them", 0, "throttled")
    bench.store()
    bench.finish()
    messages = parsed(await anext(follower))
    assert [name for _, name, _ in messages] == [
        "run_started",
        "discovered",
        "progress",
        "stored",
        "progress",
        "run_finished",
    ]
    assert messages[0][2]["run"]["run_id"] == 5
    assert messages[4][2] == {
        "run_id": 5,
        "elapsed_ms": 2100,
        "done": 3,
        "total": 3,
        "rate": 2.7,
        "eta_seconds": 0.0,
        "bookmakers": {
            "us": {"done": 2, "total": 2, "failed": 0, "changed": 1, "confirmed": 1, "p50_ms": 80, "p95_ms": 80},
            "them": {
                "done": 1,
                "total": 1,
                "failed": 1,
                "changed": 0,
                "confirmed": 1,
                "p50_ms": None,
                "p95_ms": None,
            },
        },
        "errors": {"throttled": 1},
    }


async def test_sums_are_told_four_times_a_second_at_most(bench: Bench) -> None:
    """However fast events are fetched, a second has four messages with sums."""
    follower = bench.follow()
    await anext(follower)
    bench.start()
    for _ in range(1000):
        bench.scrape("us", 10)
        bench.clock.advance(0.0009)
    names = [name for _, name, _ in parsed(await anext(follower))]
    assert names.count("progress") == 4


async def test_who_comes_in_the_middle_is_told_how_the_run_stands(bench: Bench) -> None:
    """A newcomer gets the start, the discovery and the sums of the run under way."""
    bench.start()
    bench.scrape("us", 10)
    messages = parsed(await anext(bench.follow()))
    assert [name for _, name, _ in messages] == ["run_started", "discovered", "progress"]
    assert messages[2][2]["done"] == 1


async def test_who_comes_back_is_told_what_it_missed(bench: Bench) -> None:
    """With the id of the last message, the messages after it follow, and nothing twice."""
    follower = bench.follow()
    await anext(follower)
    bench.start()
    cursor = parsed(await anext(follower))[0][0]
    bench.store()
    again = bench.follow(cursor)
    await anext(again)
    assert [name for _, name, _ in parsed(await anext(again))] == ["discovered", "stored"]


async def test_who_missed_too_much_is_told_how_the_run_stands(bench: Bench) -> None:
    """Beyond what is kept, as with an id of another process, a client begins as a newcomer does."""
    follower = bench.follow()
    await anext(follower)
    bench.start()
    for _ in range(KEPT):
        bench.store()
    assert [name for _, name, _ in parsed(await anext(follower))] == ["run_started", "discovered", "progress"]
    for cursor in ("1.1", "nonsense", "9.x"):
        assert len(parsed(await anext(bench.follow(cursor)))) == 3


async def test_of_a_run_on_demand_only_the_end_is_told(bench: Bench) -> None:
    """A single event's fetches would only disturb the sums of the cycle under way."""
    follower = bench.follow()
    await anext(follower)
    bench.scrape("us", 10, run_id=6)
    bench.finish()
    assert [name for _, name, _ in parsed(await anext(follower))] == ["run_finished"]


async def test_the_stream_ends_when_the_service_stops(bench: Bench) -> None:
    """Whoever waits for news is let go; clients are counted as long as they are there."""
    async with bench.board.listening(ProgressHub()):
        follower = bench.follow()
        await anext(follower)
        assert bench.board.clients == 1
        waiting = asyncio.create_task(anext(follower, None))
        await asyncio.sleep(0)
        bench.stopping.set()
        assert await waiting is None
    assert bench.board.clients == 0
