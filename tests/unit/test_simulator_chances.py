"""Chances of bets, against counting by hand."""

import math
from itertools import permutations, product

import pytest

from overround.records.odds import MarketKey
from overround.simulator.model.bets import UnknownBetError, reading
from overround.simulator.model.chances import Chances, View
from overround.simulator.model.expectancy import Expectancy
from tests.support.simulated import CATALOGUE, Market, market, shared_model

CHANCES = Chances(CATALOGUE)
VIEW = View(Expectancy(1.6, 1.1, 1.0))


def chances(key: str, specifiers: str = "") -> dict[str, float]:
    """Return a key's chances by outcome."""
    outcomes = CATALOGUE.market(key).outcomes
    recipe = CHANCES.recipe(MarketKey(key, specifiers), range(len(outcomes)))
    return dict(zip(outcomes, recipe.chances(VIEW), strict=True))


def poisson(mean: float, count: int) -> float:
    """Return the chance of exactly so many."""
    return math.exp(-mean) * mean**count / math.factorial(count)


def test_result_is_that_of_independent_poisson_counts() -> None:
    """Home, draw and away are the sums over all scores."""
    draw = sum(poisson(1.6, goals) * poisson(1.1, goals) for goals in range(30))
    home = sum(poisson(1.6, ours) * poisson(1.1, theirs) for ours in range(30) for theirs in range(ours))
    found = chances("match_result")
    assert found["draw"] == pytest.approx(draw, abs=1e-4)
    assert found["home"] == pytest.approx(home, abs=1e-4)


def test_markets_of_one_match_agree() -> None:
    """Double chance, totals, halves and combinations are of the same distribution as the result."""
    result, double = chances("match_result"), chances("double_chance")
    assert double["home_or_draw"] == pytest.approx(result["home"] + result["draw"])
    both = chances("match_result_and_both_teams_to_score")
    assert both["home_and_yes"] + both["home_and_no"] == pytest.approx(result["home"])
    assert sum(share for name, share in both.items() if name.endswith("yes")) == pytest.approx(
        chances("both_teams_to_score")["yes"]
    )
    halves = chances("half_time_full_time")
    at_half_time = chances("first_half_match_result")
    assert halves["home_home"] + halves["home_draw"] + halves["home_away"] == pytest.approx(
        at_half_time["home"], abs=2e-3
    )
    lines = [chances("total_goals", f"line={line}")["over"] for line in ("0.5", "1.5", "2.5", "3.5")]
    assert lines == sorted(lines, reverse=True)


def test_exclusive_outcomes_add_up() -> None:
    """Where a rule is known and outcomes are all there, chances add up to the market's probability sum."""
    for key in ("match_result", "double_chance", "winning_margin", "which_team_to_score", "first_half_match_result"):
        assert sum(chances(key).values()) == pytest.approx(CATALOGUE.market(key).probability_sum or 0)
    assert sum(chances("asian_handicap", "handicap=-0.75").values()) == pytest.approx(1)


@pytest.mark.parametrize(("home", "away"), list(product(range(4), repeat=2)))
@pytest.mark.parametrize("lead", [1, 2])
def test_early_payouts_count_the_orders_of_goals(home: int, away: int, lead: int) -> None:
    """A result paid early wins in those orders of the goals in which the side once led by so much, or won."""
    orders = set(permutations("h" * home + "a" * away))
    led = sum(
        any(order[:n].count("h") - order[:n].count("a") >= lead for n in range(len(order) + 1)) for order in orders
    )
    win = reading(f"match_result_{'one' if lead == 1 else 'two'}_up")("home", {})
    expected = 1.0 if home > away else led / len(orders)
    assert win(home, away) == pytest.approx(expected)


@pytest.mark.parametrize(("home", "away"), list(product(range(5), repeat=2)))
def test_runs_count_the_orders_of_goals(home: int, away: int) -> None:
    """Goals in a row come in those orders of the goals that have them."""
    orders = set(permutations("h" * home + "a" * away))
    for side, runs in (("home", ("hh",)), ("any_team", ("hh", "aa"))):
        having = sum(any(run in "".join(order) for run in runs) for order in orders)
        win = reading(f"{side}_two_in_a_row")("yes", {})
        assert win(home, away) == pytest.approx(having / len(orders))


@pytest.mark.parametrize(("home", "away"), list(product(range(4), repeat=2)))
def test_leads_count_the_orders_of_goals(home: int, away: int) -> None:
    """A side leads by so much, or wins from behind, in those orders of the goals in which it does."""
    orders = set(permutations("h" * home + "a" * away))
    ahead = [[order[:n].count("h") - order[:n].count("a") for n in range(len(order) + 1)] for order in orders]
    expected = {
        "home_lead_by_2": [max(leads) >= 2 for leads in ahead],
        "any_team_lead_by_1": [max(leads) >= 1 or min(leads) <= -1 for leads in ahead],
        "home_win_from_behind": [home > away and min(leads) < 0 for leads in ahead],
        "away_win_from_behind": [away > home and max(leads) > 0 for leads in ahead],
    }
    for name, happens in expected.items():
        share = sum(happens) / len(orders)
        assert reading(name)("yes", {})(home, away) == pytest.approx(share), name
        assert reading(name)("no", {})(home, away) == pytest.approx(1 - share), name


def test_alternatives_and_intervals_agree_with_their_parts() -> None:
    """A bet on any of several things, on a number of goals, or on another number, is of the same distribution."""
    result, exact = chances("match_result"), chances("exact_goals")
    between = [chances(f"match_result_and_goals_{goals}") for goals in ("1_2", "3_4")]
    assert sum(part["home"] for part in between) < result["home"]
    assert chances("excluded_goals")["2"] == pytest.approx(1 - exact["2"])
    assert chances("first_half_or_match_result")["draw"] >= result["draw"]
    either = chances("home_or_any_clean_sheet_or_under_total_goals", "line=2.5")
    assert either["yes"] >= max(result["home"], chances("total_goals", "line=2.5")["under"])
    assert sum(chances("half_time_full_time_double_chance").values()) == pytest.approx(4)


@pytest.mark.parametrize(
    "name", ["match_result", "total", "odd_even", "correct_score", "winning_margin", "first", "exact"]
)
def test_outcome_of_another_market_is_refused(name: str) -> None:
    """An outcome that a rule does not know is an error, so that its market gets made-up chances."""
    with pytest.raises(UnknownBetError):
        reading(name)("whenever", {"line": "2.5"})


def test_unknown_market_is_refused() -> None:
    """There is no rule for a name that says nothing."""
    with pytest.raises(UnknownBetError):
        reading("weather")


def test_every_offered_market_has_possible_chances() -> None:
    """Every market of every bookmaker has a chance above 0 and at most 1 for each outcome."""
    asked: Market = market(shared_model(1, 60))
    offered = {
        key for slug in asked.oracle.bookmakers for state in asked.oracle.states(slug, 0) for key in state.markets
    }
    for key in offered:
        assert all(0 <= chance <= 1.0001 for chance in chances(key.market, key.specifiers).values()), key
