"""SportyBet's single-event answers, quirk by quirk."""

import pytest

from overround.bookmakers.sportybet.normalise import SportybetNormaliser
from overround.catalogue import load_catalogue
from overround.errors import BlockedError, GoneError, MalformedError
from overround.records.event import Offer
from overround.records.odds import UNREAD, Dropped, MarketKey, Unmapped
from tests.wire_bodies import AFTER, BEFORE, KICKOFF, Json, encoded, sporty_body, sporty_market, sporty_outcome

RESULT = MarketKey("match_result")


@pytest.fixture(scope="module")
def normaliser() -> SportybetNormaliser:
    """Return a normaliser with the mapping that ships."""
    return SportybetNormaliser(load_catalogue())


def result_market(**fields: Json) -> Json:
    """Return a three-way market whose selections come in another order than the catalogue's."""
    return sporty_market("1", {"3": "3.00", "1": "2.40", "2": "3.30"}, **fields)


def prices(offer: Offer) -> dict[MarketKey, tuple[int, ...]]:
    """Return an offer's prices by key."""
    return {key: market.prices for key, market in offer.markets.items()}


def test_the_event_is_read(normaliser: SportybetNormaliser) -> None:
    """Identity, names, kick-off as an aware instant, country and league come from the body."""
    listing = normaliser.normalise(encoded(sporty_body()), BEFORE).listing
    assert (listing.bookmaker, listing.listing_id, listing.sr_id) == ("sportybet", "sr:match:4711", 4711)
    assert (listing.home, listing.away, listing.kickoff) == ("Harbour United", "Mill Town", KICKOFF)
    assert (listing.sport, listing.country, listing.tournament) == ("football", "Utopia", "First League")
    assert listing.active


def test_outcomes_are_matched_by_id_not_by_position(normaliser: SportybetNormaliser) -> None:
    """Wire order is not the catalogue's order."""
    combo = sporty_market("36", {"90": "2.1", "92": "9.0", "94": "6.5", "96": "2.9"}, specifier="total=2.5")
    offer = normaliser.normalise(encoded(sporty_body(result_market(), combo)), BEFORE)
    assert prices(offer) == {
        RESULT: (2400, 3300, 3000),
        MarketKey("total_goals_and_both_teams_to_score", "line=2.5"): (2100, 9000, 6500, 2900),
    }


@pytest.mark.parametrize(
    ("market_id", "specifier", "key"),
    [
        ("18", "total=2.5", MarketKey("total_goals", "line=2.5")),
        ("18", "total=3", MarketKey("total_goals", "line=3")),
        ("16", "hcp=-0.5", MarketKey("asian_handicap", "handicap=-0.5")),
        ("14", "hcp=0:2", MarketKey("european_handicap", "handicap=-2")),
        ("8", "goalnr=1", MarketKey("first_goal", "goal=1")),
        ("900069", "minute=15", MarketKey("match_result_minutes", "minute=15")),
        ("105", "from=1|to=10", MarketKey("match_result_first_10_minutes")),
    ],
)
def test_specifiers_become_the_catalogues(
    normaliser: SportybetNormaliser, market_id: str, specifier: str, key: MarketKey
) -> None:
    """Totals, home handicaps, goal starts and numbers are all stated in the catalogue's terms."""
    outcomes = dict.fromkeys(("12", "1714", "1711", "6", "1"), "1.90")
    offer = normaliser.normalise(encoded(sporty_body(sporty_market(market_id, outcomes, specifier=specifier))), BEFORE)
    assert list(offer.markets) == [key]


@pytest.mark.parametrize(
    ("market_id", "specifier"),
    [("105", "from=11|to=20"), ("18", "total=1.5|score=0:0"), ("15", "variant=sr:winning_margin:4+")],
)
def test_a_variant_that_is_another_bet_is_not_mapped(
    normaliser: SportybetNormaliser, market_id: str, specifier: str
) -> None:
    """Other intervals, totals at a score, and variants that no entry names are counted as unmapped."""
    market = sporty_market(market_id, {"12": "1.90"}, specifier=specifier)
    offer = normaliser.normalise(encoded(sporty_body(market)), BEFORE)
    assert not offer.markets
    assert offer.unmapped == (Unmapped(market_id, f"Market {market_id}", 1),)


def test_exact_goals_depend_on_their_variant(normaliser: SportybetNormaliser) -> None:
    """The last selection of "2+" is not the third of "3+"."""
    two = sporty_market("71", {"sr:exact_goals:2+:87": "4.0"}, specifier="variant=sr:exact_goals:2+")
    three = sporty_market("71", {"sr:exact_goals:3+:91": "8.0"}, specifier="variant=sr:exact_goals:3+")
    key = MarketKey("first_half_exact_goals")
    assert prices(normaliser.normalise(encoded(sporty_body(two)), BEFORE)) == {key: (0, 0, 4000, 0, 0, 0)}
    assert prices(normaliser.normalise(encoded(sporty_body(three)), BEFORE)) == {key: (0, 0, 0, 0, 8000, 0)}


@pytest.mark.parametrize("fields", [{"status": 1}, {"status": 2}, {"status": 3}, {"banned": True}])
def test_a_market_that_is_not_open_is_suspended_with_its_prices(
    normaliser: SportybetNormaliser, fields: dict[str, Json]
) -> None:
    """Only status 0 is open, whatever the outcomes say."""
    offer = normaliser.normalise(encoded(sporty_body(result_market(**fields))), BEFORE)
    assert prices(offer) == {RESULT: (-2400, -3300, -3000)}


def test_a_banned_event_suspends_every_market(normaliser: SportybetNormaliser) -> None:
    """Nothing of a banned event can be bet on."""
    offer = normaliser.normalise(encoded(sporty_body(result_market(), banned=True)), BEFORE)
    assert prices(offer) == {RESULT: (-2400, -3300, -3000)}
    assert (offer.suspended, offer.live, offer.complete) == (True, False, True)


@pytest.mark.parametrize("status", [5, 6, 8])
def test_an_event_called_off_or_put_off_is_suspended_and_proves_nothing(
    normaliser: SportybetNormaliser, status: int
) -> None:
    """Its markets are suspended with their prices; it is not in play, and its body is no evidence of removal."""
    offer = normaliser.normalise(encoded(sporty_body(result_market(), status=status)), BEFORE)
    assert prices(offer) == {RESULT: (-2400, -3300, -3000)}
    assert (offer.suspended, offer.live, offer.complete) == (True, False, False)


@pytest.mark.parametrize("status", [1, 2, 3, 4, 7, 9])
def test_an_event_that_has_started_is_live(normaliser: SportybetNormaliser, status: int) -> None:
    """Its prices belong to another series, although its kick-off is to come."""
    offer = normaliser.normalise(encoded(sporty_body(result_market(), status=status)), BEFORE)
    assert (offer.live, offer.complete) == (True, False)


@pytest.mark.parametrize("banned", [False, None])
def test_an_event_that_is_not_banned_is_open(normaliser: SportybetNormaliser, banned: Json) -> None:
    """The flag may be false or null."""
    offer = normaliser.normalise(encoded(sporty_body(result_market(), banned=banned)), BEFORE)
    assert prices(offer) == {RESULT: (2400, 3300, 3000)}
    assert not offer.suspended


def test_an_outcome_that_is_not_bettable_is_suspended(normaliser: SportybetNormaliser) -> None:
    """Inactive outcomes keep a real price as shown; 1.00 and 0.00 are no prices, active or not."""
    outcomes = [sporty_outcome("1", "2.40", 0), sporty_outcome("2", "1.00", 0), sporty_outcome("3", "0.00", 1)]
    offer = normaliser.normalise(encoded(sporty_body(sporty_market("1", {}, outcomes=outcomes))), BEFORE)
    assert prices(offer) == {RESULT: (-2400, -1, -1)}


def test_a_repeated_market_counts_once(normaliser: SportybetNormaliser) -> None:
    """The first of two with the same id and specifier is taken, the other is counted."""
    again = sporty_market("1", {"1": "9.00", "2": "9.00", "3": "9.00"})
    offer = normaliser.normalise(encoded(sporty_body(result_market(), again)), BEFORE)
    assert prices(offer) == {RESULT: (2400, 3300, 3000)}
    assert offer.dropped == (Dropped("duplicate_market", "1", 1, RESULT),)
    assert offer.complete


def test_a_bad_outcome_loses_only_itself(normaliser: SportybetNormaliser) -> None:
    """An odd price, an unknown id, and a selection of another shape are counted with their market."""
    outcomes = [
        sporty_outcome("1", "2.40"),
        sporty_outcome("2", "n/a"),
        sporty_outcome("77", "3.00"),
        {"id": "3"},
    ]
    market = sporty_market("1", {}, outcomes=outcomes)
    offer = normaliser.normalise(
        encoded(sporty_body(market, sporty_market("29", {"74": "1.70", "76": "2.00"}))), BEFORE
    )
    assert prices(offer) == {RESULT: (2400, UNREAD, UNREAD), MarketKey("both_teams_to_score"): (1700, 2000)}
    assert offer.dropped == (
        Dropped("bad_price", "1/2", 1, RESULT),
        Dropped("unknown_outcome", "1/77", 1, RESULT),
        Dropped("malformed_outcome", "1", 1, RESULT),
    )
    assert offer.complete


def test_a_bad_line_loses_only_that_line_and_proves_nothing(normaliser: SportybetNormaliser) -> None:
    """Which line was meant cannot be told, so that the body is no evidence that any is gone."""
    good = sporty_market("18", {"12": "1.90", "13": "1.80"}, specifier="total=2.5")
    for bad in (sporty_market("18", {"12": "2.0"}, specifier="total=much"), sporty_market("18", {"12": "2.0"})):
        offer = normaliser.normalise(encoded(sporty_body(bad, good)), BEFORE)
        assert prices(offer) == {MarketKey("total_goals", "line=2.5"): (1900, 1800)}
        assert [(lost.reason, lost.count, lost.key) for lost in offer.dropped] == [("bad_line", 1, None)]
        assert not offer.complete


def test_a_damaged_market_loses_only_itself(normaliser: SportybetNormaliser) -> None:
    """A market that cannot be read is counted by its place."""
    offer = normaliser.normalise(encoded(sporty_body(result_market(), {"id": 18})), BEFORE)
    assert list(offer.markets) == [RESULT]
    assert offer.dropped == (Dropped("malformed_market", "data.markets[1]", 1),)
    assert not offer.complete


def test_a_market_without_outcomes_is_not_taken_for_gone(normaliser: SportybetNormaliser) -> None:
    """An empty market is counted under its key, which is thereby not proved absent."""
    offer = normaliser.normalise(encoded(sporty_body(sporty_market("1", {}))), BEFORE)
    assert not offer.markets
    assert offer.dropped == (Dropped("no_outcomes", "1", 1, RESULT),)


def test_unmapped_markets_are_counted_by_id_and_name(normaliser: SportybetNormaliser) -> None:
    """One occurrence is one market with one line, the most frequent id first."""
    lines = [sporty_market("999777", {"1": "2.0"}, specifier=f"total={line}") for line in (1, 2, 3)]
    offer = normaliser.normalise(encoded(sporty_body(sporty_market("999778", {"1": "2.0"}), *lines)), BEFORE)
    assert offer.unmapped == (Unmapped("999777", "Market 999777", 3), Unmapped("999778", "Market 999778", 1))
    assert offer.complete


def test_the_same_id_in_another_sport_is_another_market(normaliser: SportybetNormaliser) -> None:
    """Ids mean what they mean within a sport."""
    sport = {"id": "sr:sport:2", "name": "Basketball", "category": {"name": "Utopia", "tournament": {"name": "L"}}}
    ours = sporty_body(result_market(), sporty_market("29", {"74": "2.0", "76": "1.8"}), sport=sport)
    offer = normaliser.normalise(encoded(ours), BEFORE)
    assert offer.listing.sport == "basketball"
    assert prices(offer) == {MarketKey("regular_time_result"): (2400, 3300, 3000)}
    assert offer.unmapped == (Unmapped("29", "Market 29", 1),)


def player(outcome_id: str, name: str, odds: str = "2.50", **fields: Json) -> Json:
    """Return a selection that is a player."""
    return sporty_outcome(outcome_id, odds) | {"desc": name} | fields


def players_market(market_id: str, *selections: Json, **fields: Json) -> Json:
    """Return a market whose selections are players."""
    return sporty_market(market_id, {}, **fields) | {"outcomes": list(selections)}


def test_every_player_is_a_market(normaliser: SportybetNormaliser) -> None:
    """The player stands in the key, whatever the order of the names, and "nobody" is a selection, too."""
    market = players_market(
        "40",
        player("1716", "No Goal", "9.00"),
        player("sr:player:1", "Doe, José (Mill Town)"),
        player("sr:player:2", "Max Roe (Harbour United)", "4.00", isActive=0),
        specifier="type=prematch",
    )
    offer = normaliser.normalise(encoded(sporty_body(market)), BEFORE)
    assert prices(offer) == {
        MarketKey("anytime_goalscorer", "player=no-goal"): (9000,),
        MarketKey("anytime_goalscorer", "player=jose-doe"): (2500,),
        MarketKey("anytime_goalscorer", "player=max-roe"): (-4000,),
    }
    assert offer.occurrences == 1
    assert offer.complete


def test_so_many_or_more_of_a_side_and_of_a_player(normaliser: SportybetNormaliser) -> None:
    """Side and number are in the selection's id, and have to be what its name says."""
    team = players_market(
        "800160", player("800160:00000009", "Harbour 9+"), player("800160:00000112", "Mill Town 12+", "1.50")
    )
    shots = players_market(
        "776",
        player("pre:playerprops:4711:5:2", "Doe, Jo (Mill Town) 2+"),
        player("pre:playerprops:4711:5:3", "Doe, Jo (Mill Town) 4+"),
        specifier="variant=pre:playerprops:4711:5",
    )
    offer = normaliser.normalise(encoded(sporty_body(team, shots)), BEFORE)
    assert prices(offer) == {
        MarketKey("team_shots", "at_least=9|team=home"): (2500,),
        MarketKey("team_shots", "at_least=12|team=away"): (1500,),
        MarketKey("player_shots", "at_least=2|player=jo-doe"): (2500,),
    }
    assert offer.dropped == (Dropped("bad_selection", "776/pre:playerprops:4711:5:3"),)
    assert not offer.complete


def test_odd_selections_lose_only_themselves(normaliser: SportybetNormaliser) -> None:
    """A selection without a name, one that stands twice, and an unknown one are counted; the others stay."""
    market = players_market(
        "38",
        player("sr:player:1", ""),
        player("sr:player:2", "Roe, Max (Mill Town)"),
        player("sr:player:3", "Roe, Max (Harbour United)"),
        player("sr:robot:4", "Roe, Robot (Mill Town)"),
        player("sr:player:5", "Poe, Jo (Mill Town)", "cheap"),
        specifier="goalnr=1|type=prematch",
    )
    offer = normaliser.normalise(encoded(sporty_body(market, result_market())), BEFORE)
    roe, poe = MarketKey("first_goalscorer", "player=max-roe"), MarketKey("first_goalscorer", "player=jo-poe")
    assert prices(offer) == {roe: (2500,), RESULT: (2400, 3300, 3000)}
    assert offer.dropped == (
        Dropped("bad_selection", "38/sr:player:1"),
        Dropped("duplicate_market", "38", 1, roe),
        Dropped("bad_price", "38/sr:player:5", 1, poe),
    )
    assert offer.unmapped == (Unmapped("38", "Market 38", 1),)


def test_ten_thousand_outcomes_are_read(normaliser: SportybetNormaliser) -> None:
    """A market as long as no bookmaker sends it loses what is unknown in it, and nothing else."""
    outcomes = {str(number): "2.00" for number in range(1, 10_001)}
    offer = normaliser.normalise(encoded(sporty_body(sporty_market("1", outcomes), result_market())), BEFORE)
    assert prices(offer) == {RESULT: (2000, 2000, 2000)}
    assert sum(loss.count for loss in offer.dropped if loss.reason == "unknown_outcome") == 9_997
    assert [loss.reason for loss in offer.dropped if loss.key == RESULT][-1] == "duplicate_market"


def test_a_prematch_body_is_complete_until_kickoff(normaliser: SportybetNormaliser) -> None:
    """Only the prematch product of an event that has not started says what is not offered."""
    assert normaliser.normalise(encoded(sporty_body(result_market())), BEFORE).complete
    assert normaliser.normalise(encoded(sporty_body()), BEFORE).complete
    assert not normaliser.normalise(encoded(sporty_body(result_market())), AFTER).complete
    assert not normaliser.normalise(encoded(sporty_body(result_market())), KICKOFF).complete
    assert not normaliser.normalise(encoded(sporty_body(result_market(), status=1)), BEFORE).complete
    assert normaliser.normalise(encoded(sporty_body()), BEFORE).complete
    assert not normaliser.normalise(encoded(sporty_body(markets=None)), BEFORE).complete
    assert not normaliser.normalise(encoded(sporty_body(result_market(product=1))), BEFORE).complete


def test_an_ended_or_virtual_event_is_decoded(normaliser: SportybetNormaliser) -> None:
    """A body of an ended event decodes, and one without a SportRadar match number has none."""
    ended = sporty_body(status=4)
    del ended["data"]["markets"]
    assert not normaliser.normalise(encoded(ended), AFTER).listing.active
    assert normaliser.normalise(encoded(sporty_body(eventId="sr:season:3")), BEFORE).listing.sr_id is None


@pytest.mark.parametrize("data", [None, [], {}, "Invalid"])
def test_another_biz_code_means_that_the_event_is_gone(normaliser: SportybetNormaliser, data: Json) -> None:
    """An error envelope is "no such event", whatever its data are."""
    with pytest.raises(GoneError, match="19000 Invalid"):
        normaliser.normalise(encoded({"bizCode": 19000, "message": "Invalid", "data": data}), BEFORE)


def test_no_json_means_blocked(normaliser: SportybetNormaliser) -> None:
    """A challenge page or an empty body is not "not found"."""
    for body in (b"", b"  \n", b"<!DOCTYPE html><html></html>", b"Access denied"):
        with pytest.raises(BlockedError):
            normaliser.normalise(body, BEFORE)


def test_damaged_json_and_another_shape_are_malformed(normaliser: SportybetNormaliser) -> None:
    """The error names the field, and the event where it is known."""
    with pytest.raises(MalformedError, match="damaged"):
        normaliser.normalise(encoded(sporty_body(result_market()))[:-20], BEFORE)
    without = sporty_body()
    del without["data"]["homeTeamName"]
    with pytest.raises(MalformedError) as caught:
        normaliser.normalise(encoded(without), BEFORE)
    assert (caught.value.field, caught.value.subject) == ("data.homeTeamName", "sr:match:4711")
    for start in (10**17, "soon"):
        with pytest.raises(MalformedError) as caught:
            normaliser.normalise(encoded(sporty_body(estimateStartTime=start)), BEFORE)
        assert caught.value.field == "data.estimateStartTime"
    with pytest.raises(MalformedError) as caught:
        normaliser.normalise(encoded({"bizCode": 10000, "data": None}), BEFORE)
    assert caught.value.field == "data"


def test_a_body_of_which_nothing_can_be_read_is_malformed(normaliser: SportybetNormaliser) -> None:
    """When every market has another shape, the format has changed: that is no event without markets."""
    with pytest.raises(MalformedError) as caught:
        normaliser.normalise(encoded(sporty_body({"id": "1", "price": "2.0"})), BEFORE)
    assert caught.value.field == "data.markets[0].status"


def test_coverage_names_what_the_mapping_can_produce(normaliser: SportybetNormaliser) -> None:
    """A market outside it cannot be missed in a body."""
    assert {"match_result", "total_goals", "half_time_full_time"} <= normaliser.covered
    assert "extra_time_match_result" not in normaliser.covered
