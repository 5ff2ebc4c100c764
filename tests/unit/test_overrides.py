"""The user's own mapping file."""

from pathlib import Path

import pytest

from overround.bookmakers.mapping.bookmaker_mapping import load_mappings
from overround.bookmakers.registry import load_bookmakers, refuse_unknown_bookmakers
from overround.catalogue import Catalogue, load_catalogue, read_overrides
from overround.catalogue.overrides import parse_overrides
from overround.errors import CatalogueError
from overround.records.odds import MarketKey

PACKAGE = "overround.bookmakers.bet9ja"
OWN = """# mine
[[market]]
bookmaker = "bet9ja"
sport = "football"
id = "S_NEW"
market = "total_goals"
specifiers = { line = "line" }
outcomes = { O = "over", U = "under" }

[[market]]  # theirs is wrong
bookmaker = "bet9ja"
sport = "football"
id = "S_HAOU"
market = "home_total_goals"
specifiers = { line = "line" }
outcomes = { OH = "over" }
"""


def with_file(text: str) -> Catalogue:
    """Return the catalogue with a mapping file."""
    return load_catalogue().with_overrides(parse_overrides("own.toml", text))


def test_entries_add_to_the_release_and_replace_what_it_has_for_their_ids() -> None:
    """A new id is mapped, an old one is as the user says, and all others stay."""
    mapping = load_mappings(PACKAGE, with_file(OWN))["football"]
    new = mapping.target("S_NEW", {"line": "2.5"})
    assert new is not None
    assert new.key == MarketKey("total_goals", "line=2.5")
    (replaced,) = mapping.targets("S_HAOU", {"line": "1.5"})
    assert replaced.slots.keys() == {"OH"}
    assert mapping.target("S_1X2", {}) is not None
    assert load_mappings("overround.bookmakers.betpawa", with_file(OWN))["football"].target("S_NEW", {}) is None


def test_a_sport_that_the_release_does_not_map_can_be_added() -> None:
    """The toy maps football alone; its tennis would be the user's."""
    text = '[[market]]\nbookmaker="bet9ja"\nsport="tennis"\nid="T_X"\nmarket="match_winner"\noutcomes={1="home"}\n'
    assert load_mappings(PACKAGE, with_file(text))["tennis"].target("T_X", {}) is not None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"over"', '"more"', r"own\.toml:2: S_NEW: total_goals has no outcome more"),
        ("home_total_goals", "home_goals", r"own\.toml:10: the catalogue has no market 'home_goals'"),
        ("outcomes = { OH", "prices = { OH", r"own\.toml:10: .*prices"),
        ('sport = "football"\nid = "S_HAOU"', 'sport = "tennis"\nid = "S_HAOU"', r"own\.toml:10: .*not of tennis"),
        ('id = "S_HAOU"', "id = 12", r"own\.toml:10: Expected `str`, got `int`"),
    ],
)
def test_a_mistake_is_named_by_file_and_line(old: str, new: str, message: str) -> None:
    """The line is that of the entry."""
    with pytest.raises(CatalogueError, match=message):
        load_mappings(PACKAGE, with_file(OWN.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\nb = ", r"own\.toml:2: Invalid value"),
        ("[[market]]\nid = {", r"own\.toml:2: "),
        ('[other]\nx = "1"', r"own\.toml:1: the file holds \[\[market\]\] entries and nothing else"),
        ('\n\n[[market]]\nid = "1"', r"own\.toml:3: state the bookmaker and the sport"),
        ("market = [1]", r"own\.toml:1: the file holds"),
    ],
)
def test_text_that_is_no_mapping_file_is_refused(text: str, message: str) -> None:
    """Bad TOML, other tables and entries for nobody are errors with a line."""
    with pytest.raises(CatalogueError, match=message):
        parse_overrides("own.toml", text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The service does not start without the file that the settings name."""
    with pytest.raises(CatalogueError, match=r"none\.toml: .*No such file"):
        load_catalogue(tmp_path / "none.toml")
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    assert len(read_overrides(tmp_path / "own.toml").entries) == 2


def test_an_entry_for_an_unknown_bookmaker_is_refused() -> None:
    """A misspelt bookmaker would otherwise be ignored."""
    with pytest.raises(CatalogueError, match=r"own\.toml:2: no bookmaker 'bett9ja'; there are betpawa"):
        refuse_unknown_bookmakers(with_file(OWN.replace('"bet9ja"', '"bett9ja"')), load_bookmakers())
    refuse_unknown_bookmakers(with_file(OWN), load_bookmakers())
