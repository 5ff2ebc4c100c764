"""The other pages, each against the service's own word."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import EVENTS
from tests.browser.demo import Demo


def test_an_event_with_all_its_markets(odds: Page, demo: Demo) -> None:
    """The event's page has every market in groups, and searching finds a line by its abbreviation."""
    odds.locator(".teams").first.click()
    sr_id = odds.url.rsplit("/", 1)[1]
    markets = demo.get(f"/api/events/{sr_id}")["markets"]
    expect(odds.get_by_text(f"{len(markets)} of {len(markets)} markets")).to_be_visible()
    expect(odds.get_by_text("we are best at")).to_be_visible()
    odds.get_by_label("Search markets").fill("o25")
    expect(odds.get_by_role("rowheader", name="Total goals over/under 2.5")).to_be_visible()
    odds.get_by_label("Search markets").fill("")
    odds.get_by_role("button", name="goals", exact=True).click()
    goals = sum(market["group"] == "goals" for market in markets)
    expect(odds.get_by_text(f"{goals} of {len(markets)} markets")).to_be_visible()


def test_refreshing_an_event_says_what_changed(odds: Page) -> None:
    """Refresh now scrapes this event alone and tells what it brought; again at once is refused in words."""
    odds.locator(".teams").nth(1).click()
    refresh = odds.get_by_role("button", name="Refresh now")
    refresh.click()
    expect(odds.get_by_text(re.compile(r"market(s)? changed"))).to_be_visible()


def test_line_movement_as_chart_table_and_file(odds: Page) -> None:
    """A price opens its line: drawn, as a table, as margin, and as a file of exactly these figures."""
    odds.locator(".price .value").first.click()
    expect(odds.locator(".chart canvas")).to_be_visible()
    expect(odds.get_by_text(re.compile(r"BetPawa: opened \d+\.\d\d"))).to_be_visible()
    odds.get_by_role("button", name="Table").click()
    shown = odds.locator(".figures tbody tr")
    expect(shown.first).to_be_visible()
    with odds.expect_download() as saved:
        odds.get_by_role("button", name="CSV").click()
    lines = Path(saved.value.path()).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("at,betpawa")
    assert len(lines) - 1 == shown.count()
    odds.get_by_role("button", name="Margin").click()
    margin = float(odds.locator(".figures tbody tr td").nth(1).inner_text())
    assert 0 < margin < 40
    odds.get_by_role("button", name="Close the chart").click()
    expect(odds.locator(".chart")).to_have_count(0)


def test_the_events_shown_as_a_file(odds: Page) -> None:
    """The grid's CSV holds the chosen markets of the events that match."""
    odds.get_by_label("Search teams, countries, tournaments").fill(odds.locator(".teams").first.inner_text().split()[0])
    with odds.expect_download() as saved:
        odds.get_by_role("link", name="CSV").click()
    rows = Path(saved.value.path()).read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("sr_id,sport,country,tournament,home,away,kickoff,market,name,outcome,betpawa")
    assert 10 <= len(rows) - 1 < EVENTS * 10


def test_coverage_leads_to_the_events(odds: Page, demo: Demo) -> None:
    """Every tournament has a row with what each bookmaker offers, and leads to its events."""
    rows = demo.get("/api/coverage")["rows"]
    odds.get_by_role("link", name="Coverage").click()
    lines = odds.locator("tbody tr")
    expect(lines).to_have_count(1 + len(rows))
    expect(lines.first).to_contain_text(f"All{EVENTS}")
    lines.nth(1).locator("a").first.click()
    expect(odds.locator(".count")).to_have_text(f"{rows[0]['events']} of {EVENTS} events")


def test_a_run_is_followed_and_kept(odds: Page) -> None:
    """A run begun here shows its progress by bookmaker, and then stands in the list with its details."""
    odds.get_by_role("link", name="Runs").click()
    odds.get_by_role("button", name="Scrape everything now").click()
    expect(odds.get_by_role("progressbar")).to_have_count(3)
    expect(odds.get_by_role("progressbar")).to_have_count(0)
    newest = odds.locator(".wide tbody tr").first
    expect(newest).to_contain_text("completed")
    newest.get_by_role("button").click()
    expect(odds.get_by_text(re.compile("discovery .* ms, scraping .* ms"))).to_be_visible()
    expect(odds.get_by_text("Nothing failed.")).to_be_visible()


def test_health_of_bookmakers_queue_and_database(odds: Page, demo: Demo) -> None:
    """The health board has every bookmaker, the queue and the database."""
    odds.get_by_role("link", name="Health").click()
    for one in demo.get("/api/bookmakers")["bookmakers"]:
        expect(odds.get_by_role("rowheader", name=one["name"])).to_be_visible()
    for part in ("Write queue", "Service", "Bookmakers"):
        expect(odds.get_by_role("region", name=part)).to_be_visible()


def test_settings_are_saved_and_stay(odds: Page, demo: Demo) -> None:
    """A changed limit is saved, and nothing else is; what is out of bounds is refused in words."""
    odds.get_by_role("link", name="Settings").click()
    group = odds.get_by_role("group", name="SportyBet")
    group.get_by_label("at once").fill("7")
    odds.get_by_role("button", name="Save").click()
    expect(odds.get_by_text("Saved", exact=True)).to_be_visible()
    before = demo.get("/api/settings")
    assert before["bookmakers"]["sportybet"]["concurrency"] == 7
    odds.reload()
    expect(odds.get_by_role("group", name="SportyBet").get_by_label("at once")).to_have_value("7")


def test_colours_follow_the_system_or_the_choice(odds: Page) -> None:
    """Dark follows the system's wish, and the choice made in the page stays over a reload."""
    background = "getComputedStyle(document.body).backgroundColor"
    light = odds.evaluate(background)
    odds.emulate_media(color_scheme="dark")
    dark = odds.evaluate(background)
    assert dark != light
    odds.get_by_role("button", name="system").click()
    assert odds.evaluate(background) == light
    odds.reload()
    expect(odds.locator(".block").first).to_be_visible()
    assert odds.evaluate(background) == light


def test_an_address_that_is_none(page: Page, demo: Demo) -> None:
    """An event that is not there is said in words, with a way back."""
    page.goto(f"{demo.address}/events/1")
    expect(page.get_by_text("This event is not known, or it has gone.")).to_be_visible()
    page.get_by_role("link", name="To the odds").click()
    expect(page.locator(".block").first).to_be_visible()
