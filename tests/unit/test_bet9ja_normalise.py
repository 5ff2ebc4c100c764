"""Bet9ja's single-event answers, quirk by quirk."""

import itertools

import pytest

from overround.bookmakers.bet9ja.normalise import Bet9jaNormaliser
from overround.catalogue import load_catalogue
from overround.errors import BlockedError, GoneError, MalformedError, RefusedError
from overround.records.event import Offer
from overround.records.odds import UNREAD, Dropped, MarketKey, Unmapped
from tests.wire_bodies import AFTER, BEFORE, KICKOFF, Json, encoded, naija_body, naija_live_body

RESULT = MarketKey("match_result")
THREE_WAY = {"S_1X2_X": "3.1", "S_1X2_1": "2.42", "S_1X2_2": "4"}


@pytest.fixture
def normaliser() -> Bet9jaNormaliser:
    """Return a normaliser with the mapping that ships."""
    return Bet9jaNormaliser(load_catalogue())


def prices(offer: Offer) -> dict[MarketKey, tuple[int, ...]]:
    """Return an offer's prices by key."""
    return {key: market.prices for key, market in offer.markets.items()}


def test_the_event_is_read(normaliser: Bet9jaNormaliser) -> None:
    """Kick-off is UTC without saying so, and the teams stand in one text."""
    listing = normaliser.normalise(encoded(naija_body(THREE_WAY)), BEFORE).listing
    assert (listing.bookmaker, listing.listing_id, listing.sr_id) == ("bet9ja", "55", 4711)
    assert (listing.home, listing.away, listing.kickoff) == ("Harbour United", "Mill Town", KICKOFF)
    assert (listing.sport, listing.country, listing.tournament) == ("football", "Utopia", "First League")
    assert listing.active
    hyphens = normaliser.normalise(encoded(naija_body({}, DS="Al-Nasr - Stade-Sud", ST=2)), BEFORE).listing
    assert (hyphens.home, hyphens.away, hyphens.active) == ("Al-Nasr", "Stade-Sud", False)


@pytest.mark.parametrize("number", ["", None, "x1"])
def test_the_sportradar_number_may_be_missing(normaliser: Bet9jaNormaliser, number: str | None) -> None:
    """An event without the number is one that is not matched, and no error."""
    assert normaliser.normalise(encoded(naija_body({}, EXTID=number)), BEFORE).listing.sr_id is None


def test_odds_keys_become_markets_lines_and_outcomes(normaliser: Bet9jaNormaliser) -> None:
    """The outcome is what follows the last underscore, the line what follows the @."""
    odds = THREE_WAY | {
        "S_OU@2.5_O": "1.9",
        "S_OU@2.5_U": "1.8",
        "S_1X2HND@-1_1H": "4.9",
        "S_1X2HND@-1_XH": "4.05",
        "S_1X2HND@-1_2H": "1.48",
        "S_HTFT_X/2": "7.5",
        "S_1X21_X1": "3.3",
        "S_1STGOAL_X": "9.7",
        "S_1X21ST15MIN_X": "1.22",
    }
    assert prices(normaliser.normalise(encoded(naija_body(odds)), BEFORE)) == {
        RESULT: (2420, 3100, 4000),
        MarketKey("total_goals", "line=2.5"): (1900, 1800),
        MarketKey("european_handicap", "handicap=-1"): (4900, 4050, 1480),
        MarketKey("half_time_full_time"): (0, 0, 0, 0, 0, 7500, 0, 0, 0),
        MarketKey("match_result_one_goal_up"): (0, 3300, 0),
        MarketKey("first_goal", "goal=1"): (0, 9700, 0),
        MarketKey("match_result_minutes", "minute=15"): (0, 1220, 0),
    }


def test_home_and_away_totals_share_a_key_family(normaliser: Bet9jaNormaliser) -> None:
    """Their suffixes tell them apart."""
    odds = {"S_HAOU@1.5_OH": "2.23", "S_HAOU@1.5_UH": "1.53", "S_HAOU@1.5_OA": "2.55", "S_HAOU@1.5_UA": "1.41"}
    assert prices(normaliser.normalise(encoded(naija_body(odds)), BEFORE)) == {
        MarketKey("home_total_goals", "line=1.5"): (2230, 1530),
        MarketKey("away_total_goals", "line=1.5"): (2550, 1410),
    }


def test_asian_totals_are_totals(normaliser: Bet9jaNormaliser) -> None:
    """Whole and quarter lines come under a key of their own, and are the same bets."""
    odds = {"S_OUA@2.25_O": "1.62", "S_OUA@2.25_U": "2.12", "S_OUA@2_O": "1.42"}
    assert prices(normaliser.normalise(encoded(naija_body(odds)), BEFORE)) == {
        MarketKey("total_goals", "line=2.25"): (1620, 2120),
        MarketKey("total_goals", "line=2"): (1420, 0),
    }


def test_selections_of_a_mixed_market_go_to_markets_of_their_own(normaliser: Bet9jaNormaliser) -> None:
    """Six bets share one key; the ones without a market of ours are just not mapped."""
    odds = {"S_CHANCEMIXGGOU@2.5_1orOv": "1.4", "S_CHANCEMIXGGOU@2.5_XorUn": "1.5", "S_CHANCEMIXGGOU@2.5_NEWBET": "1.6"}
    offer = normaliser.normalise(encoded(naija_body(odds)), BEFORE)
    assert prices(offer) == {
        MarketKey("home_or_over_total_goals", "line=2.5"): (1400, 0),
        MarketKey("draw_or_under_total_goals", "line=2.5"): (1500, 0),
    }
    assert offer.unmapped == (Unmapped("S_CHANCEMIXGGOU", "Market S_CHANCEMIXGGOU", 1),)
    assert not offer.dropped


@pytest.mark.parametrize("value", ["1", "-", "", "1.0", "0.5"])
def test_a_value_that_is_not_bettable_is_suspended(normaliser: Bet9jaNormaliser, value: str) -> None:
    """Prices that are not above 1, a dash, and nothing all mean the same; an absent outcome is not offered."""
    offer = normaliser.normalise(encoded(naija_body({"S_1X2_1": value, "S_1X2_X": "3.1"})), BEFORE)
    assert prices(offer) == {RESULT: (-1, 3100, 0)}


def test_of_two_wire_markets_for_one_key_the_mappings_first_is_taken(normaliser: Bet9jaNormaliser) -> None:
    """The order of odds keys is a hash order, so that it cannot decide."""
    odds = {"S_OUA@2.5_O": "9", "S_OUA@2.5_U": "9", "S_OU@2.5_O": "1.9", "S_OU@2.5_U": "1.8"}
    key = MarketKey("total_goals", "line=2.5")
    for shuffled in itertools.permutations(odds.items()):
        offer = normaliser.normalise(encoded(naija_body(dict(shuffled))), BEFORE)
        assert prices(offer) == {key: (1900, 1800)}
        assert offer.dropped == (Dropped("duplicate_market", "total_goals", 1, key),)


def test_a_bad_outcome_loses_only_itself(normaliser: Bet9jaNormaliser) -> None:
    """Odd text, an unknown suffix, and values that are no text are counted with their market."""
    odds = {"S_1X2_1": "2.42", "S_1X2_X": "n/a", "S_1X2_2": None, "S_1X2_3": "5", "S_GGNG_Y": {"v": 1.7}}
    offer = normaliser.normalise(encoded(naija_body(odds)), BEFORE)
    assert prices(offer) == {RESULT: (2420, UNREAD, UNREAD)}
    assert [(lost.reason, lost.field, lost.key) for lost in offer.dropped] == [
        ("bad_price", "S_1X2_X", RESULT),
        ("bad_price", "S_1X2_2", RESULT),
        ("unknown_outcome", "S_1X2_3", RESULT),
        ("bad_price", "S_GGNG_Y", MarketKey("both_teams_to_score")),
    ]
    assert offer.complete


def test_a_bad_line_loses_only_that_line_and_proves_nothing(normaliser: Bet9jaNormaliser) -> None:
    """Which line was meant cannot be told."""
    odds = {"S_OU@much_O": "1.5", "S_OU_O": "1.5", "S_OU@2.5_O": "1.9"}
    offer = normaliser.normalise(encoded(naija_body(odds)), BEFORE)
    assert prices(offer) == {MarketKey("total_goals", "line=2.5"): (1900, 0)}
    assert offer.dropped == (Dropped("bad_line", "S_OU@much_O"), Dropped("bad_line", "S_OU_O"))
    assert not offer.complete


def test_unmapped_markets_are_counted_by_line_and_named_by_the_body(normaliser: Bet9jaNormaliser) -> None:
    """Names are decoded once, and a market that the body does not name has none."""
    odds = {"S_NEW@1.5_O": "1.5", "S_NEW@1.5_U": "1.5", "S_NEW@2.5_O": "1.5", "S_OTHER_Y": "2"}
    expected = (Unmapped("S_NEW", "Market S_NEW", 2), Unmapped("S_OTHER", "Market S_OTHER", 1))
    assert normaliser.normalise(encoded(naija_body(odds)), BEFORE).unmapped == expected
    assert normaliser.normalise(encoded(naija_body(odds, MK=[])), BEFORE).unmapped == expected
    nameless = normaliser.normalise(encoded(naija_body({"S_BARE_Y": "2"}, MK="none")), BEFORE)
    assert nameless.unmapped == (Unmapped("S_BARE", "", 1),)


def test_other_sports_are_decoded_and_not_mapped(normaliser: Bet9jaNormaliser) -> None:
    """A football key in an event of another sport means nothing."""
    offer = normaliser.normalise(encoded(naija_body(THREE_WAY, SID=5, S="Tennis")), BEFORE)
    assert offer.listing.sport == "tennis"
    assert not offer.markets
    special = normaliser.normalise(encoded(naija_body(THREE_WAY, SID=77, S="Soccer Antepost")), BEFORE)
    assert special.listing.sport == "soccer-antepost"


def test_a_closed_event_suspends_every_market(normaliser: Bet9jaNormaliser) -> None:
    """Whatever an event still shows whose `ST` is not 1 cannot be bet on; it is not in play for that."""
    offer = normaliser.normalise(encoded(naija_body(THREE_WAY, ST=0)), BEFORE)
    assert prices(offer) == {RESULT: (-2420, -3100, -4000)}
    assert (offer.suspended, offer.live) == (True, False)


def test_a_live_body_is_decoded(normaliser: Bet9jaNormaliser) -> None:
    """Its odds are objects, its keys of their own, and it is never complete."""
    offer = normaliser.normalise(encoded(naija_live_body()), BEFORE)
    assert (offer.listing.sr_id, offer.listing.sport, offer.listing.home) == (4711, "football", "Harbour United")
    assert prices(offer) == {RESULT: (1850, 0, 0), MarketKey("total_goals", "line=2"): (2000, 0)}
    assert not offer.complete


def test_a_body_is_complete_until_kickoff(normaliser: Bet9jaNormaliser) -> None:
    """A started event, or a body without odds, is no evidence of absence."""
    assert normaliser.normalise(encoded(naija_body(THREE_WAY)), BEFORE).complete
    assert not normaliser.normalise(encoded(naija_body(THREE_WAY)), AFTER).complete
    without = naija_body({})
    del without["D"]["O"]
    assert not normaliser.normalise(encoded(without), BEFORE).complete


@pytest.mark.parametrize("body", [{"R": "E"}, {"R": "E", "D": None}, {"R": "OK", "D": False}])
def test_no_such_event_means_gone(normaliser: Bet9jaNormaliser, body: Json) -> None:
    """An error code, or false in the place of the event, says that there is none (any more)."""
    with pytest.raises(GoneError):
        normaliser.normalise(encoded(body), BEFORE)


def test_the_other_success_code_is_accepted(normaliser: Bet9jaNormaliser) -> None:
    """Besides "OK" the code "D" has been seen; anything else is an error by name."""
    assert prices(normaliser.normalise(encoded(naija_body(THREE_WAY) | {"R": "D"}), BEFORE)) == {
        RESULT: (2420, 3100, 4000)
    }
    with pytest.raises(RefusedError, match='R is "\\?"'):
        normaliser.normalise(encoded(naija_body(THREE_WAY) | {"R": "?"}), BEFORE)


def test_no_json_means_blocked(normaliser: Bet9jaNormaliser) -> None:
    """A block page and an empty body are not "not found"."""
    for body in (b"", b"<html>blocked</html>", b"blocked"):
        with pytest.raises(BlockedError):
            normaliser.normalise(body, BEFORE)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"DS": "Winner of the cup"}, "D.DS"),
        ({"STARTDATE": "soon"}, "D.STARTDATE"),
        ({"ID": None}, "D.ID"),
        ({"O": ["2.10"]}, "D.O"),
        ({"O": {"S_1X2_1": {"v": 2}}}, "D.O[...]"),
    ],
)
def test_another_shape_is_malformed(normaliser: Bet9jaNormaliser, fields: dict[str, Json], field: str) -> None:
    """The error names the field."""
    with pytest.raises(MalformedError) as caught:
        normaliser.normalise(encoded(naija_body({}, **fields)), BEFORE)
    assert caught.value.field == field


def test_damaged_json_is_malformed(normaliser: Bet9jaNormaliser) -> None:
    """A truncated body is neither blocked nor gone."""
    with pytest.raises(MalformedError, match="damaged"):
        normaliser.normalise(encoded(naija_body(THREE_WAY))[:-5], BEFORE)
    with pytest.raises(MalformedError):
        normaliser.normalise(encoded({"R": "OK", "D": None}), BEFORE)


def test_occurrences_are_counted_on_the_wire(normaliser: Bet9jaNormaliser) -> None:
    """A key with one line is one occurrence, however many markets of ours its selections are."""
    odds = {"S_HAOU@1.5_OH": "1.4", "S_HAOU@1.5_UA": "1.5", "S_HAOU@2.5_OH": "1.6", "S_1X2_1": "2", "S_NEW_1": "2"}
    offer = normaliser.normalise(encoded(naija_body(odds)), BEFORE)
    assert (len(offer.markets), offer.occurrences) == (4, 3)
    assert sum(lost.count for lost in offer.unmapped) == 1
