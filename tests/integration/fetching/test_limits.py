"""Fetching against a real server: retries, concurrency, spacing, cancellation."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession, web

from overround.errors import (
    BlockedError,
    CircuitOpenError,
    GoneError,
    MalformedError,
    ThrottledError,
)
from overround.fetching.admission import Turns
from overround.fetching.http import RetryPolicy
from overround.ports import BookmakerOptions
from overround.testing import ManualClock
from tests.integration.fetching.server import MAX_BYTES, Bookmaker, Make, answer


async def test_transient_failures_are_retried_with_full_jitter(
    bookmaker: Bookmaker, make: Make, clock: ManualClock
) -> None:
    """After 5xx the request is made again, after waits drawn from zero to a doubling ceiling."""
    bookmaker.will(answer(status=500), answer(status=502), answer(status=500), answer(b'{"ok":1}'))
    policy = RetryPolicy(attempts=4, base=timedelta(seconds=1), cap=timedelta(seconds=3))
    response = await make(policy).get("/event")
    assert response.body == b'{"ok":1}'
    assert len(bookmaker.requests) == 4
    for waited, ceiling in zip(clock.slept, (1, 2, 3), strict=True):
        assert 0 <= waited <= ceiling


async def test_retries_end_with_the_last_failure(bookmaker: Bookmaker, make: Make) -> None:
    """When all attempts failed, the last failure is raised."""
    bookmaker.will(answer(status=500), answer(status=429))
    with pytest.raises(ThrottledError):
        await make(RetryPolicy(attempts=3)).get("/event")
    assert len(bookmaker.requests) == 3


@pytest.mark.parametrize(
    "final",
    [answer(status=403), answer(status=404), answer(b""), answer(b"[" + b"1" * MAX_BYTES)],
    ids=["forbidden", "gone", "empty", "too large"],
)
async def test_other_failures_are_not_retried(bookmaker: Bookmaker, make: Make, final: web.Response) -> None:
    """Blocked, gone and malformed mean the same the second time: one request is made."""
    bookmaker.will(final)
    with pytest.raises((BlockedError, GoneError, MalformedError)):
        await make(RetryPolicy(attempts=5)).get("/event")
    assert len(bookmaker.requests) == 1


@pytest.mark.parametrize("header", ["7", "Thu, 01 Jan 2026 00:00:07 GMT", "Thu, 01 Jan 2026 00:00:07 -0000"])
async def test_retry_after_is_obeyed(bookmaker: Bookmaker, make: Make, clock: ManualClock, header: str) -> None:
    """The next attempt comes exactly when the bookmaker says, in seconds or as a date."""
    bookmaker.will(answer(status=429, retry_after=header), answer())
    response = await make(RetryPolicy(attempts=2)).get("/event")
    assert clock.slept == [7.0]
    assert response.received_at == datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC)


async def test_unreadable_retry_after_counts_as_none(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """A Retry-After that is neither seconds nor a date leaves the usual wait."""
    bookmaker.will(answer(status=429, retry_after="soon"), answer())
    await make(RetryPolicy(attempts=2, base=timedelta(seconds=1))).get("/event")
    assert 0 <= clock.slept[0] <= 1


async def test_retry_after_holds_for_the_whole_bookmaker(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """What one request was told, the next one obeys."""
    bookmaker.will(answer(status=429, retry_after="7"), answer())
    fetcher = make()
    with pytest.raises(ThrottledError):
        await fetcher.get("/event/1")
    await fetcher.get("/event/2")
    assert clock.slept == [7.0]


async def test_retry_after_beyond_the_cap_is_reported(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """Nobody waits longer than the cap; until the time has come, requests fail without being sent."""
    bookmaker.will(answer(status=429, retry_after="120"), answer())
    fetcher = make(RetryPolicy(attempts=3, cap=timedelta(seconds=10)))
    with pytest.raises(ThrottledError) as caught:
        await fetcher.get("/event/1")
    assert caught.value.retry_after == 120
    with pytest.raises(ThrottledError, match="told to wait 120 s"):
        await fetcher.get("/event/2")
    assert len(bookmaker.requests) == 1
    clock.advance(120)
    await fetcher.get("/event/3")
    assert len(bookmaker.requests) == 2


@pytest.mark.parametrize(
    "header", ["31536000", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT", "Wed, 01 Jan 2031 00:00:00 GMT", "901"]
)
async def test_nobody_is_left_alone_for_longer_than_a_quarter_of_an_hour(
    bookmaker: Bookmaker, make: Make, clock: ManualClock, header: str
) -> None:
    """Whatever a bookmaker asks for, 15 minutes later one request probes; the hold is shown until then."""
    bookmaker.will(answer(status=429, retry_after=header), answer())
    fetcher = make(concurrency=8)
    with pytest.raises(ThrottledError):
        await fetcher.get("/event/1")
    state = fetcher.turns()
    assert state.held_until == clock.now() + timedelta(minutes=15)
    assert state.hold_reason == "told to wait 900 s"
    clock.advance(899)
    with pytest.raises(ThrottledError, match="told to wait 1 s"):
        await fetcher.get("/event/2")
    clock.advance(1)
    await fetcher.get("/event/3")
    assert fetcher.turns().held_until is None
    assert len(bookmaker.requests) == 2


async def test_one_probe_follows_a_long_hold(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """The others wait for its answer: a bookmaker that repeats itself is asked once in 15 minutes."""
    bookmaker.will(answer(status=429, retry_after="900"))
    fetcher = make(concurrency=8)
    for hold in range(3):
        with pytest.raises(ThrottledError):
            await fetcher.get("/event/first")
        clock.advance(900)
        rest = await asyncio.gather(*(fetcher.get(f"/event/{number}") for number in range(8)), return_exceptions=True)
        assert all(isinstance(error, ThrottledError | CircuitOpenError) for error in rest)
        assert len(bookmaker.requests) == 2 + 2 * hold
        clock.advance(900)


@pytest.mark.parametrize("header", ["-1", "1.5", "0", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 99 Zzz 2026 00:00:00 GMT"])
async def test_an_odd_retry_after_holds_nobody(
    bookmaker: Bookmaker, make: Make, clock: ManualClock, header: str
) -> None:
    """Negative, broken and past ones are no wait, and never a negative one."""
    bookmaker.will(answer(status=429, retry_after=header), answer())
    fetcher = make()
    with pytest.raises(ThrottledError):
        await fetcher.get("/event/1")
    await fetcher.get("/event/2")
    assert not clock.slept


async def test_no_more_requests_at_once_than_allowed(bookmaker: Bookmaker, make: Make) -> None:
    """All places are used, and never one more."""
    barrier = asyncio.Barrier(3)
    flying, peak = 0, 0

    async def count(_: web.Request) -> web.StreamResponse:
        nonlocal flying, peak
        flying += 1
        peak = max(peak, flying)
        await barrier.wait()
        flying -= 1
        return answer()

    bookmaker.will(count)
    fetcher = make(concurrency=3)
    await asyncio.gather(*(fetcher.get(f"/event/{number}") for number in range(9)))
    assert peak == 3


async def test_requests_start_apart(clock: ManualClock) -> None:
    """Starts are spaced by the interval, also where places are free."""
    turns = Turns("toto", BookmakerOptions(base_url="", concurrency=10, min_interval_ms=25), clock, longest_hold=10)
    starts: list[float] = []

    async def start() -> None:
        async with turns.take("event"):
            starts.append(clock.monotonic())

    await asyncio.gather(*(start() for _ in range(6)))
    assert starts == pytest.approx([0, 0.025, 0.05, 0.075, 0.1, 0.125])


class GatedClock(ManualClock):
    """A clock whose sleeps end when the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.sleeping = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait for the gate."""
        del seconds
        self.sleeping.set()
        await self.gate.wait()


async def test_waiting_for_a_retry_leaves_the_place(bookmaker: Bookmaker, make: Make) -> None:
    """While one request waits for its next attempt, another one uses the only place."""
    clock = GatedClock()
    bookmaker.will(answer(status=500), answer(b'{"second":1}'), answer(b'{"first":1}'))
    fetcher = make(RetryPolicy(attempts=2), clock=clock, concurrency=1)
    first = asyncio.create_task(fetcher.get("/first"))
    await clock.sleeping.wait()
    assert (await fetcher.get("/second")).body == b'{"second":1}'
    clock.gate.set()
    assert (await first).body == b'{"first":1}'


@pytest.mark.parametrize("attempts", [1, 3])
async def test_cancelling_frees_the_place(
    bookmaker: Bookmaker, make: Make, session: ClientSession, attempts: int
) -> None:
    """A request cancelled in flight is not retried, and leaves neither its place nor a connection behind."""
    arrived, released = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await released.wait()
        return answer()

    bookmaker.will(wait, answer(b'{"next":1}'))
    fetcher = make(RetryPolicy(attempts=attempts), concurrency=1)
    request = asyncio.create_task(fetcher.get("/first"))
    await arrived.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert session.connector is not None
    assert not session.connector._acquired
    released.set()
    assert (await fetcher.get("/second")).body == b'{"next":1}'
    assert len(bookmaker.requests) == 2


async def test_cancelling_a_queued_request_keeps_the_others(bookmaker: Bookmaker, make: Make) -> None:
    """A request cancelled while it waits for a place takes nothing with it."""
    arrived, released = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await released.wait()
        return answer()

    bookmaker.will(wait)
    fetcher = make(concurrency=1)
    first, queued, last = (asyncio.create_task(fetcher.get(f"/{name}")) for name in ("first", "queued", "last"))
    await arrived.wait()
    queued.cancel()
    released.set()
    await asyncio.gather(first, last)
    assert queued.cancelled()
    assert sorted(request.path for request in bookmaker.requests) == ["/api/first", "/api/last"]
