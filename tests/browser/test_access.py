"""A service that demands a key."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.demo import Demo, environment, running_demo
from tests.browser.watch import Watch


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Demo]:
    """Run a demo that demands a key, which it has in its own data."""
    command = [
        sys.executable,
        "-c",
        "from overround.cli.main import app; app()",
        "keys",
        "create",
        "desk",
        "--role=operate",
        "--json",
    ]
    env = environment({"OVERROUND_DATA_DIR": str(tmp_path / "data")})
    made = subprocess.run(command, check=True, capture_output=True, env=env, timeout=90)  # noqa: S603 - our own program
    key = json.loads(made.stdout)["key"]
    with running_demo(tmp_path, events=5, cycles=0, key=key, OVERROUND_SECURITY__REQUIRE_KEY="true") as running:
        yield running


def test_logging_in_and_out(page: Page, watch: Watch, locked: Demo) -> None:
    """Nothing is shown without a key; a wrong one is refused in words; with the right one the page works."""
    watch.excused = ("401",)
    page.goto(locked.address)
    page.get_by_label("Key", exact=True).fill("ork_wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("not valid")
    page.get_by_label("Key", exact=True).fill(locked.key)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator(".block").first).to_be_visible()
    page.get_by_role("button", name="log out").click()
    expect(page.get_by_label("Key", exact=True)).to_be_visible()
