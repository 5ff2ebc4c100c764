"""2,000 events at three bookmakers: asserted with wide margins here, measured strictly by `make bench-page`."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.demo import Demo, running_large_service
from tests.browser.speed import load, motion
from tests.browser.watch import Watch

# The budgets are 1,500 ms, 50 ms and 200 ms; these are for a machine that does other work meanwhile.
FIRST_CONTENT_MS = 5000
FRAME_P95_MS = 150
LONG_TASK_MS = 800


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run the service on 2,000 events."""
    with running_large_service(tmp_path_factory.mktemp("large")) as running:
        yield running


def test_a_large_market_opens_and_moves_without_lag(page: Page, watch: Watch, large: Demo) -> None:
    """First rows come soon, frames keep coming while a cycle's changes arrive, and no task blocks for long."""
    del watch
    opened = load(page, large)
    assert opened.first_content_ms < FIRST_CONTENT_MS
    moved = motion(page, large)
    assert moved.frame_p95_ms < FRAME_P95_MS
    assert moved.longest_task_ms < LONG_TASK_MS
