"""How much is mapped, counted on the wire."""

import msgspec

from overround.bookmakers.sportybet.normalise import SportybetNormaliser
from overround.catalogue import load_catalogue
from overround.fetching.known_bodies import UnchangedBodies
from overround.pricing.coverage import Coverage, CoverageBook, RecordingReader, event_coverage, summed
from overround.pricing.reports import coverage_report
from overround.records.response import Response
from tests.wire_bodies import BEFORE, Json, encoded, sporty_body, sporty_market, sporty_outcome

ODD = (
    sporty_market("1", {"1": "2.40", "2": "3.30", "3": "3.00"}),
    sporty_market("1", {"1": "2.40"}),
    sporty_market("18", {"12": "1.9", "13": "1.8"}, specifier="total=abc"),
    sporty_market("18", {"12": "1.9", "13": "1.8"}, specifier="total=2.5|score=0:0"),
    sporty_market("29", {"74": "1.9", "999": "1.8"}),
    sporty_market("40", {}, specifier="type=prematch") | {"outcomes": [sporty_outcome("sr:player:1", "2.0")]},
    sporty_market("219", {"4": "1.9", "5": "1.8"}),
)


def body(*markets: Json, **fields: Json) -> bytes:
    """Return a body of SportyBet's as bytes."""
    return encoded(sporty_body(*markets, **fields))


def answer(content: bytes) -> Response:
    """Return an answer with a body."""
    return Response(body=content, received_at=BEFORE, duration_ms=1)


def coverage_of(*bodies: bytes) -> Coverage:
    """Return the sums over these bodies, of one sport."""
    normaliser = SportybetNormaliser(load_catalogue())
    offers = [normaliser.normalise(one, BEFORE) for one in bodies]
    (found,) = summed([event_coverage(offer, str(place)) for place, offer in enumerate(offers)])
    return found


def test_each_odd_market_loses_only_itself_and_is_counted_with_its_reason() -> None:
    """A repeated market, a line that is none, unknown specifiers and outcomes, no name, an id of another sport."""
    found = coverage_of(body(*ODD))
    assert found.mapped == 2
    assert dict(found.dropped) == {"duplicate_market": 1, "bad_line": 1, "unknown_outcome": 1, "bad_selection": 1}
    assert [(lost.id, lost.count) for lost in found.unmapped] == [("18", 1), ("219", 1)]
    assert found.share == 2 / 8


def test_sums_are_by_bookmaker_and_sport_with_the_most_frequent_first() -> None:
    """Losses of several events are added up."""
    rare, frequent = sporty_market("999001", {"1": "2"}), sporty_market("999002", {"1": "2"})
    found = coverage_of(body(rare, frequent), body(frequent, ODD[0]), body())
    assert (found.bookmaker, found.sport, found.events) == ("sportybet", "football", 3)
    assert [(lost.id, lost.count) for lost in found.unmapped] == [("999002", 2), ("999001", 1)]
    assert found.share == 1 / 4
    assert coverage_of(body()).share is None


def test_a_book_keeps_the_newest_body_of_a_listing() -> None:
    """A listing that is scraped again is not counted twice, and the oldest listings make room."""
    book = CoverageBook(limit=2)
    reader = RecordingReader(UnchangedBodies(SportybetNormaliser(load_catalogue())), book)
    reader.read(answer(body(ODD[0])))
    reader.read(answer(body(ODD[6])))
    assert [event.mapped for event in book.events()] == [0]
    for number in (1, 2):
        reader.read(answer(body(eventId=f"sr:match:{number}")))
    assert [event.source for event in book.events()] == ["sr:match:1", "sr:match:2"]
    assert "match_result" in reader.covered


def test_a_report_names_the_worst_events() -> None:
    """The events that lost most come first, as many as are asked for."""
    normaliser = SportybetNormaliser(load_catalogue())
    events = [
        event_coverage(normaliser.normalise(body(*markets), BEFORE), name)
        for name, markets in (("good", ODD[:1]), ("bad", ODD))
    ]
    (found,) = coverage_report(events, worst=1)["coverage"]
    assert [event["listing_id"] for event in found["worst"]] == ["bad"]


def test_a_normaliser_that_splits_nothing_need_not_count() -> None:
    """Where an offer does not say how many occurrences it has, its keys are counted."""
    offer = SportybetNormaliser(load_catalogue()).normalise(body(ODD[0], ODD[5]), BEFORE)
    assert event_coverage(msgspec.structs.replace(offer, occurrences=None), "it").mapped == len(offer.markets) == 1
