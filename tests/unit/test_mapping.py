"""Mapping files: validation at load, and resolving of wire ids to catalogue keys."""

import pytest

from overround.bookmakers.mapping.bookmaker_mapping import MarketMapping, Memo, Split, read_mapping
from overround.catalogue import Catalogue, load_catalogue
from overround.catalogue.definitions import read_definitions
from overround.errors import CatalogueError, LineError
from overround.records.odds import MarketKey

TOTALS = """
[[market]]
id = "18"
market = "total_goals"
specifiers = { total = "line" }
outcomes = { 12 = "over", 13 = "under" }
"""
HANDICAP = """
[[market]]
id = "14"
market = "european_handicap"
specifiers = { hcp = "handicap" }
outcomes = { 1 = "home", X = "draw", 2 = "away" }
"""
SPLIT = """
[[market]]
id = "HA"
market = "home_total_goals"
specifiers = { line = "line" }
outcomes = { OH = "over", UH = "under" }

[[market]]
id = "HA"
market = "away_total_goals"
specifiers = { line = "line" }
outcomes = { OA = "over", UA = "under" }
"""
VARIANTS = """
[[market]]
id = "21"
market = "exact_goals"
when = { variant = "6+" }
outcomes = { "6+:74" = "6_plus" }

[[market]]
id = "21"
market = "exact_goals"
when = { variant = "5+" }
outcomes = { "5+:9" = "5_plus" }
"""
FIRST_GOAL = """
[[market]]
id = "S_1STGOAL"
market = "first_goal"
fixed = { goal = "1" }
outcomes = { 1 = "home", X = "none", 2 = "away" }
"""


def mapping(text: str, sport: str = "football") -> MarketMapping:
    """Return the mapping of a file with these entries."""
    return read_mapping("toy/football.toml", f'sport = "{sport}"\n{text}', load_catalogue())[1]


@pytest.mark.parametrize(
    ("text", "line"), [("2.5", "2.5"), ("2.50", "2.5"), ("1", "1"), ("0.0", "0"), ("2.75", "2.75")]
)
def test_a_total_becomes_a_line_in_canonical_text(text: str, line: str) -> None:
    """However a bookmaker writes a line, its key is the same."""
    target = mapping(TOTALS).target("18", {"total": text})
    assert target is not None
    assert target.key == MarketKey("total_goals", f"line={line}")
    assert (target.slots["12"], target.slots["13"], target.width) == (0, 1, 2)


@pytest.mark.parametrize(("text", "handicap"), [("0:1", "-1"), ("2:0", "2"), ("1:1", "0"), ("-1", "-1"), ("+1", "1")])
def test_a_goal_start_becomes_the_home_sides_handicap(text: str, handicap: str) -> None:
    """A handicap of h:a goals is h - a for the home side."""
    target = mapping(HANDICAP).target("14", {"hcp": text})
    assert target is not None
    assert target.key == MarketKey("european_handicap", f"handicap={handicap}")


def test_an_id_may_be_split_among_markets_by_outcome() -> None:
    """Home and away totals may share one id; each outcome leads to its own market."""
    home, away = mapping(SPLIT).targets("HA", {"line": "1.5"})
    assert home.key == MarketKey("home_total_goals", "line=1.5")
    assert away.key == MarketKey("away_total_goals", "line=1.5")
    assert home.slots.keys().isdisjoint(away.slots)


def test_a_specifier_may_decide_between_variants() -> None:
    """The same id with another variant has other outcomes, and one that no entry names is not mapped."""
    variants = mapping(VARIANTS)
    six, five = variants.target("21", {"variant": "6+"}), variants.target("21", {"variant": "5+"})
    assert six is not None and five is not None  # noqa: PT018 - one fact
    assert six.key == five.key == MarketKey("exact_goals")
    assert six.slots.keys() == {"6+:74"}
    assert five.slots.keys() == {"5+:9"}
    assert variants.target("21", {"variant": "4+"}) is None


def test_an_id_may_imply_a_specifier() -> None:
    """A market that is the first goal by its id has the same key as one that says so."""
    target = mapping(FIRST_GOAL).target("S_1STGOAL", {})
    assert target is not None
    assert target.key == MarketKey("first_goal", "goal=1")


def test_specifiers_that_the_entry_does_not_name_leave_a_market_unmapped() -> None:
    """A total with the score added is another bet."""
    assert mapping(TOTALS).target("18", {"total": "2.5", "score": "0:0"}) is None
    assert mapping(TOTALS).target("19", {"total": "2.5"}) is None


@pytest.mark.parametrize("specifiers", [{}, {"total": ""}, {"total": "abc"}, {"total": "1:0"}, {"total": "nan"}])
def test_a_missing_or_unreadable_line_of_a_mapped_market_is_an_error(specifiers: dict[str, str]) -> None:
    """Such a market must not be counted as one that is not known."""
    with pytest.raises(LineError):
        mapping(TOTALS).target("18", specifiers)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (TOTALS + TOTALS, "18: outcome 12 is mapped twice"),
        (VARIANTS + VARIANTS, "21: outcome 6\\+:74 is mapped twice"),
        (TOTALS.replace("total_goals", "goals"), "'goals'"),
        (TOTALS.replace('"over"', '"more"'), "18: total_goals has no outcome more"),
        (TOTALS.replace('"over"', '"under"'), "18: two outcomes become the same"),
        (
            TOTALS.replace('specifiers = { total = "line" }\n', ""),
            "18: total_goals takes the specifiers line, not none",
        ),
        (HANDICAP.replace('"handicap"', '"line"'), "14: european_handicap takes the specifiers handicap, not line"),
        (TOTALS.replace("outcomes", "selections"), "selections"),
        (TOTALS.replace("[[market]]", "[[market]"), "toy/football.toml"),
    ],
)
def test_an_invalid_mapping_is_refused_by_file_and_entry(text: str, named: str) -> None:
    """A mistake in a mapping file is found when it is read, and is named."""
    with pytest.raises(CatalogueError, match=named) as caught:
        mapping(text)
    assert "toy/football.toml" in str(caught.value)


def test_a_mapping_cannot_lead_to_a_market_of_another_sport() -> None:
    """A file of one sport that names another's market would compare unlike bets."""
    with pytest.raises(CatalogueError, match="not of tennis"):
        mapping(TOTALS, sport="tennis")


def test_a_memo_forgets_rather_than_grows() -> None:
    """A table never holds more than its limit, and a failure is not kept."""
    asked: list[int] = []

    def half(number: int) -> int:
        asked.append(number)
        if number % 2:
            raise ValueError(number)
        return number // 2

    memo = Memo(half, limit=2)
    assert [memo[number] for number in (2, 2, 4, 6)] == [1, 1, 2, 3]
    assert len(memo) == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="3"):
            memo[3]
    assert asked == [2, 4, 6, 3, 3]


HANDBALL = """
sport = "handball"

[[market]]
number = 90001
key = "handball_total_goals"
name = "Total goals"
group = "main"
meaning = { counts = "goals", settles = "total" }
"""


def test_another_sport_is_data_only() -> None:
    """A definition file and a mapping file are all that a new sport needs."""
    catalogue = Catalogue(read_definitions("handball.toml", HANDBALL))
    entry = TOTALS.replace("total_goals", "handball_total_goals")
    sport, found = read_mapping("toy/handball.toml", f'sport = "handball"\n{entry}', catalogue)
    target = found.target("18", {"total": "55.5"})
    assert target is not None
    assert (sport, target.key) == ("handball", MarketKey("handball_total_goals", "line=55.5"))


PLAYERS = """
[[market]]
id = "7"
market = "player_goals"
selection = "p:{_id}:{at_least}"
label = "{player} {at_least:d}+"
outcome = "yes"

[[market]]
id = "7"
market = "own_goal"
outcomes = { own = "yes" }
"""


def test_selections_that_are_bets_of_their_own_are_found_by_id_and_name() -> None:
    """What the id and the name say has to be the same; ids of other forms go to other entries, or nowhere."""
    split = mapping(PLAYERS).route("7", {})
    assert isinstance(split, Split)
    found = split.place("p:1:2", "Jo Doe 2+")
    assert found is not None
    assert (found[0].key, found[1]) == (MarketKey("player_goals", "at_least=2|player=jo-doe"), 0)
    own = split.place("own", "")
    assert own is not None
    assert own[0].key == MarketKey("own_goal")
    assert split.place("other", "Jo Doe 2+") is None
    for name in ("Jo Doe 3+", "Jo Doe", ""):
        with pytest.raises(LineError):
            split.place("p:1:2", name)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('outcome = "yes"\n', "", "7: state either outcomes, or a selection and its outcome"),
        ('outcome = "yes"', 'outcome = "no"', "7: player_goals has no outcome no"),
        ("{player} ", "", "7: player_goals takes the specifiers at_least, player, not at_least"),
        ("{player} ", "{player} {team} ", "7: player_goals takes the specifiers at_least, player, not"),
        ("p:{_id}", "p:{_id", "is no pattern"),
    ],
)
def test_an_invalid_selection_is_refused(old: str, new: str, named: str) -> None:
    """Patterns have to give every specifier of the market, and no other."""
    with pytest.raises(CatalogueError, match=named):
        mapping(PLAYERS.replace(old, new))
