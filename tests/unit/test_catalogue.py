"""The market definitions that ship, and the mechanism that reads them."""

from pathlib import Path

import pytest

from overround.catalogue import Catalogue, Market, load_catalogue
from overround.catalogue.definitions import read_definitions
from overround.errors import CatalogueError

RELEASED = Path(__file__).with_name("released_markets.txt")
TWO_MARKETS = """
sport = "football"

[[market]]
number = {first}
key = "match_result"
name = "Match result"
group = "main"
meaning = {{ counts = "goals", settles = "result" }}

[[market]]
number = 2
key = "{second}"
name = "Draw no bet"
group = "main"
meaning = {{ counts = "goals", settles = "draw_no_bet" }}
"""


def released() -> dict[int, tuple[str, tuple[str, ...]]]:
    """Return what has been released: key and outcomes by number."""
    lines = [line.split(" ", 2) for line in RELEASED.read_text("utf-8").splitlines()]
    return {int(number): (key, tuple(outcomes.split("|"))) for number, key, outcomes in lines}


def test_released_markets_keep_their_numbers_and_the_order_of_their_outcomes() -> None:
    """Stored prices are arrays in catalogue order under a market's number, so that neither may ever change."""
    catalogue = load_catalogue()
    for number, (key, outcomes) in released().items():
        market = catalogue.numbered(number)
        assert market is not None, f"{number} {key} is gone"
        assert market.key == key
        assert market.outcomes[: len(outcomes)] == outcomes


def test_every_market_and_outcome_is_in_the_released_list() -> None:
    """Whoever adds a market or an outcome adds it to the list, which from then on holds it in its place."""
    assert {market.number: (market.key, market.outcomes) for market in load_catalogue()} == released()


def test_football_has_the_most_frequent_markets_with_their_margins() -> None:
    """The catalogue holds the main markets, grouped, with the sum of probabilities where a rule gives one."""
    catalogue = load_catalogue()
    assert len([market for market in catalogue if market.sport == "football"]) >= 40
    assert catalogue.market("match_result").probability_sum == 1
    assert catalogue.market("double_chance").probability_sum == 2
    assert catalogue.market("match_result_one_goal_up").probability_sum is None
    assert catalogue.market("total_goals").specifiers == ("line",)
    assert catalogue.market("asian_handicap").specifiers == ("handicap",)
    assert catalogue.market("corners_total").group == "corners"


def test_a_market_is_found_by_key_and_by_number() -> None:
    """An unknown key is an error where it is asked for by name, and None where it comes from outside."""
    catalogue = load_catalogue()
    assert catalogue.market("match_result").outcomes == ("home", "draw", "away")
    assert catalogue.number("match_result") == 1
    assert catalogue.numbered(1_000_000) is None
    assert catalogue.find("no_such_market") is None
    with pytest.raises(CatalogueError, match="no_such_market"):
        catalogue.market("no_such_market")


@pytest.mark.parametrize(
    ("first", "second", "named"), [(2, "draw_no_bet", "number defined twice: 2"), (1, "match_result", "match_result")]
)
def test_a_repeated_number_or_key_is_refused(first: int, second: str, named: str) -> None:
    """Two markets cannot share an identity."""
    markets = read_definitions("football.toml", TWO_MARKETS.format(first=first, second=second))
    with pytest.raises(CatalogueError, match=named):
        Catalogue(markets)


def test_a_file_that_is_no_definition_is_named() -> None:
    """The error for a bad definition file says which file it is."""
    with pytest.raises(CatalogueError, match=r"broken\.toml"):
        read_definitions("broken.toml", "sport = ")
    with pytest.raises(CatalogueError, match=r"odd.toml.*groop"):
        read_definitions("odd.toml", TWO_MARKETS.format(first=1, second="x").replace("group", "groop"))


def test_a_market_without_outcomes_is_refused() -> None:
    """A market of no outcomes would be stored as removed."""
    with pytest.raises(CatalogueError, match="has no outcomes"):
        Catalogue([Market(number=1, key="empty", name="Empty", group="main", outcomes=())])


COMBINED = """
sport = "football"

[[market]]
number = 1
key = "result"
name = "Result"
group = "main"
meaning = {{ counts = "goals", settles = "double_chance" }}

[[market]]
number = 2
key = "total"
name = "Total"
group = "main"
meaning = {{ counts = "goals", settles = "total" }}

[[market]]
number = 3
key = "both"
name = "Both"
group = "combos"
meaning = {{ counts = "goals", settles = "combination" }}
parts = ["result", "total"]
{rest}
"""


FOURTH = """
[[market]]
number = 4
key = "x"
name = "X"
group = "g"
"""


def test_a_combination_is_composed_of_its_parts() -> None:
    """Every outcome of one goes with every outcome of the other; specifiers join, and sums multiply."""
    both = read_definitions("football.toml", COMBINED.format(rest=""))[2]
    assert both.outcomes[:3] == ("home_or_draw_and_over", "home_or_draw_and_under", "home_or_away_and_over")
    assert (len(both.outcomes), both.specifiers, both.probability_sum) == (6, ("line",), 2)
    fewer = read_definitions("football.toml", COMBINED.format(rest='outcomes = ["home_or_away_and_under"]'))[2]
    assert fewer.outcomes == ("home_or_away_and_under",)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ('outcomes = ["home_and_over"]', "both: combination has no outcome home_and_over"),
        ('specifiers = ["lines"]', "both: .*no specifier 'lines'"),
        ('covers = [["over"]]', "both: covers name no outcome over"),
        ('probability_sum = "none"', 'both: the probability sum is a number or "unknown"'),
        (
            FOURTH + 'meaning = { counts = "goals", settles = "exact" }\noutcomes = ["0"]',
            "x: state the probability sum",
        ),
        (
            FOURTH + 'meaning = { counts = "apples", settles = "total" }',
            "x: .*does not know 'apples'",
        ),
        (
            FOURTH + 'meaning = { counts = "goals", settles = "totals" }',
            "x: .*no settlement 'totals'",
        ),
        (
            FOURTH + 'parts = ["y"]\nmeaning = { counts = "goals", settles = "combination" }',
            "x: its part y is not defined before it",
        ),
    ],
)
def test_a_definition_that_does_not_hold_together_is_refused(rest: str, message: str) -> None:
    """Words that nobody knows, outcomes that the parts do not have, and sums that nobody states are named."""
    with pytest.raises(CatalogueError, match=message):
        read_definitions("football.toml", COMBINED.format(rest=rest))


def test_every_market_states_its_sum_and_has_words_for_what_it_is() -> None:
    """Combinations settle as such, and covers have the sum that their market states."""
    catalogue = load_catalogue()
    assert {market.sport for market in catalogue} == {"football", "basketball", "tennis"}
    for market in catalogue:
        assert all(catalogue.find(part) for part in market.parts)
        assert not market.parts or market.meaning.settles == "combination"
        assert not market.covers or market.probability_sum == 1
