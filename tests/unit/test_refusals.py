"""Errors that bookmakers state inside an answer with status 200."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from overround.bookmakers.bet9ja.wire import refusal_of as bet9ja
from overround.bookmakers.betpawa.wire import refusal_of as betpawa
from overround.bookmakers.kit.refusals import AnswerMeaning, meaning_of_text
from overround.bookmakers.registry import load_bookmakers
from overround.bookmakers.sportybet.wire import refusal_of as sportybet
from overround.catalogue import load_catalogue
from overround.errors import FetchError, GoneError, RefusedError, TransientFetchError
from overround.fetching.circuit_breaker import RequestOutcome, outcome_of
from tests.wire_bodies import BEFORE, encoded, naija_body, pawa_body, sporty_body

Json = Any
REFUSALS: Mapping[str, Callable[..., FetchError | None]] = {
    "betpawa": betpawa,
    "sportybet": lambda body, subject: sportybet(body, subject, of_event=True),
    "bet9ja": bet9ja,
}
STATED: tuple[tuple[str, Json, type[FetchError]], ...] = (
    ("sportybet", {"bizCode": 19000, "message": "Invalid"}, GoneError),
    ("sportybet", {"bizCode": 11001, "message": "Event not found"}, GoneError),
    ("sportybet", {"bizCode": 19999, "message": "System busy, please try again later"}, TransientFetchError),
    ("sportybet", {"bizCode": 50000, "message": None}, RefusedError),
    ("sportybet", {"bizCode": "19999"}, TransientFetchError),
    ("sportybet", {"bizCode": 40300, "message": "Forbidden", "data": {}}, RefusedError),
    ("bet9ja", {"R": "E"}, GoneError),
    ("bet9ja", {"R": "E", "D": None}, GoneError),
    ("bet9ja", {"R": "E", "D": False}, GoneError),
    ("bet9ja", {"R": "E", "D": "Event not found"}, GoneError),
    ("bet9ja", {"R": "E", "D": "Too many requests"}, TransientFetchError),
    ("bet9ja", {"R": "E", "D": "Service temporarily unavailable"}, TransientFetchError),
    ("bet9ja", {"R": "E", "D": "Session expired"}, RefusedError),
    ("bet9ja", {"R": "X"}, RefusedError),
    ("betpawa", {"error": "NOT_FOUND"}, GoneError),
    ("betpawa", {"error": {"code": "not_found", "status": 404}}, GoneError),
    ("betpawa", {"code": 404, "message": "no"}, GoneError),
    ("betpawa", {"error": "RATE_LIMIT_EXCEEDED"}, TransientFetchError),
    ("betpawa", {"message": "Internal error"}, TransientFetchError),
    ("betpawa", {"error": "FORBIDDEN"}, RefusedError),
)


@pytest.mark.parametrize(("slug", "body", "expected"), STATED)
def test_each_bookmakers_errors_have_their_meaning(slug: str, body: Json, expected: type[FetchError]) -> None:
    """Only what says so is "no such event"; a busy server is transient, and all else a refusal."""
    found = REFUSALS[slug](encoded(body), "event 7")
    assert type(found) is expected
    assert str(found).startswith(f"{slug}: event 7: ")


@pytest.mark.parametrize(("slug", "body", "expected"), STATED)
def test_a_normaliser_says_the_same(slug: str, body: Json, expected: type[FetchError]) -> None:
    """A recorded error means what a fetched one does."""
    with pytest.raises(expected):
        load_bookmakers()[slug].normaliser(load_catalogue()).normalise(encoded(body), BEFORE)


@pytest.mark.parametrize(
    ("slug", "body"), [("sportybet", sporty_body()), ("bet9ja", naija_body({})), ("betpawa", pawa_body())]
)
def test_an_answer_states_no_error(slug: str, body: Json) -> None:
    """With and without white space; neither do lists, empty objects and what is no JSON."""
    for text in (encoded(body), msgspec.json.encode(body), b"{}", b"[]", b"<html>", b"", b"\xff"):
        assert REFUSALS[slug](text, "event 7") is None


def test_a_list_that_is_invalid_is_no_missing_event() -> None:
    """SportyBet's "Invalid" is about the id only where an event was asked for by its id."""
    assert type(sportybet(b'{"bizCode":19000,"message":"Invalid"}', "leagues")) is RefusedError


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Event does not exist", AnswerMeaning.GONE),
        ("No such event", AnswerMeaning.GONE),
        ("No odds found: server busy", AnswerMeaning.BUSY),
        ("request timed out", AnswerMeaning.BUSY),
        ("Access denied", None),
        ("", None),
    ],
)
def test_words_mean_what_they_say(text: str, meaning: AnswerMeaning | None) -> None:
    """Busy goes before gone: a listing is not given up for a server that has too much to do."""
    assert meaning_of_text(text) is meaning


def test_adaptive_limit_and_breaker_learn_from_stated_errors() -> None:
    """Refused and overloaded are complaints; "no such event" says that the bookmaker is well."""
    outcomes = [outcome_of(REFUSALS["sportybet"](encoded(body), "event 7")) for slug, body, _ in STATED[:4]]  # type: ignore[arg-type]
    assert outcomes == [RequestOutcome.UNUSABLE] * 2 + [RequestOutcome.COMPLAINED] * 2
