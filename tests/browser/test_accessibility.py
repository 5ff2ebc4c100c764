"""No violation of WCAG 2.1 A or AA that axe can find, on any page, light and dark."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.demo import Demo
from tests.browser.watch import Watch

RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'], resultTypes: ['violations']}"
# Where, and what is there when the page is complete.
PAGES = {
    "/": ".block",
    "/?text=qqqq": ".notice button",
    "/events/{sr_id}": "tbody tr",
    "/events/{sr_id}?chart=match_result%20home": ".chart canvas",
    "/coverage": "tbody tr",
    "/runs": "tbody tr",
    "/health-board": "tbody tr",
    "/settings": "fieldset",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page(page: Page, watch: Watch, demo: Demo, axe: str, scheme: Any) -> None:
    """Axe finds nothing on any page."""
    del watch
    page.emulate_media(color_scheme=scheme)
    sr_id = demo.get("/api/events?limit=1")["events"][0]["sr_id"]
    found = {}
    for address, complete in PAGES.items():
        page.goto(demo.address + address.format(sr_id=sr_id))
        expect(page.locator(complete).first).to_be_visible()
        found[address] = violations(page, axe)
    assert {address: bad for address, bad in found.items() if bad} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_opens_on_the_odds_page(odds: Page, axe: str, scheme: Any) -> None:
    """Axe finds nothing in the list of keys and the choice of markets."""
    odds.emulate_media(color_scheme=scheme)
    odds.keyboard.press("?")
    odds.get_by_role("button", name="Markets…").click()
    assert violations(odds, axe) == []


def violations(page: Page, axe: str) -> list[str]:
    """Return what axe finds, in short."""
    page.evaluate(axe)
    found = page.evaluate(f"axe.run({RULES})")["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"][:3]]
