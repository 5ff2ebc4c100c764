"""Bodies that are known already are not decoded again."""

from datetime import UTC, datetime, timedelta

import pytest

from overround.errors import GoneError
from overround.fetching.known_bodies import UnchangedBodies, body_digest
from overround.records.event import Listing, Offer
from overround.records.odds import MarketKey, MarketPrices
from overround.records.response import KnownBody, Response

KICKOFF = datetime(2026, 11, 25, 20, tzinfo=UTC)
BEFORE = KICKOFF - timedelta(hours=1)


class Counting:
    """Normalises `ID PRICE`, and counts how often."""

    covered = frozenset(("match_result",))

    def __init__(self) -> None:
        self.calls = 0

    def normalise(self, body: bytes, at: datetime) -> Offer:
        """Return an offer of one market, complete until the kick-off."""
        self.calls += 1
        listing_id, _, price = body.decode().partition(" ")
        if price == "gone":
            raise GoneError("toy", listing_id, "gone")
        return Offer(
            listing=Listing(
                bookmaker="toy",
                listing_id=listing_id,
                sr_id=7,
                sport="football",
                home="A",
                away="B",
                kickoff=KICKOFF + timedelta(days=int(listing_id)),
                country="Utopia",
                tournament="First",
            ),
            markets={MarketKey("match_result"): MarketPrices((int(price),))},
            complete=at < KICKOFF + timedelta(days=int(listing_id)),
        )


def read(bodies: UnchangedBodies, body: bytes, at: datetime) -> Offer:
    """Return what a body says that arrives as it is, and is not even unpacked where its bytes are known."""
    digest = body_digest(body)
    known = bodies.known(digest, at)
    sent = body if known is None else b""
    return bodies.read(Response(body=sent, received_at=at, duration_ms=1, digest=digest, known=known))


@pytest.fixture
def counting() -> Counting:
    """Return a normaliser that counts."""
    return Counting()


def test_an_equal_body_is_decoded_once(counting: Counting) -> None:
    """The second of two equal bodies gives the same offer, and costs no decoding."""
    bodies = UnchangedBodies(counting)
    first = read(bodies, b"0 2000", BEFORE)
    assert read(bodies, b"0 2000", BEFORE + timedelta(minutes=5)) is first
    assert counting.calls == 1
    assert first.body_hash == body_digest(b"0 2000")


def test_a_known_body_comes_with_its_size(counting: Counting) -> None:
    """Whoever counts bytes counts those of bodies that were not unpacked, too."""
    bodies = UnchangedBodies(counting)
    assert bodies.known(body_digest(b"0 2000"), BEFORE) is None
    offer = read(bodies, b"0 2000", BEFORE)
    assert bodies.known(body_digest(b"0 2000"), BEFORE) == KnownBody(offer=offer, bytes=6)


def test_a_body_of_unknown_bytes_is_read_each_time(counting: Counting) -> None:
    """Where nobody has hashed the bytes, nothing is kept of them."""
    bodies = UnchangedBodies(counting)
    for _ in range(2):
        assert bodies.read(Response(body=b"0 2000", received_at=BEFORE, duration_ms=1)).body_hash == b""
    assert bodies.known(b"", BEFORE) is None
    assert counting.calls == 2


def test_only_the_newest_body_of_a_listing_is_known(counting: Counting) -> None:
    """A price that goes back is read anew; one listing never keeps two offers."""
    bodies = UnchangedBodies(counting)
    for body in (b"0 2000", b"0 2100", b"0 2000"):
        offer = read(bodies, body, BEFORE)
        assert offer.markets == counting.normalise(body, BEFORE).markets
    assert counting.calls == 2 * 3


def test_after_its_kick_off_a_body_is_read_again(counting: Counting) -> None:
    """The same bytes are complete before the kick-off and are not from then on."""
    bodies = UnchangedBodies(counting)
    assert read(bodies, b"0 2000", BEFORE).complete
    assert not read(bodies, b"0 2000", KICKOFF).complete
    assert not read(bodies, b"0 2000", KICKOFF).complete
    assert counting.calls == 1 + 2


@pytest.mark.parametrize(("kept", "at"), [(1, BEFORE), (9, KICKOFF)], ids=["too-many", "started"])
def test_what_was_met_longest_ago_is_forgotten(counting: Counting, kept: int, at: datetime) -> None:
    """Beyond the number of listings, and once it has started, the one met longest ago goes."""
    bodies = UnchangedBodies(counting, kept)
    read(bodies, b"0 2000", BEFORE)
    read(bodies, b"3 2000", at)
    read(bodies, b"0 2000", BEFORE)
    assert counting.calls == 3


def test_a_failure_is_not_known(counting: Counting) -> None:
    """A body that cannot be used raises each time."""
    bodies = UnchangedBodies(counting)
    for _ in range(2):
        with pytest.raises(GoneError):
            read(bodies, b"0 gone", BEFORE)
    assert counting.calls == 2
    assert bodies.covered == counting.covered
