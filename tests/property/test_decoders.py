"""Whatever bytes come in, a normaliser gives an offer or one of our classified errors."""

import json
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from overround.bookmakers.bet9ja.normalise import Bet9jaNormaliser
from overround.bookmakers.betpawa.normalise import BetpawaNormaliser
from overround.bookmakers.sportybet.normalise import SportybetNormaliser
from overround.catalogue import Catalogue, load_catalogue
from overround.errors import FetchError
from overround.ports import Normaliser
from overround.records.event import Offer
from tests.wire_bodies import (
    BEFORE,
    Json,
    as_version_4,
    encoded,
    naija_body,
    naija_live_body,
    pawa_body,
    pawa_market,
    pawa_row,
    sporty_body,
    sporty_market,
)

SPORTY = sporty_body(
    sporty_market("1", {"1": "2.40", "2": "3.30", "3": "3.00"}),
    sporty_market("18", {"12": "1.90", "13": "1.80"}, specifier="total=2.5"),
    sporty_market("999", {"1": "2.0"}, specifier="variant=x"),
)
PAWA = pawa_body(
    pawa_market("3743", pawa_row({"3744": 2.41, "3745": 3.3, "3746": 3.02})),
    pawa_market("5000", pawa_row({"5001": 1.98, "5002": 1.83}, 10)),
    pawa_market("999", pawa_row({"1": 2.0})),
)
NAIJA = naija_body({"S_1X2_1": "2.42", "S_1X2_X": "3.1", "S_OU@2.5_O": "1.9", "S_HAOU@1.5_OH": "1", "S_NEW_Y": "-"})

CASES: dict[str, tuple[Callable[[Catalogue], Normaliser], Json]] = {
    "sportybet": (SportybetNormaliser, SPORTY),
    "betpawa, version 3": (BetpawaNormaliser, PAWA),
    "betpawa, version 4": (BetpawaNormaliser, as_version_4(PAWA)),
    "bet9ja": (Bet9jaNormaliser, NAIJA),
    "bet9ja, live": (Bet9jaNormaliser, naija_live_body()),
}
ANYTHING: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
AWKWARD: st.SearchStrategy[Json] = st.sampled_from(
    ["", "-", "1", "0", "NaN", "1e999", "-2", "é", "9" * 40, 10**30, -1, 0, 1e300, [], {}, None, "a:b"]
)
SETTINGS = settings(max_examples=150, deadline=None)


@pytest.fixture(params=list(CASES.values()), ids=list(CASES), scope="module")
def case(request: pytest.FixtureRequest) -> tuple[Normaliser, Json]:
    """Return a normaliser and a body of its format."""
    make, body = request.param
    return make(load_catalogue()), body


def offer_or_error(normaliser: Normaliser, body: bytes) -> Offer | None:
    """Normalise; anything but an offer or a classified error fails the test."""
    try:
        offer = normaliser.normalise(body, BEFORE)
    except FetchError:
        return None
    for key, market in offer.markets.items():
        assert key.market in normaliser.covered
        assert any(market.prices)
        assert all(price in (0, -1) or abs(price) > 1000 for price in market.prices)
    assert offer.listing.kickoff.utcoffset() is not None
    return offer


def places(value: Json, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of everything within a JSON value."""
    if isinstance(value, dict):
        return [place for key, inner in value.items() for place in [(*path, key), *places(inner, (*path, key))]]
    if isinstance(value, list):
        return [place for key, inner in enumerate(value) for place in [(*path, key), *places(inner, (*path, key))]]
    return []


def mutated(body: Json, changes: list[tuple[int, bool, Json]]) -> Json:
    """Return a copy in which values are replaced, or removed, one after the other."""
    copy = json.loads(json.dumps(body))
    for place, remove, value in changes:
        paths = places(copy)
        if not paths:
            break
        *parents, last = paths[place % len(paths)]
        holder = copy
        for key in parents:
            holder = holder[key]
        if remove:
            del holder[last]
        else:
            holder[last] = value
    return copy


@SETTINGS
@given(changes=st.lists(st.tuples(st.integers(0, 10_000), st.booleans(), ANYTHING | AWKWARD), min_size=1, max_size=4))
def test_values_of_other_types_and_missing_keys(
    case: tuple[Normaliser, Json], changes: list[tuple[int, bool, Json]]
) -> None:
    """Values replaced by anything at all, and keys removed, end in an offer or in a classified error."""
    normaliser, body = case
    offer_or_error(normaliser, encoded(mutated(body, changes)))


@SETTINGS
@given(cut=st.integers(0, 10_000), flips=st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), max_size=3))
def test_truncated_and_flipped_bytes(case: tuple[Normaliser, Json], cut: int, flips: list[tuple[int, int]]) -> None:
    """Bytes cut off or flipped end in an offer or in a classified error; cut short, never in an offer."""
    normaliser, body = case
    whole = encoded(body)
    damaged = bytearray(whole[: cut % len(whole)] if cut else whole)
    for place, mask in flips:
        if damaged:
            damaged[place % len(damaged)] ^= mask
    offer = offer_or_error(normaliser, bytes(damaged))
    if not flips:
        assert (offer is not None) == (cut == 0 or len(damaged) == len(whole))


@SETTINGS
@given(body=st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | ANYTHING.map(encoded))
@example(body=b"[" * 100_000)
@example(body=b'{"data":' * 100_000)
@example(body=b'{"R":"OK","D":{"A":' + b"[" * 100_000)
@example(body=b'{"R":"\xff\xfe","D":{}}')
@example(body=b'{"id":"\xed\xa0\x80"}')
@example(body=b"\xef\xbb\xbf")
def test_arbitrary_bytes(case: tuple[Normaliser, Json], body: bytes) -> None:
    """Bytes that are no body at all, nested without end, or not UTF-8 end in a classified error."""
    assert offer_or_error(case[0], body) is None


def test_the_bodies_themselves_give_offers(case: tuple[Normaliser, Json]) -> None:
    """What the mutations start from is sound, also behind a byte order mark."""
    normaliser, body = case
    offer = offer_or_error(normaliser, encoded(body))
    assert offer is not None
    assert not offer.dropped
    assert offer_or_error(normaliser, b"\xef\xbb\xbf" + encoded(body)) == offer
