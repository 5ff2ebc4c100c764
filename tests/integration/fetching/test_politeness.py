"""Fetching against a real server: what a bookmaker that cannot bear us is spared, and what is counted."""

import asyncio

import pytest
from aiohttp import web

from overround.errors import CircuitOpenError, FetchError, TransientFetchError
from overround.fetching.circuit_breaker import BreakerState
from overround.fetching.http import HttpFetcher, RetryPolicy
from overround.testing import ManualClock
from tests.integration.fetching.server import Bookmaker, Make, answer

FAILURES_TO_OPEN = 20


async def fail(fetcher: HttpFetcher, times: int = FAILURES_TO_OPEN) -> None:
    """Make requests that fail, one after the other."""
    for number in range(times):
        with pytest.raises(FetchError):
            await fetcher.get(f"/event/{number}")


async def test_refusals_halve_what_is_asked_at_once(bookmaker: Bookmaker, make: Make) -> None:
    """A refused request halves the concurrency; answers bring it back, never above the options' own."""
    bookmaker.will(answer(status=403), answer(status=429), answer())
    fetcher = make(concurrency=8)
    assert fetcher.turns().allowed == 8
    await fail(fetcher, 1)
    assert fetcher.turns().allowed == 4
    await fail(fetcher, 1)
    assert fetcher.turns().allowed == 2
    allowed = set()
    for _ in range(60):
        await fetcher.get("/event")
        allowed.add(fetcher.turns().allowed)
    assert allowed == {2, 3, 4, 5, 6, 7, 8}


async def test_silence_halves_what_is_asked_at_once(bookmaker: Bookmaker, make: Make) -> None:
    """A request that got no answer in time counts as a complaint; a server error does not."""
    released = asyncio.Event()

    async def silent(_: web.Request) -> web.StreamResponse:
        await released.wait()
        return answer()

    bookmaker.will(answer(status=500), silent)
    fetcher = make(concurrency=8, timeout=0.05)
    await fail(fetcher, 1)
    assert fetcher.turns().allowed == 8
    await fail(fetcher, 1)
    assert fetcher.turns().allowed == 4
    released.set()


async def test_fewer_requests_fly_after_a_refusal(bookmaker: Bookmaker, make: Make) -> None:
    """With the concurrency halved, no more than that arrive at the bookmaker at once."""
    barrier = asyncio.Barrier(2)
    flying = peak = 0

    async def count(_: web.Request) -> web.StreamResponse:
        nonlocal flying, peak
        flying += 1
        peak = max(peak, flying)
        await barrier.wait()
        flying -= 1
        return answer(status=500)

    bookmaker.will(answer(status=403), count)
    fetcher = make(concurrency=4)
    await fail(fetcher, 1)
    await asyncio.gather(*(fetcher.get(f"/event/{number}") for number in range(12)), return_exceptions=True)
    assert peak == 2


async def test_a_bookmaker_that_only_fails_is_left_alone(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """After twenty failures in a row nothing is sent or retried; each request fails by a class of its own."""
    bookmaker.will(answer(status=500))
    fetcher = make()
    await fail(fetcher)
    asked = len(bookmaker.requests)
    with pytest.raises(CircuitOpenError, match="toto: event 7: not asked: 20 requests in a row failed"):
        await fetcher.get("/event", subject="event 7")
    assert len(bookmaker.requests) == asked
    state = fetcher.turns()
    assert (state.breaker, state.allowed, state.in_use) == (BreakerState.OPEN, 1, 0)
    assert state.retry_at is not None
    assert (state.retry_at - clock.now()).total_seconds() == 5
    figures = fetcher.statistics.figures()
    assert figures.errors == {"transient": FAILURES_TO_OPEN, "circuit_open": 1}


async def test_one_probe_decides_for_all_that_wait(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """When the pause is over, one of many requests is sent alone; its answer lets the others follow."""
    seen: list[int] = []

    async def note(_: web.Request) -> web.StreamResponse:
        seen.append(fetcher.turns().in_use)
        return answer()

    bookmaker.will(answer(status=500))
    fetcher = make(concurrency=4)
    await fail(fetcher)
    clock.advance(5)
    bookmaker.will(note)
    await asyncio.gather(*(fetcher.get(f"/event/{number}") for number in range(30)))
    assert seen[0] == 1
    assert fetcher.turns().breaker is BreakerState.CLOSED
    assert fetcher.turns().allowed == 4


async def test_a_failed_probe_fails_all_that_wait(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """When the probe fails, nothing else is sent, and the pause is doubled."""
    bookmaker.will(answer(status=500))
    fetcher = make(concurrency=4)
    await fail(fetcher)
    clock.advance(5)
    asked = len(bookmaker.requests)
    results = await asyncio.gather(*(fetcher.get("/event") for _ in range(10)), return_exceptions=True)
    assert len(bookmaker.requests) == asked + 1
    assert sorted(type(result).__name__ for result in results) == ["CircuitOpenError"] * 9 + ["TransientFetchError"]
    retry_at = fetcher.turns().retry_at
    assert retry_at is not None
    assert (retry_at - clock.now()).total_seconds() == 10


async def test_a_cancelled_probe_is_no_answer(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """A probe that was cancelled frees its place, and the next request probes."""
    arrived, released = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await released.wait()
        return answer()

    bookmaker.will(answer(status=500))
    fetcher = make()
    await fail(fetcher)
    clock.advance(5)
    bookmaker.will(wait, answer())
    probe = asyncio.create_task(fetcher.get("/first"))
    await arrived.wait()
    assert fetcher.turns().breaker is BreakerState.HALF_OPEN
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    released.set()
    await fetcher.get("/second")
    assert fetcher.turns().breaker is BreakerState.CLOSED


async def test_the_budget_holds_over_a_minute(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """The request after the budget's last waits until the first is a minute old; retries count."""
    bookmaker.will(answer(status=500), answer())
    fetcher = make(RetryPolicy(attempts=2), requests_per_minute=3)
    await fetcher.get("/event/1")
    await fetcher.get("/event/2")
    before = clock.monotonic()
    state = fetcher.turns()
    assert (state.minute_budget, state.minute_used) == (3, 3)
    await fetcher.get("/event/3")
    assert 59 <= clock.monotonic() - before <= 60


async def test_figures_add_up(bookmaker: Bookmaker, make: Make, clock: ManualClock) -> None:
    """Requests, errors by class, bytes and times of answers, and the newest error are counted."""

    async def slow(_: web.Request) -> web.StreamResponse:
        clock.advance(0.25)
        return answer(b'{"odds":1}')

    bookmaker.will(answer(status=500), answer(status=404), slow)
    fetcher = make()
    await fail(fetcher, 2)
    await fetcher.get("/event")
    figures = fetcher.statistics.figures()
    assert (figures.requests, figures.errors, figures.bytes) == (3, {"transient": 1, "gone": 1}, 10)
    assert (figures.latency.count, figures.latency.p50, figures.latency.p95) == (1, 0.25, 0.25)
    assert figures.last_error is not None
    assert (figures.last_error.error_class, figures.last_error.message) == ("gone", "toto: /event/1: status 404")


async def test_a_failed_request_is_counted_once_for_each_attempt(bookmaker: Bookmaker, make: Make) -> None:
    """Every attempt is a request and its own failure."""
    bookmaker.will(answer(status=502))
    fetcher = make(RetryPolicy(attempts=3))
    with pytest.raises(TransientFetchError):
        await fetcher.get("/event")
    figures = fetcher.statistics.figures()
    assert (figures.requests, figures.errors) == (3, {"transient": 3})
