"""Chances in basketball and tennis: markets of one match agree with one another."""

from collections import defaultdict

import pytest

from overround.errors import SettingsError
from overround.records.odds import MarketKey
from overround.simulator.model import sets
from overround.simulator.model.chances import Chances, View
from overround.simulator.model.expectancy import Expectancy
from overround.simulator.model.fixtures import FixtureList
from overround.simulator.model.leagues import leagues_for
from overround.simulator.model.parameters import EPOCH, Parameters
from tests.support.simulated import CATALOGUE, SLUGS, market, shared_model

CHANCES = Chances(CATALOGUE)
VIEW = View(Expectancy(1.6, 1.1, 1.0, points=164.0))
SPORTS = ("football", "basketball", "tennis")


def chances(key: str, specifiers: str = "") -> dict[str, float]:
    """Return a key's chances by outcome."""
    outcomes = CATALOGUE.market(key).outcomes
    recipe = CHANCES.recipe(MarketKey(key, specifiers), range(len(outcomes)))
    return dict(zip(outcomes, recipe.chances(VIEW), strict=True))


def test_basketball_markets_of_one_match_agree() -> None:
    """Winner, handicaps, margins, halves and combinations are of one distribution."""
    result, winner = chances("regular_time_result"), chances("winner_with_overtime")
    assert result["home"] < winner["home"] < result["home"] + result["draw"]
    assert chances("tied_after_regular_time")["yes"] == pytest.approx(result["draw"])
    assert chances("points_handicap_with_overtime", "handicap=-0.5")["home"] == pytest.approx(winner["home"])
    assert chances("regular_time_european_handicap", "handicap=0") == pytest.approx(result)
    margins = chances("winning_margin_with_overtime")
    assert sum(chance for name, chance in margins.items() if name.startswith("home")) == pytest.approx(winner["home"])
    both = chances("winner_and_total_points_with_overtime", "line=164.5")
    assert both["home_and_over"] + both["home_and_under"] == pytest.approx(winner["home"])
    halves = chances("points_half_time_full_time")
    assert sum(chance for name, chance in halves.items() if name.endswith("_home")) == pytest.approx(
        result["home"], abs=0.02
    )
    assert sum(chance for name, chance in halves.items() if name.startswith("home_")) == pytest.approx(
        chances("first_half_points_result")["home"], abs=1e-6
    )


def test_basketball_lines_are_monotonous_and_between_each_other() -> None:
    """A higher line is less likely; on a whole line the stake comes back; a quarter line is half on each neighbour."""
    over = [
        chances("total_points_with_overtime", f"line={line}")["over"] for line in ("160.5", "161", "161.25", "161.5")
    ]
    assert over == sorted(over, reverse=True)
    assert over[1] == pytest.approx((over[0] + over[3]) / 2)
    assert over[2] == pytest.approx((over[1] + over[3]) / 2)
    highest = chances("highest_scoring_quarter_total_points", "line=45.5")["over"]
    lowest = chances("lowest_scoring_quarter_total_points", "line=45.5")["over"]
    assert lowest < chances("quarter_total_points", "line=45.5|quarter=1")["over"] < highest


def test_tennis_markets_of_one_match_agree() -> None:
    """Winner, sets, games and combinations are of the same courses of a match."""
    winner, score = chances("match_winner"), chances("correct_set_score")
    assert score["2:0"] + score["2:1"] == pytest.approx(winner["home"])
    assert chances("sets_handicap", "handicap=-1.5")["home"] == pytest.approx(score["2:0"])
    assert chances("total_sets", "line=2.5")["over"] == pytest.approx(score["2:1"] + score["1:2"])
    assert chances("match_to_end", "score=2:0")["yes"] == pytest.approx(score["2:0"])
    assert chances("home_to_win_a_set")["yes"] == pytest.approx(1 - score["0:2"])
    both = chances("winner_and_total_games", "line=22.5")
    assert both["home_and_over"] + both["home_and_under"] == pytest.approx(winner["home"])
    assert both["home_and_over"] + both["away_and_over"] == pytest.approx(chances("total_games", "line=22.5")["over"])
    assert sum(chances("set_correct_score", "set=1").values()) == pytest.approx(1)
    first = chances("first_set_and_match_winner")
    assert first["home_and_home"] + first["home_and_away"] == pytest.approx(chances("set_winner", "set=1")["home"])


def test_games_of_a_tennis_match_are_those_of_its_sets() -> None:
    """Games of both sides are as likely as playing set after set, until one side has two, makes them."""
    scores = list(zip(sets._SCORES, VIEW.sets.cells(of_a_set=True), strict=True))
    expected: defaultdict[tuple[int, int, int], float] = defaultdict(float)

    def play(home_sets: int, home: int, away: int, played: int, chance: float) -> None:
        if 2 in (home_sets, played - home_sets):
            expected[home_sets, home, away] += chance
            return
        for score, share in scores:
            won = home_sets + (score.home > score.away)
            play(won, home + score.home, away + score.away, played + 1, chance * share)

    play(0, 0, 0, 0, 1.0)
    found: defaultdict[tuple[int, int, int], float] = defaultdict(float)
    for ending, chance in zip(sets._layout().endings, VIEW.sets.cells(of_a_set=False), strict=True):
        found[ending.home_sets, ending.home, ending.away] += chance
    assert found == pytest.approx(expected)


def test_even_players_win_as_often() -> None:
    """Between equals everything about one is as likely as about the other."""
    even = View(Expectancy(1.3 * 1.1388, 1.3 / 1.1388, 1.0))
    recipe = CHANCES.recipe(MarketKey("correct_set_score", ""), range(4))
    chances_of = recipe.chances(even)
    assert chances_of == pytest.approx(chances_of[::-1], abs=1e-3)


@pytest.mark.parametrize("slug", SLUGS)
def test_other_sports_prices_are_not_made_up(slug: str) -> None:
    """Every market of basketball and tennis follows from the match, and some of its outcomes can happen."""
    asked = market(shared_model(1, 30, sports=SPORTS), [slug])
    seen = [state for state in asked.oracle.states(slug, 0) if state.listing.sport != "football"]
    assert {state.listing.sport for state in seen} == {"basketball", "tennis"}
    for state in seen:
        for key, prices in state.markets.items():
            assert CHANCES._rules[key] is not None, key
            assert any(prices.prices), key


def test_each_sport_but_the_first_has_a_tenth_of_the_places() -> None:
    """Of 60 places 48 are of football; these have the leagues they have where there is no other sport."""
    fixtures = FixtureList(Parameters(events=60, sports=SPORTS)).upcoming(EPOCH)
    sports = [fixture.league.sport for fixture in fixtures]
    assert [sports.count(sport) for sport in SPORTS] == [48, 6, 6]
    assert {fixture.league for fixture in fixtures if fixture.league.sport == "football"} <= set(leagues_for(60))
    assert len({fixture.league.number for fixture in fixtures}) == len({fixture.league.name for fixture in fixtures})


def test_a_sport_without_leagues_is_refused() -> None:
    """There is nothing to simulate of a sport that no league is known of, and the error says what there is."""
    with pytest.raises(SettingsError, match=r"no darts.*football, basketball, tennis"):
        leagues_for(10, "darts")
