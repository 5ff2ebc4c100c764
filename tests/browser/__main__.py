"""Measures the page on 2,000 events against its budgets; `make bench-page`, and with --soak MINUTES `make soak`."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import MISSING, installed
from tests.browser.demo import Demo, running_large_service
from tests.browser.speed import Load, Memory, Motion, load, motion

FIRST_CONTENT_MS = 1500
FRAME_P95_MS = 50
LONG_TASK_MS = 200
GROWTH = 1.1  # the memory's last against its first third
CYCLES = 3
MEGABYTE = 1e6


class Report(msgspec.Struct, frozen=True):
    """What was measured, and whether it is within the budgets."""

    events: int
    opened: Load
    moved: list[Motion]
    memory_mb: list[float]

    @property
    def failures(self) -> list[str]:
        """Name the budgets that were missed."""
        longest = max(self.opened.longest_task_ms, *(one.longest_task_ms for one in self.moved))
        found = {
            f"first content {self.opened.first_content_ms:.0f} ms": self.opened.first_content_ms < FIRST_CONTENT_MS,
            f"long task {longest:.0f} ms": longest <= LONG_TASK_MS,
            f"memory {self.memory_mb} MB": grown(self.memory_mb) <= GROWTH,
            **{f"frames p95 {one.frame_p95_ms:.0f} ms": one.frame_p95_ms < FRAME_P95_MS for one in self.moved},
        }
        return [text for text, kept in found.items() if not kept]


def main() -> int:
    """Measure, print, and return 1 where a budget is missed."""
    arguments = _parsed()
    chromium = installed()
    if chromium is None:
        sys.stderr.write(f"{MISSING}\n")
        return 1
    with (
        tempfile.TemporaryDirectory() as directory,
        running_large_service(Path(directory)) as demo,
        sync_playwright() as playwright,
    ):
        flags = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        report = _measured(browser.new_page(viewport={"width": 1440, "height": 900}), demo, arguments.soak)
        browser.close()
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(report)).decode() + "\n")
    sys.stdout.writelines(f"missed: {text}\n" for text in report.failures)
    return 1 if report.failures else 0


def grown(memory: list[float]) -> float:
    """Return how much larger the last third is than the first, as a factor."""
    third = max(1, len(memory) // 3)
    return sum(memory[-third:]) / sum(memory[:third])


def _measured(page: Page, demo: Demo, minutes: float) -> Report:
    opened = load(page, demo)
    memory = Memory(page)
    moved: list[Motion] = []
    used: list[float] = []
    deadline = time.monotonic() + minutes * 60
    while len(moved) < CYCLES or time.monotonic() < deadline:
        moved.append(motion(page, demo))
        used.append(round(memory.used_bytes() / MEGABYTE, 1))
    return Report(demo.total, opened, moved, used)


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.browser", description=__doc__)
    parser.add_argument("--soak", type=float, default=0, metavar="MINUTES")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
