"""How fast the page is: first content, frames and long tasks while prices move, memory."""

import statistics
from collections.abc import Sequence
from typing import Any

import msgspec
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.demo import Demo

# Runs before the page's own scripts.
RECORDER = """
window.recorded = { first: null, frames: [], tasks: [] };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.recorded.tasks.push(entry.duration);
}).observe({ type: 'longtask', buffered: true });
const seen = new MutationObserver(() => {
  if (!document.querySelector('.block .price .value')) return;
  seen.disconnect();
  requestAnimationFrame(() => requestAnimationFrame(() => { window.recorded.first = performance.now(); }));
});
seen.observe(document, { childList: true, subtree: true });
let before = performance.now();
const frame = (at) => { window.recorded.frames.push(at - before); before = at; requestAnimationFrame(frame); };
requestAnimationFrame(frame);
"""
_FORGET = "window.recorded.frames.length = window.recorded.tasks.length = 0"
_TWENTIETHS = 20


class Load(msgspec.Struct, frozen=True):
    """A page that was opened, in milliseconds from the navigation's start."""

    first_content_ms: float
    complete_ms: float
    longest_task_ms: float


class Motion(msgspec.Struct, frozen=True):
    """A page while prices move."""

    frames: int
    frame_p95_ms: float
    longest_frame_ms: float
    longest_task_ms: float


def load(page: Page, demo: Demo) -> Load:
    """Open the odds page, and wait for all events."""
    page.add_init_script(RECORDER)
    page.goto(demo.address)
    expect(page.locator(".count")).to_have_text(f"{demo.total} events", timeout=60_000)
    complete = page.evaluate("performance.now()")
    recorded = page.evaluate("window.recorded")
    return Load(recorded["first"], complete, max(recorded["tasks"], default=0))


def motion(page: Page, demo: Demo) -> Motion:
    """Let a cycle's changes arrive, and measure meanwhile."""
    page.evaluate(_FORGET)
    demo.cycle()
    recorded: dict[str, Sequence[float]] = page.evaluate("window.recorded")
    frames = recorded["frames"]
    p95 = statistics.quantiles(frames, n=_TWENTIETHS)[-1]
    return Motion(len(frames), p95, max(frames), max(recorded["tasks"], default=0))


class Memory:
    """The memory of a page's scripts, after what nobody needs was given back."""

    def __init__(self, page: Page) -> None:
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")

    def used_bytes(self) -> int:
        """Return it."""
        self._session.send("HeapProfiler.collectGarbage")
        metrics: list[dict[str, Any]] = self._session.send("Performance.getMetrics")["metrics"]
        return int(next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize"))
