"""Prices as they move, and a service that goes away and comes back."""

from playwright.sync_api import Page, expect

from tests.browser.demo import Demo
from tests.browser.seen import differences, event_differences, first_outcomes, served_outcomes, shown
from tests.browser.watch import Watch

LIVE = "live"


def test_prices_move_without_a_reload(odds: Page, demo: Demo) -> None:
    """A cycle's changes arrive by themselves, are marked, and leave the page as the service's cache is."""
    expect(odds.locator(".link")).to_have_text(LIVE)
    odds.evaluate("window.same = true")
    before = shown(odds)
    demo.cycle()
    demo.wait_for(lambda: shown(odds) != before and not differences(odds, demo))
    expect(odds.locator(".arrow.flash").first).to_be_visible()
    assert odds.evaluate("window.same")


def test_the_place_stays_while_prices_move(odds: Page, demo: Demo) -> None:
    """A grid scrolled down stays where it is when a cycle's changes arrive."""
    odds.evaluate("document.querySelector('.grid').scrollTop = 1200")
    expect(odds.locator(".block").first).to_be_visible()
    demo.cycle()
    demo.wait_for(lambda: not differences(odds, demo))
    assert odds.evaluate("document.querySelector('.grid').scrollTop") == 1200


def test_prices_of_an_event_move_without_a_reload(page: Page, watch: Watch, demo: Demo) -> None:
    """On the event's own page prices move as they come, without asking for them, and are marked."""
    del watch
    sr_id = demo.get("/api/events?limit=1&sport=football")["events"][0]["sr_id"]
    page.goto(f"{demo.address}/events/{sr_id}")
    demo.wait_for(lambda: not event_differences(page, demo, sr_id))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before = first_outcomes(page)
    while all(served_outcomes(demo, sr_id).get(title) == texts for title, texts in before.items()):
        demo.cycle()
    demo.wait_for(lambda: not event_differences(page, demo, sr_id))
    expect(page.locator(".market-table .arrow.flash").first).to_be_visible()
    assert not [url for url in asked if f"/api/events/{sr_id}" in url]


def test_a_killed_service_is_said_and_found_again(page: Page, watch: Watch, spare: Demo) -> None:
    """While the service is away the page says so; when it is back, pages equal its cache without a reload."""
    watch.excused = ("ERR_", "502", "503")
    page.goto(spare.address)
    expect(page.locator(".count")).to_have_text("12 events")
    page.evaluate("window.same = true")
    sr_id = spare.get("/api/events?limit=1")["events"][0]["sr_id"]
    event = page.context.new_page()
    event.goto(f"{spare.address}/events/{sr_id}")
    expect(event.locator(".market-table").first).to_be_visible()
    spare.kill()
    expect(page.get_by_role("alert")).to_contain_text("The service does not answer")
    expect(page.locator(".link")).to_have_text("reconnecting…")
    spare.start()
    spare.cycle()
    expect(page.locator(".link")).to_have_text(LIVE)
    expect(page.get_by_role("alert")).to_have_count(0)
    spare.wait_for(lambda: not differences(page, spare))
    spare.wait_for(lambda: not event_differences(event, spare, sr_id))
    assert page.evaluate("window.same")
