"""The checks that find wrong mappings: quiet on sound prices, and loud about each thing that can go wrong."""

from collections.abc import Mapping

import pytest

from overround.bookmakers.registry import load_bookmakers
from overround.catalogue import Catalogue, load_catalogue
from overround.catalogue.overrides import parse_overrides
from overround.cli.offer_view import offer_before_kickoff
from overround.pricing.checks import Finding, check_event
from overround.pricing.probabilities import Priced
from overround.records.odds import MarketKey, MarketPrices
from overround.simulator.server.captures import default_recordings_dir
from tests.support.simulated import market, shared_model
from tests.wire_bodies import (
    Json,
    encoded,
    naija_body,
    pawa_body,
    pawa_market,
    pawa_row,
    sporty_body,
    sporty_market,
)

SPORTY = sporty_body(
    sporty_market("1", {"1": "2.00", "2": "3.40", "3": "3.60"}),
    sporty_market("10", {"9": "1.25", "10": "1.28", "11": "1.72"}),
    sporty_market("18", {"12": "1.30", "13": "3.20"}, specifier="total=1.5"),
    sporty_market("18", {"12": "1.90", "13": "1.85"}, specifier="total=2.5"),
    sporty_market("19", {"12": "3.10", "13": "1.32"}, specifier="total=2.5"),
    sporty_market("16", {"1714": "3.50", "1715": "1.27"}, specifier="hcp=-1.5"),
    sporty_market("14", {"1711": "3.50", "1712": "3.80", "1713": "1.80"}, specifier="hcp=0:1"),
    sporty_market(
        "37",
        {"794": "8.00", "796": "2.60", "798": "5.60", "800": "8.00", "802": "7.00", "804": "6.00"},
        specifier="total=2.5",
    ),
)
PAWA = pawa_body(
    pawa_market("3743", pawa_row({"3744": 1.97, "3745": 3.4, "3746": 3.65})),
    pawa_market("5000", pawa_row({"5001": 1.92, "5002": 1.83}, 10)),
)
NAIJA = naija_body(
    {"S_1X2_1": "2.02", "S_1X2_X": "3.35", "S_1X2_2": "3.6", "S_OU@2.5_O": "1.88", "S_OU@2.5_U": "1.86"}
    | {"S_DC_1X": "1.26", "S_DC_12": "1.29", "S_DC_X2": "1.7", "S_AH@-1.5_1": "3.5", "S_AH@-1.5_2": "1.26"}
)
BODIES: Mapping[str, Json] = {"sportybet": SPORTY, "betpawa": PAWA, "bet9ja": NAIJA}

RESULT_SWAPPED = """
specifiers = { total = "line" }
[market.outcomes]
794 = "home_and_under"
796 = "draw_and_over"
798 = "draw_and_under"
800 = "home_and_over"
802 = "away_and_under"
804 = "away_and_over"
"""
SWAPPED = """
[[market]]
bookmaker = "{bookmaker}"
sport = "football"
id = "{id}"
market = "{market}"
{rest}
"""


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Return the catalogue."""
    return load_catalogue()


def prices_with(catalogue: Catalogue) -> dict[str, Priced]:
    """Return the prices of one match at three bookmakers."""
    bookmakers = load_bookmakers()
    return {
        slug: offer_before_kickoff(bookmakers[slug].normaliser(catalogue), encoded(body)).markets
        for slug, body in BODIES.items()
    }


def found(findings: tuple[Finding, ...]) -> set[tuple[str, str]]:
    """Return checks and markets of findings."""
    return {(finding.check, finding.market) for finding in findings}


def test_sound_prices_give_no_finding(catalogue: Catalogue) -> None:
    """Three bookmakers that price one match alike are not complained about."""
    assert check_event(prices_with(catalogue), catalogue) == ()


def test_the_packages_recordings_give_no_finding(catalogue: Catalogue) -> None:
    """What the demonstration shows makes sense."""
    bookmakers = load_bookmakers()
    events: dict[int | None, dict[str, Priced]] = {}
    for path in sorted(default_recordings_dir().glob("*.json")):
        slug = path.name.partition("_")[0]
        offer = offer_before_kickoff(bookmakers[slug].normaliser(catalogue), path.read_bytes())
        events.setdefault(offer.listing.sr_id, {})[slug] = offer.markets
    assert len(events) > 3
    assert [check_event(prices, catalogue) for prices in events.values()] == [()] * len(events)


async def test_the_simulated_market_gives_no_finding(catalogue: Catalogue) -> None:
    """The bookmakers of a simulated world price each match of every sport so that no check complains."""
    asked = market(shared_model(1, 24, sports=("football", "basketball", "tennis")))
    events: dict[int, dict[str, Priced]] = {}
    for slug in asked.clients:
        for listing in await asked.listings(slug):
            if listing.sr_id is not None:
                events.setdefault(listing.sr_id, {})[slug] = (await asked.offer(slug, listing)).markets
    assert {len(prices) for prices in events.values()} >= {3}
    assert [finding for prices in events.values() for finding in check_event(prices, catalogue)] == []


@pytest.mark.parametrize(
    ("wrong", "finding"),
    [
        (
            ("bet9ja", "S_OU", "total_goals", 'specifiers = {line="line"}\noutcomes = {O="under", U="over"}'),
            None,
        ),
        (
            ("bet9ja", "S_1X2", "match_result", 'outcomes = {1="away", X="draw", 2="home"}'),
            ("agreement", "match_result"),
        ),
        (
            ("bet9ja", "S_DC", "double_chance", 'outcomes = {1X="home_or_draw", X2="home_or_away", 12="draw_or_away"}'),
            ("double_chance", "double_chance"),
        ),
        (
            ("sportybet", "18", "total_goals", 'specifiers = {total="line"}\noutcomes = {12="under", 13="over"}'),
            ("order", "total_goals"),
        ),
        (
            (
                "sportybet",
                "16",
                "asian_handicap",
                'specifiers = {hcp="handicap"}\noutcomes = {1714="away",1715="home"}',
            ),
            ("sign", "asian_handicap"),
        ),
        (
            ("sportybet", "19", "home_total_goals", 'specifiers={total="line"}\noutcomes={12="under",13="over"}'),
            ("totals", "home_total_goals"),
        ),
        (
            (
                "sportybet",
                "37",
                "match_result_and_total_goals",
                RESULT_SWAPPED,
            ),
            ("parts", "match_result_and_total_goals"),
        ),
        (
            ("sportybet", "10", "match_result", 'outcomes = {9="home", 10="draw", 11="away"}'),
            ("overround", "match_result"),
        ),
    ],
)
def test_a_wrong_mapping_is_found(
    catalogue: Catalogue, wrong: tuple[str, str, str, str], finding: tuple[str, str] | None
) -> None:
    """Outcomes swapped, sides swapped, or another market altogether: something does not fit any more."""
    bookmaker, wire_id, market, rest = wrong
    text = SWAPPED.format(bookmaker=bookmaker, id=wire_id, market=market, rest=rest)
    if wire_id == "10":  # in the place of the real result, which would be taken first
        text += SWAPPED.format(
            bookmaker=bookmaker, id="1", market="double_chance", rest='outcomes = {9="home_or_draw"}'
        )
    prices = prices_with(catalogue.with_overrides(parse_overrides("own.toml", text)))
    seen = found(check_event(prices, catalogue))
    if finding is None:  # a total at even money looks the same both ways round
        assert seen == set()
    else:
        assert finding in seen


def test_counts_and_combinations_without_a_sum_are_compared_by_price(catalogue: Catalogue) -> None:
    """Where no rule takes the margins out, prices that are far apart are told, and long ones are not."""
    key = MarketKey("player_fouls", "at_least=1|player=jo-doe")
    long = MarketKey("player_fouls", "at_least=5|player=jo-doe")
    one: Priced = {key: MarketPrices((1500,)), long: MarketPrices((30_000,))}
    other: Priced = {key: MarketPrices((4000,)), long: MarketPrices((90_000,))}
    (finding,) = check_event({"one": one, "other": other}, catalogue)
    assert (finding.check, finding.bookmakers, finding.specifiers) == ("agreement", ("one", "other"), key.specifiers)
    assert finding.detail == "yes 1.50/4.00"


def test_more_of_something_cannot_be_likelier(catalogue: Catalogue) -> None:
    """Nine or more is dearer than eight or more."""
    eight, nine = MarketKey("match_shots", "at_least=8"), MarketKey("match_shots", "at_least=9")
    sound: Priced = {eight: MarketPrices((1400,)), nine: MarketPrices((1600,))}
    broken: Priced = {eight: MarketPrices((1600,)), nine: MarketPrices((1400,))}
    assert check_event({"one": sound}, catalogue) == ()
    assert found(check_event({"one": broken}, catalogue)) == {("order", "match_shots")}


def test_suspended_and_unknown_markets_are_left_alone(catalogue: Catalogue) -> None:
    """Prices that cannot be bet on, and markets of another release, say nothing."""
    prices: Priced = {
        MarketKey("match_result"): MarketPrices((-2000, -2000, -2000)),
        MarketKey("no_such_market"): MarketPrices((1010, 1010)),
        MarketKey("both_teams_to_score"): MarketPrices((5000, 0)),
    }
    assert check_event({"one": prices, "other": prices}, catalogue) == ()
