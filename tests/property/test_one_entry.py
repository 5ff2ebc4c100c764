"""Laws of readers: whatever stands in one place of a list or a body, the other places are read as before."""

import asyncio
import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from overround.errors import FetchError
from overround.records.event import DiscoveryFailure, LeagueListings
from overround.records.odds import MarketKey
from tests.unit.test_one_entry import (
    SLUGS,
    discovered,
    fetcher_with,
    named,
    normaliser_of,
    other,
    raw,
)
from tests.wire_bodies import BEFORE, naija_body, pawa_body, pawa_market, pawa_row, sporty_body, sporty_market

Json = Any
Path = tuple[str | int, ...]
GOALS = MarketKey("total_goals", "line=2.5")
RESULT = MarketKey("match_result")

ODD: st.SearchStrategy[Json] = st.sampled_from(
    [None, True, False, "", "x", "\0", "\ud83d", "9" * 400, 0, -1, 10**30, -(10**30), 1e308, float("nan"), float("inf")]
) | st.sampled_from(
    [[], {}, [[]], [None], {"": None}, "9999-12-31T23:59:59Z", "0001-01-01 00:00:00", 253_402_300_799_000]
)

TWO_MARKETS: Mapping[str, Json] = {
    "betpawa": pawa_body(
        pawa_market("3743", pawa_row({"3744": 2.1, "3745": 3.3, "3746": 4.0})),
        pawa_market("5000", pawa_row({"5001": 1.9, "5002": 1.8}, 10)),
    ),
    "sportybet": sporty_body(
        sporty_market("1", {"1": "2.10", "2": "3.30", "3": "4.00"}),
        sporty_market("18", {"12": "1.90", "13": "1.80"}, specifier="total=2.5"),
    ),
    "bet9ja": naija_body(
        {"S_1X2_1": "2.10", "S_1X2_X": "3.30", "S_1X2_2": "4.00", "S_OU@2.5_O": "1.90", "S_OU@2.5_U": "1.80"}
    ),
}
# Where the result's market stands, in which anything may be put.
IN_RESULT: Mapping[str, tuple[Path, ...]] = {
    "betpawa": (("markets", 0),),
    "sportybet": (("data", "markets", 0),),
    "bet9ja": tuple(("D", "O", key) for key in ("S_1X2_1", "S_1X2_X", "S_1X2_2")),
}


def paths_below(value: Json, at: Path = ()) -> Iterator[Path]:
    """Yield the paths of all places of a value, itself included."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from paths_below(part, (*at, key))


def placed(value: Json, path: Path, odd: Json) -> Json:
    """Return a value with something else at a path."""
    if not path:
        return odd
    changed = copy.deepcopy(value)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = odd
    return changed


def at(value: Json, path: Path) -> Json:
    """Return what stands at a path."""
    for key in path:
        value = value[key]
    return value


@settings(deadline=None)  # the first call of each bookmaker builds its normaliser
@given(st.data(), st.sampled_from(SLUGS), ODD)
def test_a_damaged_market_costs_no_other(data: st.DataObject, slug: str, odd: Json) -> None:
    """Anything in any place of one market leaves the prices of the others as they are."""
    body = TWO_MARKETS[slug]
    start = data.draw(st.sampled_from(IN_RESULT[slug]))
    path = start + data.draw(st.sampled_from(sorted(paths_below(at(body, start)), key=str)))
    offer = normaliser_of(slug).normalise(raw(placed(body, path, odd)), BEFORE)
    assert offer.markets[GOALS].prices == (1900, 1800)


@settings(deadline=None)  # the first call of each bookmaker builds its normaliser
@given(st.data(), st.sampled_from(SLUGS), ODD)
def test_a_damaged_body_is_read_or_classified(data: st.DataObject, slug: str, odd: Json) -> None:
    """Anything in any place of a body gives an offer with bounded texts and dates, or a classified error."""
    body = TWO_MARKETS[slug]
    path = data.draw(st.sampled_from(sorted(paths_below(body), key=str)))
    try:
        offer = normaliser_of(slug).normalise(raw(placed(body, path, odd)), BEFORE)
    except FetchError:
        return
    assert 2000 <= offer.listing.kickoff.year < 2200
    texts = (offer.listing.home, offer.listing.away, offer.listing.country, offer.listing.tournament)
    assert all(len(text) <= 200 and "\0" not in text for text in texts)
    json.dumps(texts, ensure_ascii=False).encode()


@settings(deadline=None)  # the first call of each bookmaker builds its normaliser
@given(st.data(), st.sampled_from(SLUGS), st.lists(ODD, max_size=4))
def test_damaged_entries_cost_no_other(data: st.DataObject, slug: str, odds: list[Json]) -> None:
    """Anything in any place of some entries of a list: every sound entry is listed, every other is accounted for."""
    sound = [named(slug, other(slug, 500 + number), f"Team {number}") for number in range(3)]
    added: list[Json] = list(sound)
    for number, odd in enumerate(odds):
        entry = other(slug, 900 + number)
        path = data.draw(st.sampled_from(sorted(paths_below(entry), key=str)))
        added.insert(data.draw(st.integers(0, len(added))), placed(entry, path, odd))
    answers = asyncio.run(discovered(slug, fetcher_with(slug, added)))
    assert not [answer for answer in answers if isinstance(answer, DiscoveryFailure)]
    leagues = [answer for answer in answers if isinstance(answer, LeagueListings)]
    assert {f"Team {number}" for number in range(3)} <= {listing.home for listing in leagues[0].listings}
    assert leagues[0].unreadable <= len(odds)
    assert sum(dropped.count for dropped in leagues[0].dropped) + len(leagues[0].listings) >= leagues[0].listed
