"""Fixtures of the browser tests, and one loud skip where there is no browser."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import MISSING, installed
from tests.browser.demo import Demo, running_demo
from tests.browser.watch import Watch

EVENTS = 60
PATIENCE_MS = 20_000
SCREEN = {"width": 1440, "height": 900}

expect.set_options(timeout=PATIENCE_MS)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without Chromium, leave one test, which is skipped and says so."""
    if not items or installed() is not None:
        return
    config.hook.pytest_deselected(items=items[1:])
    items[1:] = []
    items[0].add_marker(pytest.mark.skip(reason=MISSING))


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Return how Chromium is started; as root it has no sandbox of its own."""
    return {"executable_path": str(installed()), "args": ["--no-sandbox"] if os.geteuid() == 0 else []}


@pytest.fixture
def browser_context_args() -> dict[str, Any]:
    """Return what a new browser looks like: a desk's screen, light."""
    return {"viewport": SCREEN, "color_scheme": "light", "locale": "en-GB", "timezone_id": "Africa/Lagos"}


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run a small market, scraped twice, for all tests that leave it running."""
    with running_demo(tmp_path_factory.mktemp("demo"), EVENTS, cycles=1) as running:
        running.cycle()
        yield running


@pytest.fixture(scope="session")
def spare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run a demo to which a test may do harm, as long as it runs well afterwards."""
    with running_demo(tmp_path_factory.mktemp("spare"), events=12) as running:
        yield running


@pytest.fixture
def watch(page: Page) -> Iterator[Watch]:
    """Watch a page: at the test's end no error may have been logged, and no request have failed."""
    watching = Watch(page)
    yield watching
    assert watching.found() == []


@pytest.fixture
def odds(page: Page, watch: Watch, demo: Demo) -> Page:
    """Return the odds page with its events."""
    del watch
    page.goto(demo.address)
    expect(page.locator(".block").first).to_be_visible()
    expect(page.locator(".count")).to_have_text(f"{EVENTS} events")
    return page


@pytest.fixture
def axe() -> str:
    """Return the source of axe, which the page's packages bring."""
    return (Path(__file__).resolve().parents[2] / "web/node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")
