"""The odds grid."""

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import EVENTS
from tests.browser.demo import Demo

ALL = f"{EVENTS} events"
DASH = " \u2013 "
FOUR_LINES_PX = 67


def test_every_bookmaker_has_a_row_with_the_reference_first(odds: Page, demo: Demo) -> None:
    """An event is a group of one row for each bookmaker; prices are those of the service."""
    block = odds.locator(".block").first
    names = [one["name"] for one in demo.get("/api/bookmakers")["bookmakers"]]
    assert [text.strip() for text in block.locator(".book").all_inner_texts()] == names
    event = demo.get("/api/events?limit=1&markets=match_result")["events"][0]
    cells = block.locator(".row").first.locator(".price")
    for at, outcome in enumerate(event["markets"][0]["bookmakers"][demo.reference]["outcomes"]):
        expect(cells.nth(at)).to_contain_text(outcome["price"] or "")


def test_filters_and_order_stand_in_the_address(odds: Page) -> None:
    """What is chosen is in the address, and an address opens as it was left."""
    country = odds.get_by_label("Country", exact=True).locator("option").nth(1).get_attribute("value") or ""
    odds.get_by_label("Country", exact=True).select_option(country)
    odds.get_by_label("Sort", exact=True).select_option("gap")
    expect(odds.locator(".count")).to_have_text(re.compile(rf"^\d+ of {EVENTS} events$"))
    assert "country=" in odds.url
    assert "sort=gap" in odds.url
    shown = odds.locator(".count").inner_text()
    first = odds.locator(".teams").first.inner_text()
    odds.reload()
    expect(odds.locator(".count")).to_have_text(shown)
    expect(odds.locator(".teams").first).to_have_text(first)
    assert all(country in text for text in odds.locator(".where").all_inner_texts())


def test_search_finds_by_beginnings_of_words(odds: Page) -> None:
    """`/` goes to the search, which narrows as one types; nothing found is said, and can be undone."""
    home, away = (odds.locator(".teams").first.text_content() or "").split(DASH)
    odds.keyboard.press("/")
    odds.keyboard.type(f"{home[:4]} {away[:4]}".lower())
    expect(odds.locator(".teams").first).to_have_text(f"{home}{DASH}{away}")
    odds.keyboard.type(" qqqq")
    expect(odds.get_by_text("No event matches these filters.")).to_be_visible()
    odds.get_by_role("button", name="Clear the filters").click()
    expect(odds.locator(".count")).to_have_text(ALL)


def test_any_market_of_the_catalogue_can_be_added(odds: Page) -> None:
    """A market is found, its line given, and its column shown; the address has it, and it can be taken away."""
    odds.get_by_role("button", name="Markets…").click()
    odds.get_by_label("Find a market to add").fill("home goals over")
    odds.get_by_label("Home goals over/under: line").first.fill("1.50")
    odds.get_by_role("button", name="Add Home goals over/under").first.click()
    expect(odds.get_by_role("columnheader", name="Home goals over/under 1.5")).to_be_visible()
    assert "line%3D1.5" in odds.url
    expect(odds.locator(".block").first.locator(".row").first.locator(".price")).to_have_count(12)
    odds.get_by_role("button", name="Home goals over/under 1.5: take away").click()
    expect(odds.get_by_role("columnheader", name="Home goals over/under 1.5")).to_have_count(0)
    assert "markets=" not in odds.url


def test_another_sport_brings_markets_of_its_own(odds: Page) -> None:
    """Where nobody has chosen markets, a sport's usual ones are shown, with prices; the address stays short."""
    odds.get_by_label("Sport", exact=True).select_option("tennis")
    expect(odds.get_by_role("columnheader", name="Match winner")).to_be_visible()
    expect(
        odds.locator(".block").first.locator(".price").filter(has_text=re.compile(r"\d\.\d\d")).first
    ).to_be_visible()
    assert odds.url.endswith("/?sport=tennis")
    odds.get_by_label("Sport", exact=True).select_option("")
    expect(odds.get_by_role("columnheader", name="Match result (1X2)")).to_be_visible()


def test_the_keyboard_reaches_everything(odds: Page) -> None:
    """Arrows move in the grid, Enter opens, g and a letter goes to a page, ? lists the keys."""
    for _ in range(5):
        odds.keyboard.press("ArrowDown")
    expect(odds.locator(".price.chosen")).to_have_count(1)
    chosen = odds.get_by_role("grid").get_attribute("aria-activedescendant") or ""
    odds.keyboard.press("Enter")
    expect(odds).to_have_url(re.compile(rf"/events/{chosen.split('-')[1]}$"))
    for letter, path in (("c", "/coverage"), ("r", "/runs"), ("h", "/health-board"), ("s", "/settings"), ("o", "/")):
        odds.keyboard.press("g")
        odds.keyboard.press(letter)
        expect(odds).to_have_url(re.compile(f"{path}$"))
    odds.keyboard.press("?")
    expect(odds.get_by_role("region", name="Keyboard shortcuts")).to_be_visible()


def test_a_far_row_comes_into_sight(odds: Page, demo: Demo) -> None:
    """The last row is reached with one key, and the grid draws only what is seen."""
    odds.keyboard.press("ArrowDown")
    odds.keyboard.press("End")
    last = f"cell-{demo.get(f'/api/events?limit=1&offset={EVENTS - 1}')['events'][0]['sr_id']}-2-0"
    expect(odds.get_by_role("grid")).to_have_attribute("aria-activedescendant", last)
    expect(odds.locator(".price.chosen")).to_be_in_viewport()
    assert odds.locator(".block").count() < EVENTS


def test_nothing_of_a_title_is_cut(odds: Page, demo: Demo) -> None:
    """Teams, kick-off and tournament are there in full, on as many lines as they need, in whatever font there is."""
    events = demo.get(f"/api/events?limit={EVENTS}")["events"]
    long = max(events, key=lambda event: len(event["tournament"]))
    odds.add_init_script("addEventListener('DOMContentLoaded', () => document.body.style.fontFamily = 'monospace')")
    odds.set_viewport_size({"width": 1280, "height": 800})
    odds.reload()
    odds.get_by_label("Country", exact=True).select_option(long["country"])
    expect(odds.locator(".where").first).to_contain_text(long["tournament"])
    assert odds.locator(".block").first.evaluate("one => one.clientHeight") > FOUR_LINES_PX
    hidden = "all => all.filter(one => one.scrollHeight > one.clientHeight || one.scrollWidth > one.clientWidth).length"
    assert odds.locator(".title, .team, .when, .where").evaluate_all(hidden) == 0
    inside = "one => one.getBoundingClientRect().bottom <= one.closest('.block').getBoundingClientRect().bottom"
    assert odds.locator(".where").first.evaluate(inside)


def test_the_event_stays_in_sight(odds: Page) -> None:
    """With more columns than there is room for, event and bookmaker stay where they are, and arrows bring a column."""
    markets = "match_result,double_chance,both_teams_to_score,draw_no_bet,total_goals:line=2.5,total_goals:line=3.5"
    odds.goto(f"{odds.url}?markets={markets}")
    odds.set_viewport_size({"width": 1000, "height": 800})
    title, book = odds.locator(".title").first, odds.locator(".book").first
    before = title.bounding_box(), book.bounding_box()
    odds.get_by_role("grid").focus()
    odds.keyboard.press("ArrowDown")
    for _ in range(13):
        odds.keyboard.press("ArrowRight")
    expect(odds.locator(".price.chosen")).to_be_in_viewport(ratio=1)
    assert odds.get_by_role("grid").evaluate("grid => grid.scrollLeft") > 0
    assert (title.bounding_box(), book.bounding_box()) == before
    for _ in range(13):
        odds.keyboard.press("ArrowLeft")
    chosen, edge = odds.locator(".price.chosen").bounding_box(), book.bounding_box()
    assert chosen
    assert edge
    assert chosen["x"] >= edge["x"] + edge["width"] - 1
