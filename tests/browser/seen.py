"""What the odds page shows beside what the service serves."""

from collections.abc import Mapping
from typing import Any

from playwright.sync_api import Page

from tests.browser.demo import Demo

MARKETS = {"match_result": 3, "total_goals:line=2.5": 2, "both_teams_to_score": 2, "double_chance": 3}
"""The columns, with how many outcomes each has."""
_TABLES = """() => Object.fromEntries([...document.querySelectorAll('.market-table tr:has(th[rowspan])')].map((row) => [
  row.querySelector('th').textContent,
  [...row.querySelectorAll('td')].slice(1, -1).map((price) => price.querySelector('a')?.textContent ?? ''),
]))"""
_ROWS = """() => Object.fromEntries([...document.querySelectorAll('.block')].map((block) => [
  block.querySelector('.teams').getAttribute('href').split('/').pop(),
  [...block.querySelectorAll('.row')].map((row) =>
    [...row.querySelectorAll('.price')].map((price) => price.querySelector('.value')?.textContent ?? '')),
]))"""


def shown(page: Page) -> dict[str, list[list[str]]]:
    """Return the price texts of the events in sight: per event a row for each bookmaker."""
    return dict(page.evaluate(_ROWS))


def served(demo: Demo, sr_id: str) -> list[list[str]]:
    """Return the same as the service has it."""
    event = demo.get(f"/api/events/{sr_id}?markets={','.join(MARKETS)}")
    markets = {market["key"]: market for market in event["markets"]}
    return [
        [text for key in MARKETS for text in _texts(markets.get(key), slug, MARKETS[key])]
        for slug in event["bookmakers"]
    ]


def differences(page: Page, demo: Demo) -> list[str]:
    """Return the events in sight whose prices are not those of the service."""
    return [sr_id for sr_id, rows in shown(page).items() if rows != served(demo, sr_id)]


def first_outcomes(page: Page) -> dict[str, list[str]]:
    """Return the price texts on an event's page: of each market in sight its first outcome's, by bookmaker."""
    return dict(page.evaluate(_TABLES))


def served_outcomes(demo: Demo, sr_id: int) -> dict[str, list[str]]:
    """Return the same as the service has it, of all markets."""
    event = demo.get(f"/api/events/{sr_id}")
    return {_title(market): [_texts(market, slug, 1)[0] for slug in event["bookmakers"]] for market in event["markets"]}


def event_differences(page: Page, demo: Demo, sr_id: int) -> list[str]:
    """Return the markets in sight on an event's page whose prices are not those of the service."""
    served = served_outcomes(demo, sr_id)
    seen = first_outcomes(page)
    return [title for title, texts in seen.items() if texts != served.get(title)] if seen else ["none is in sight"]


def _title(market: Mapping[str, Any]) -> str:
    return " ".join([market["name"], *market["specifiers"].values()])


def _texts(market: Mapping[str, Any] | None, slug: str, outcomes: int) -> list[str]:
    if market is None:
        return [""] * outcomes
    cell = market["bookmakers"][slug]
    if not cell["outcomes"]:
        return [""] * outcomes
    return [_text(cell["state"], outcome) for outcome in cell["outcomes"]]


def _text(state: str, outcome: Mapping[str, Any]) -> str:
    if outcome["price"]:
        return str(outcome["price"])
    return "susp." if "suspended" in {state, outcome["state"]} else "\u2013"
