"""BetPawa's single-event answers of API versions 3 and 4, quirk by quirk."""

import pytest

from overround.bookmakers.betpawa.normalise import BetpawaNormaliser
from overround.catalogue import load_catalogue
from overround.errors import BlockedError, GoneError, MalformedError
from overround.records.event import Offer
from overround.records.odds import UNREAD, Dropped, MarketKey, Unmapped
from tests.wire_bodies import (
    AFTER,
    BEFORE,
    KICKOFF,
    Json,
    as_version_4,
    encoded,
    pawa_body,
    pawa_market,
    pawa_price,
    pawa_row,
)

RESULT = MarketKey("match_result")
THREE_WAY = {"3744": 2.41, "3745": 3.3, "3746": 3.02}


@pytest.fixture(scope="module")
def normaliser() -> BetpawaNormaliser:
    """Return a normaliser with the mapping that ships."""
    return BetpawaNormaliser(load_catalogue())


def prices(offer: Offer) -> dict[MarketKey, tuple[int, ...]]:
    """Return an offer's prices by key."""
    return {key: market.prices for key, market in offer.markets.items()}


def asian_row(handicap: int, home: str, away: str) -> Json:
    """Return a row of an Asian handicap: quarters on the row, signed text for each side on its price."""
    listed = [pawa_price("3775", 2.32, handicap=home), pawa_price("3776", 1.54, handicap=away)]
    return {"handicap": handicap, "prices": listed}


def test_the_event_is_read(normaliser: BetpawaNormaliser) -> None:
    """The SportRadar number is its widget's, the teams go by position, and the name's suffix is not looked at."""
    listing = normaliser.normalise(encoded(pawa_body()), BEFORE).listing
    assert (listing.bookmaker, listing.listing_id, listing.sr_id) == ("betpawa", "33", 4711)
    assert (listing.home, listing.away, listing.kickoff) == ("Harbour United", "Mill Town", KICKOFF)
    assert (listing.sport, listing.country, listing.tournament) == ("football", "Utopia", "First League")


@pytest.mark.parametrize(
    ("widgets", "number"),
    [
        ([{"id": "sr:match:4711", "type": "SPORTRADAR"}], 4711),
        ([{"id": "99", "type": "GENIUSSPORTS"}], None),
        ([], None),
        (None, None),
        ([{"id": "x", "type": "SPORTRADAR"}], None),
    ],
)
def test_the_sportradar_number_may_be_prefixed_or_missing(
    normaliser: BetpawaNormaliser, widgets: Json, number: int | None
) -> None:
    """An event without the number is one that is not matched, and no error."""
    assert normaliser.normalise(encoded(pawa_body(widgets=widgets)), BEFORE).listing.sr_id == number


def test_both_versions_give_the_same_offer(normaliser: BetpawaNormaliser) -> None:
    """Version 4 names prices otherwise and leaves out nulls, false and empty lists; it says the same."""
    body = pawa_body(
        pawa_market("3743", pawa_row(THREE_WAY)),
        pawa_market("5000", pawa_row({"5001": 1.98, "5002": 1.83}, handicap=10)),
        pawa_market("3774", asian_row(-6, "-1.5", "+1.5")),
        pawa_market("31", pawa_row({"32": 2.0})),
    )
    third = normaliser.normalise(encoded(body), BEFORE)
    assert prices(third) == {
        RESULT: (2410, 3300, 3020),
        MarketKey("total_goals", "line=2.5"): (1980, 1830),
        MarketKey("asian_handicap", "handicap=-1.5"): (2320, 1540),
    }
    assert third.complete
    assert normaliser.normalise(encoded(as_version_4(body)), BEFORE) == third


@pytest.mark.parametrize(("quarters", "line"), [(2, "0.5"), (10, "2.5"), (9, "2.25"), (8, "2"), (0, "0"), (-6, "-1.5")])
def test_a_rows_handicap_is_four_times_its_line(normaliser: BetpawaNormaliser, quarters: int, line: str) -> None:
    """Lines are exact in quarters, with the sign of the home side."""
    market = pawa_market("3774", pawa_row({"3775": 1.9, "3776": 1.9}, handicap=quarters))
    offer = normaliser.normalise(encoded(pawa_body(market)), BEFORE)
    assert list(offer.markets) == [MarketKey("asian_handicap", f"handicap={line}")]


@pytest.mark.parametrize(
    ("type_id", "row", "key"),
    [
        ("3774", {"specifier": {"hcp": "0"}}, MarketKey("asian_handicap", "handicap=0")),
        ("3774", {}, MarketKey("asian_handicap", "handicap=-0.5")),
        ("4724", {"specifier": {"hcp": "-1"}}, MarketKey("european_handicap", "handicap=-1")),
        ("4724", {"specifier": None}, MarketKey("european_handicap", "handicap=-0.5")),
    ],
)
def test_a_line_that_the_row_leaves_out_is_found_elsewhere(
    normaliser: BetpawaNormaliser, type_id: str, row: Json, key: MarketKey
) -> None:
    """A line of 0 may be omitted as a default: then the specifier has it, else the home side's price."""
    home = {"3774": "3775", "4724": "4725"}[type_id]
    text = {"3774": "-0.5", "4724": "Home -0.5"}[type_id]
    listed = [{"typeId": home, "odds": 1.9, "handicap": text}]
    offer = normaliser.normalise(encoded(pawa_body(pawa_market(type_id, {"prices": listed} | row))), BEFORE)
    assert list(offer.markets) == [key]


def test_a_line_market_without_any_line_is_dropped(normaliser: BetpawaNormaliser) -> None:
    """Nothing says which line it is, so that the body proves none absent; the other lines stay."""
    market = pawa_market("5000", pawa_row({"5001": 1.9}), pawa_row({"5001": 1.3}, handicap=6))
    offer = normaliser.normalise(encoded(pawa_body(market)), BEFORE)
    assert prices(offer) == {MarketKey("total_goals", "line=1.5"): (1300, 0)}
    assert offer.dropped == (Dropped("bad_line", "5000", 1),)
    assert not offer.complete


def test_rows_of_display_make_one_market(normaliser: BetpawaNormaliser) -> None:
    """Rows without a line are just lines of print."""
    rows = [pawa_row({"4707": 4.5, "4708": 15.0}), pawa_row({"4711": 5.0}), pawa_row({"4715": 6.25})]
    offer = normaliser.normalise(encoded(pawa_body(pawa_market("4706", *rows))), BEFORE)
    assert prices(offer) == {MarketKey("half_time_full_time"): (4500, 15000, 0, 0, 5000, 0, 0, 0, 6250)}
    assert not offer.dropped


def test_prices_are_exact(normaliser: BetpawaNormaliser) -> None:
    """A JSON number's text is the price, be it 1.1 + 2.2 or a whole number."""
    body = encoded(pawa_body(pawa_market("3743", pawa_row(THREE_WAY))))
    text = body.replace(b"2.41", b"3.3").replace(b"3.02", b"21").replace(b"3.3,", b"1.005,", 1)
    assert prices(normaliser.normalise(text, BEFORE)) == {RESULT: (1005, 3300, 21000)}


def test_suspended_prices_keep_what_is_shown(normaliser: BetpawaNormaliser) -> None:
    """Suspended with a price shows it; 0.0 and 1.0 are no prices, suspended or not."""
    listed = [
        pawa_price("3744", 2.41, suspended=True),
        pawa_price("3745", 0.0, suspended=True),
        pawa_price("3746", 1.0),
    ]
    offer = normaliser.normalise(encoded(pawa_body(pawa_market("3743", {"prices": listed}))), BEFORE)
    assert prices(offer) == {RESULT: (-2410, -1, -1)}


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("flags", [{"suspended": True}, {"additionalInfo": {"live": False, "suspended": True}}])
def test_a_suspended_event_suspends_every_market(
    normaliser: BetpawaNormaliser, flags: dict[str, Json], version: int
) -> None:
    """Whatever a suspended event still shows cannot be bet on; what cannot be read has no price then."""
    shown = pawa_market("3743", pawa_row(THREE_WAY))
    unreadable = pawa_market("3795", pawa_row({"3796": "?", "3797": 1.9}))
    body = pawa_body(shown, unreadable, **flags)
    offer = normaliser.normalise(encoded(as_version_4(body) if version == 4 else body), BEFORE)
    assert prices(offer) == {RESULT: (-2410, -3300, -3020), MarketKey("both_teams_to_score"): (-1, -1900)}
    assert (offer.suspended, offer.live) == (True, False)


def test_a_suspended_market_suspends_its_outcomes_alone(normaliser: BetpawaNormaliser) -> None:
    """The other markets of the event stay open."""
    closed = pawa_market("3743", pawa_row(THREE_WAY)) | {"suspended": True}
    offer = normaliser.normalise(encoded(pawa_body(closed, pawa_market("3795", pawa_row({"3796": 1.9})))), BEFORE)
    assert prices(offer) == {RESULT: (-2410, -3300, -3020), MarketKey("both_teams_to_score"): (1900, 0)}
    assert not offer.suspended


@pytest.mark.parametrize("flag", [False, None])
def test_an_event_whose_flags_are_unset_is_open(normaliser: BetpawaNormaliser, flag: Json) -> None:
    """The flags may be false or null."""
    body = pawa_body(pawa_market("3743", pawa_row(THREE_WAY)), suspended=flag, additionalInfo={"suspended": flag})
    offer = normaliser.normalise(encoded(body), BEFORE)
    assert prices(offer) == {RESULT: (2410, 3300, 3020)}
    assert not offer.suspended


def test_a_repeated_line_or_market_counts_once(normaliser: BetpawaNormaliser) -> None:
    """The first of two is taken, whether they stand in one market object or in two."""
    over, again = pawa_row({"5001": 1.98, "5002": 1.83}, 10), pawa_row({"5001": 9.0, "5002": 9.0}, 10)
    key = MarketKey("total_goals", "line=2.5")
    for body in (
        pawa_body(pawa_market("5000", over, again)),
        pawa_body(pawa_market("5000", over), pawa_market("5000", again)),
    ):
        offer = normaliser.normalise(encoded(body), BEFORE)
        assert prices(offer) == {key: (1980, 1830)}
        assert [(lost.reason, lost.count, lost.key) for lost in offer.dropped] == [("duplicate_market", 1, key)]


def test_a_bad_outcome_loses_only_itself(normaliser: BetpawaNormaliser) -> None:
    """A price that is none, an unknown id, and a selection of another shape are counted with their market."""
    listed = [pawa_price("3744", 2.41), pawa_price("3745", "+330"), pawa_price("77", 2.0), {"typeId": 3746}]
    offer = normaliser.normalise(encoded(pawa_body(pawa_market("3743", {"prices": listed}))), BEFORE)
    assert prices(offer) == {RESULT: (2410, UNREAD, UNREAD)}
    assert offer.dropped == (
        Dropped("bad_price", "3743/3745", 1, RESULT),
        Dropped("unknown_outcome", "3743/77", 1, RESULT),
        Dropped("malformed_outcome", "3743", 1, RESULT),
    )
    assert offer.complete


def test_a_price_that_is_no_number_loses_only_itself(normaliser: BetpawaNormaliser) -> None:
    """Whatever stands in the place of a price is looked at alone."""
    listed = [pawa_price("3744", 2.41), pawa_price("3745", None), pawa_price("3746", {"value": "é"})]
    offer = normaliser.normalise(encoded(pawa_body(pawa_market("3743", {"prices": listed}))), BEFORE)
    assert prices(offer) == {RESULT: (2410, UNREAD, UNREAD)}
    assert [lost.reason for lost in offer.dropped] == ["bad_price", "bad_price"]


def test_damaged_rows_and_markets_lose_only_themselves(normaliser: BetpawaNormaliser) -> None:
    """What cannot be placed is counted, and leaves the body without evidence of absence."""
    rows = pawa_market("5000", pawa_row({"5001": 1.98}, 10), {"handicap": "ten"})
    offer = normaliser.normalise(encoded(pawa_body(rows, {"row": []})), BEFORE)
    assert prices(offer) == {MarketKey("total_goals", "line=2.5"): (1980, 0)}
    assert offer.dropped == (Dropped("malformed_row", "5000", 1), Dropped("malformed_market", "markets[1]", 1))
    assert not offer.complete


def test_unmapped_markets_are_counted_by_line(normaliser: BetpawaNormaliser) -> None:
    """Rows of display are one occurrence, lines are one each."""
    lines = pawa_market("31", pawa_row({"32": 2.0}, 2), pawa_row({"33": 2.0}, 2), pawa_row({"32": 2.0}, 6))
    offer = normaliser.normalise(
        encoded(pawa_body(pawa_market("30", pawa_row({"1": 2.0}), pawa_row({})), lines)), BEFORE
    )
    assert offer.unmapped == (Unmapped("31", "Market 31", 2), Unmapped("30", "Market 30", 1))


def test_the_same_id_in_another_sport_is_another_market(normaliser: BetpawaNormaliser) -> None:
    """Tennis has a correct score of sets under football's id."""
    category = {"id": "452", "name": "Tennis"}
    body = pawa_body(
        pawa_market("4429", pawa_row({"4452": 2.0})), pawa_market("3743", pawa_row({"3744": 2.0})), category=category
    )
    offer = normaliser.normalise(encoded(body), BEFORE)
    assert offer.listing.sport == "tennis"
    assert list(offer.markets) == [MarketKey("correct_set_score")]
    assert offer.unmapped == (Unmapped("3743", "Market 3743", 1),)


def test_any_other_score_is_a_market_of_its_own(normaliser: BetpawaNormaliser) -> None:
    """What "other" means depends on the scores that this bookmaker lists, so that nobody else's is the same."""
    body = pawa_body(pawa_market("4429", pawa_row({"4430": 9.0, "1126332": 8.0}), pawa_row({"4435": 60.0})))
    offer = normaliser.normalise(encoded(body), BEFORE)
    assert offer.markets.keys() == {MarketKey("correct_score"), MarketKey("unlisted_correct_score")}
    assert offer.markets[MarketKey("unlisted_correct_score")].prices == (8000,)
    assert offer.occurrences == 1


def test_every_player_is_a_market(normaliser: BetpawaNormaliser) -> None:
    """Players come a row each; the name is in the key, and one without a name is counted."""
    named = {"prices": [pawa_price("501", 2.5) | {"name": "José Doe"}, pawa_price("502", 0.0, suspended=True)]}
    named["prices"][1]["name"] = "Max Roe"
    nameless = {"prices": [pawa_price("503", 4.0) | {"name": ""}]}
    offer = normaliser.normalise(encoded(pawa_body(pawa_market("129108", named, nameless))), BEFORE)
    assert {key: market.prices for key, market in offer.markets.items()} == {
        MarketKey("anytime_goalscorer", "player=jose-doe"): (2500,),
        MarketKey("anytime_goalscorer", "player=max-roe"): (-1,),
    }
    assert [(loss.reason, loss.field) for loss in offer.dropped] == [("bad_selection", "129108/503")]


def test_a_body_is_complete_until_kickoff(normaliser: BetpawaNormaliser) -> None:
    """A started or live event, or a body without `markets`, is no evidence of absence."""
    body = pawa_body(pawa_market("3743", pawa_row(THREE_WAY)))
    assert normaliser.normalise(encoded(body), BEFORE).complete
    assert not normaliser.normalise(encoded(body), AFTER).complete
    assert not normaliser.normalise(encoded(body | {"additionalInfo": {"live": True}}), BEFORE).complete
    assert normaliser.normalise(encoded(body | {"markets": []}), BEFORE).complete
    del body["markets"]
    assert not normaliser.normalise(encoded(body), BEFORE).complete


def test_a_kickoff_in_another_zone_is_the_same_instant(normaliser: BetpawaNormaliser) -> None:
    """Kick-off is always UTC in our records."""
    listing = normaliser.normalise(encoded(pawa_body(startTime="2026-05-06T12:00:00+01:00")), BEFORE).listing
    assert listing.kickoff.isoformat() == "2026-05-06T11:00:00+00:00"


@pytest.mark.parametrize("body", [{"error": "NOT_FOUND"}, {"error": {"code": "not_found", "status": 404}}])
def test_not_found_means_that_the_event_is_gone(normaliser: BetpawaNormaliser, body: Json) -> None:
    """The small error body is told apart from a damaged event."""
    with pytest.raises(GoneError):
        normaliser.normalise(encoded(body), BEFORE)


def test_no_json_means_blocked(normaliser: BetpawaNormaliser) -> None:
    """A site shell, an empty body and protobuf are not "not found"."""
    for body in (b"", b"<html>", b"\n\x12\x08protobuf"):
        with pytest.raises(BlockedError):
            normaliser.normalise(body, BEFORE)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"startTime": "soon"}, "startTime"),
        ({"startTime": "2026-05-06T11:00:00"}, "startTime"),
        ({"startTime": "0001-01-01T00:00:00+14:00"}, "startTime"),
        ({"participants": []}, "participants"),
        ({"participants": [{"name": "A", "position": 1}]}, "participants"),
        ({"category": {}}, "category.id"),
        ({"markets": {}}, "markets"),
    ],
)
def test_another_shape_is_malformed(normaliser: BetpawaNormaliser, fields: dict[str, Json], field: str) -> None:
    """The error names the field, and the event where it is known."""
    with pytest.raises(MalformedError) as caught:
        normaliser.normalise(encoded(pawa_body(**fields)), BEFORE)
    assert (caught.value.field, caught.value.subject) == (field, "33")


def test_damaged_json_and_a_wholly_other_format_are_malformed(normaliser: BetpawaNormaliser) -> None:
    """When not one price can be read, the format has changed."""
    with pytest.raises(MalformedError, match="damaged"):
        normaliser.normalise(encoded(pawa_body())[:-3], BEFORE)
    with pytest.raises(MalformedError):
        normaliser.normalise(
            encoded(pawa_body(pawa_market("3743", {"prices": [{"typeId": "3744", "value": 2}]}))), BEFORE
        )
