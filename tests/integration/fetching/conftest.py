"""A scripted bookmaker on the loopback address, and fetchers for it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from overround.fetching.http import HttpFetcher, RetryPolicy, open_session
from overround.ports import BookmakerOptions
from overround.testing import ManualClock
from tests.integration.fetching.server import MAX_BYTES, ONCE, USER_AGENT, Bookmaker, Make


@pytest.fixture
async def bookmaker() -> AsyncIterator[Bookmaker]:
    """Run a scripted bookmaker."""
    scripted = Bookmaker()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", scripted.handle)
    async with TestServer(app) as server:
        scripted.base_url = str(server.make_url("/api"))
        yield scripted


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """Open a session with our User-Agent."""
    async with open_session(USER_AGENT) as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock whose sleeps take no time."""
    return ManualClock()


@pytest.fixture
def make(bookmaker: Bookmaker, session: ClientSession, clock: ManualClock) -> Make:
    """Return a maker of fetchers for the scripted bookmaker."""

    def fetcher(retry: RetryPolicy = ONCE, clock: Any = clock, known: Any = None, **options: Any) -> HttpFetcher:
        chosen = BookmakerOptions(**{"base_url": bookmaker.base_url, **options})
        asked = {} if known is None else {"known": known}
        return HttpFetcher(
            "toto", options=chosen, session=session, clock=clock, retry=retry, max_bytes=MAX_BYTES, **asked
        )

    return fetcher
