"""Which names are of one team, which pairs are turned round, and which teams only share a name."""

import pytest

from overround.records.event import Listing
from overround.scraping.likeness import is_simulated, likeness, teams_likeness
from overround.scraping.matching import conflict_between, same_match
from tests.support.desk import listing


def of(bookmaker: str, home: str, away: str, tournament: str = "Premier League", country: str = "England") -> Listing:
    """Return a bookmaker's listing of two teams."""
    return listing(bookmaker, "1", 7, home=home, away=away, tournament=tournament, country=country)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Spurs", "Man Utd"), ("Tottenham Hotspur", "Manchester United")),
        (("Wolves", "Brighton"), ("Wolverhampton Wanderers", "Brighton & Hove Albion")),
        (("Bodø/Glimt", "Malmö FF"), ("Bodo Glimt", "Malmo")),
        (("PSG", "Saint-Étienne"), ("Paris Saint Germain", "AS Saint Etienne")),
        (("Manchester City", "Manchester United"), ("Man City", "Man Utd")),
        (("Internazionale", "AC Milan"), ("Inter", "Milan")),
    ],
)
def test_other_spellings_are_no_conflict(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Short forms, nicknames within the name, initials and diacritics are one match."""
    assert conflict_between([of("betpawa", *one), of("sportybet", *other)]) == ""


@pytest.mark.parametrize(
    "teams",
    [
        ("Manchester City", "Manchester United"),
        ("Leeds", "Fulham"),
        ("Real Madrid", "Atletico Madrid"),
        ("Dundee", "Dundee United"),
        ("Estudiantes LP", "Estudiantes RC"),
        ("River Plate (URU)", "River Plate (ARG)"),
        ("Spurs", "Man Utd"),
    ],
)
def test_teams_turned_round_are_a_conflict(teams: tuple[str, str]) -> None:
    """Also in a derby, where each team's name resembles the other's."""
    home, away = teams
    found = conflict_between([of("betpawa", home, away), of("bet9ja", away, home)])
    assert found.startswith("home and away are turned round")
    assert teams_likeness(of("betpawa", home, away), of("bet9ja", away, home)).turned


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (of("a", "Arsenal", "Chelsea"), of("b", "Arsenal W", "Chelsea W")),
        (of("a", "Arsenal", "Chelsea"), of("b", "Arsenal (Women)", "Chelsea (Women)")),
        (of("a", "Arsenal", "Chelsea"), of("b", "Arsenal", "Chelsea", "FA WSL")),
        (of("a", "Spain", "Italy"), of("b", "Spain U21", "Italy U21")),
        (of("a", "Spain U19", "Italy U19"), of("b", "Spain U-21", "Italy U-21")),
        (of("a", "Ajax", "Feyenoord"), of("b", "Ajax", "Feyenoord", "Youth League")),
        (of("a", "Barcelona", "Girona"), of("b", "Barcelona B", "Girona")),
        (of("a", "Zenit", "Spartak"), of("b", "Zenit", "Spartak Reserves")),
        (of("a", "Bayern Munich", "Augsburg"), of("b", "Bayern Munich II", "Augsburg II")),
    ],
)
def test_namesakes_are_never_one_event(one: Listing, other: Listing) -> None:
    """Sex, age and reserve markers must agree, wherever a bookmaker puts them."""
    assert conflict_between([one, other])
    assert not conflict_between([other, other])


def test_the_same_marker_in_another_place_is_no_conflict() -> None:
    """One bookmaker marks the teams, another the tournament."""
    teams, tournament = of("a", "Arsenal W", "Chelsea W", "WSL"), of("b", "Arsenal", "Chelsea", "Women's Super League")
    assert conflict_between([teams, tournament]) == ""
    assert conflict_between([of("a", "Spain U21", "Italy U21"), of("b", "Spain", "Italy", "Euro U21")]) == ""


@pytest.mark.parametrize(
    "one",
    [
        of("a", "Liverpool SRL", "Brighton SRL"),
        of("a", "Liverpool (SRL)", "Brighton (SRL)"),
        of("a", "Liverpool", "Brighton", "Premier League SRL"),
        of("a", "Liverpool", "Brighton", "Premier League", "Simulated Reality League"),
        of("a", "Spain (kray)", "Italy (dvd)", "eBattle", "eSoccer"),
        of("a", "Spain (kray)", "Italy (dvd)", "E-Soccer Battle - 8 mins play"),
        of("a", "Spain (kray)", "Italy (dvd)", "GT Leagues 12 min"),
        of("a", "Red", "Blue", "Virtual Football League"),
    ],
)
def test_matches_that_no_teams_play_are_known(one: Listing) -> None:
    """Simulated reality, e-sports and virtual sports, by teams, tournament or country."""
    assert is_simulated(one)


@pytest.mark.parametrize(
    "one",
    [of("a", "Virtus Bologna", "Sassari"), of("a", "Brazil", "Serbia", "FIFA World Cup", "World"), of("a", "A", "B")],
)
def test_real_matches_are_not_taken_for_simulated_ones(one: Listing) -> None:
    """Words that only resemble a marker mean nothing."""
    assert not is_simulated(one)


def test_a_listing_used_again_is_told_from_one_put_off() -> None:
    """Other teams are another match; the same teams a month later are not."""
    first = of("a", "Nantes", "Rennes")
    assert same_match(first, listing("a", "1", 7, home="Nantes", away="Rennes FC"))
    assert not same_match(first, of("a", "Nantes", "Lyon"))
    assert not same_match(first, of("a", "Rennes", "Nantes"))


def test_likeness_is_between_none_and_whole() -> None:
    """Equal names are 1, names that share nothing 0, whichever comes first."""
    assert likeness("Arsenal", "ARSENAL") == 1
    assert likeness("Arsenal", "Chelsea") == 0
    assert likeness("Tottenham", "Tottenham Hotspur") == likeness("Tottenham Hotspur", "Tottenham")
