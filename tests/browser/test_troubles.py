"""What the page shows where something is not well: dead letters, alerts, nobody who answers."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.demo import Demo, LonelyService, running
from tests.browser.test_accessibility import violations
from tests.browser.watch import Watch

PAGES = ("/", "/coverage", "/runs", "/settings", "/health-board")


@pytest.fixture
def refusing(spare: Demo) -> Demo:
    """Return a demo whose database takes no prices of its first event."""
    sr_id = spare.get("/api/events?limit=1&sport=football")["events"][0]["sr_id"]
    spare.sql(f"alter table latest_odds add constraint not_this_one check (event_id <> {sr_id}) not valid")
    while not spare.get("/api/queue/dead-letters")["total"]:
        spare.cycle()
    return spare


def test_dead_letters_are_said_on_every_page_and_can_be_retried(
    page: Page, watch: Watch, refusing: Demo, axe: str
) -> None:
    """A banner tells of dead letters everywhere; the health board has them with their reason, and writes them again."""
    del watch
    for address in PAGES:
        page.goto(refusing.address + address)
        expect(page.get_by_role("alert")).to_contain_text("dead letters")
        expect(page.get_by_role("alert")).to_contain_text("warning")
    letters = page.get_by_role("region", name="Dead letters")
    expect(letters.locator("tbody tr").first).to_contain_text("not_this_one")
    assert violations(page, axe) == []
    letters.get_by_role("button", name=re.compile("Retry dead letter")).first.click()
    expect(letters.get_by_role("status")).to_contain_text("1 offered again")
    expect(letters.locator("tbody tr").first).to_contain_text("not_this_one")
    refusing.sql("alter table latest_odds drop constraint not_this_one")
    letters.get_by_role("button", name="Retry all").click()
    expect(letters).to_have_count(0)
    assert refusing.get("/api/queue/dead-letters")["total"] == 0


def test_a_market_that_nobody_answers_for(page: Page, watch: Watch, tmp_path: Path) -> None:
    """Without events pages say so in words, and health board and runs say what went wrong."""
    del watch
    with running(LonelyService(tmp_path)) as lonely:
        for address in ("/", "/coverage"):
            page.goto(lonely.address + address)
            expect(page.get_by_text("No events yet.")).to_be_visible()
        page.goto(f"{lonely.address}/health-board")
        failed = page.get_by_role("region", name="Bookmakers").locator("tbody tr", has_text="transient")
        expect(failed).to_have_count(3)
        page.goto(f"{lonely.address}/runs")
        expect(page.locator(".wide tbody tr").first).to_contain_text("failed")
        expect(page.locator(".wide tbody tr").first).to_contain_text("transient 3")
