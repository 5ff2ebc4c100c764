"""Takes the pictures of docs/screenshots: every page, light and dark; `make screenshots`."""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import MISSING, installed
from tests.browser.demo import Demo, running_demo

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
EVENTS = 200
CYCLES = 6
SIZES = {1280: 800, 1440: 900, 1920: 1080}
SETTLED_MS = 1600
INTERVALS = {"short_interval_seconds": 60, "long_interval_seconds": 300}  # the product's own: prices of now are fresh
# By name: where, and what is there when the page is complete.
PAGES = {
    "odds": ("/", ".block"),
    "event": ("/events/{sr_id}", "tbody tr"),
    "movement": ("/events/{sr_id}?chart=match_result%20home", ".chart canvas"),
    "coverage": ("/coverage", "tbody tr"),
    "runs": ("/runs", "progress"),
    "health": ("/health-board", "tbody tr"),
    "settings": ("/settings", "fieldset"),
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def main() -> int:
    """Take them all."""
    arguments = _parsed()
    if (chromium := installed()) is None:
        sys.stderr.write(f"{MISSING}\n")
        return 1
    with (
        tempfile.TemporaryDirectory() as directory,
        running_demo(Path(directory), EVENTS) as demo,
        sync_playwright() as playwright,
    ):
        for _ in range(CYCLES):
            demo.cycle()
        demo.ask("PUT", "/api/settings", {"schedule": INTERVALS})
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        for scheme in SCHEMES:
            screen = {"width": arguments.width, "height": SIZES[arguments.width]}
            page = browser.new_page(viewport=screen, color_scheme=scheme, locale="en-GB")  # type: ignore[arg-type]
            _take(page, demo, arguments.folder, scheme)
        browser.close()
    return 0


def _take(page: Page, demo: Demo, folder: Path, scheme: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sr_id = demo.get("/api/events?limit=3&sport=football")["events"][2]["sr_id"]
    for name, (address, complete) in PAGES.items():
        page.goto(demo.address + address.format(sr_id=sr_id))
        if name == "runs":
            demo.post("/api/scrape/start")
        page.locator(complete).first.wait_for(timeout=60_000)
        page.wait_for_timeout(SETTLED_MS // 2)
        page.screenshot(path=folder / f"{name}-{scheme}.png")


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument("--width", type=int, choices=SIZES, default=1440)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
