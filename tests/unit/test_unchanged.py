"""Bodies that are known already are not decoded again."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from overround.bookmakers.unchanged import UnchangedBodies, body_digest
from overround.errors import GoneError
from overround.event import Listing, Offer
from overround.odds import MarketKey, MarketPrices
from overround.response import Response

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


def answer(body: bytes, at: datetime, digest: bytes = b"") -> Response:
    """Return an answer that has been unpacked; `digest` is that of the bytes as they arrived."""
    return Response(body=body, received_at=at, duration_ms=1, digest=digest)


@pytest.fixture
def counting() -> Counting:
    """Return a normaliser that counts."""
    return Counting()


def test_an_equal_body_is_decoded_once(counting: Counting) -> None:
    """The second of two equal bodies gives the same offer, and costs no decoding."""
    bodies = UnchangedBodies(counting)
    first = bodies.read(answer(b"0 2000", BEFORE))
    assert bodies.read(answer(b"0 2000", BEFORE + timedelta(minutes=5))) is first
    assert counting.calls == 1
    assert first.body_hash == body_digest(b"0 2000")


def test_bytes_that_arrived_before_need_not_be_unpacked(counting: Counting) -> None:
    """What they said is known by their hash alone, with the body's size, until the kick-off or another body."""
    bodies = UnchangedBodies(counting)
    assert bodies.known(b"packed", BEFORE) is None
    offer = bodies.read(answer(b"0 2000", BEFORE, b"packed"))
    known = bodies.known(b"packed", BEFORE)
    assert known is not None
    assert (known.offer, known.bytes) == (offer, len(b"0 2000"))
    assert bodies.read(msgspec.structs.replace(answer(b"", BEFORE, b"packed"), known=known)) is offer
    assert bodies.known(b"packed", KICKOFF) is None
    bodies.read(answer(b"0 2100", BEFORE, b"other"))
    assert bodies.known(b"packed", BEFORE) is None
    assert counting.calls == 2


def test_an_equal_body_that_is_packed_another_way_is_known_by_that_from_then_on(counting: Counting) -> None:
    """A server that compresses anew costs unpacking, not decoding; the newest way counts."""
    bodies = UnchangedBodies(counting)
    offer = bodies.read(answer(b"0 2000", BEFORE, b"packed"))
    assert bodies.read(answer(b"0 2000", BEFORE, b"repacked")) is offer
    assert bodies.known(b"repacked", BEFORE) is not None
    assert bodies.known(b"packed", BEFORE) is None
    assert counting.calls == 1


def test_only_the_newest_body_of_a_listing_is_known(counting: Counting) -> None:
    """A price that goes back is read anew; one listing never keeps two offers."""
    bodies = UnchangedBodies(counting)
    for body in (b"0 2000", b"0 2100", b"0 2000"):
        offer = bodies.read(answer(body, BEFORE))
        assert offer.markets == counting.normalise(body, BEFORE).markets
    assert counting.calls == 2 * 3


def test_after_its_kick_off_a_body_is_read_again(counting: Counting) -> None:
    """The same bytes are complete before the kick-off and are not from then on."""
    bodies = UnchangedBodies(counting)
    assert bodies.read(answer(b"0 2000", BEFORE)).complete
    assert not bodies.read(answer(b"0 2000", KICKOFF)).complete
    assert not bodies.read(answer(b"0 2000", KICKOFF)).complete
    assert counting.calls == 1 + 2


@pytest.mark.parametrize(("kept", "at"), [(1, BEFORE), (9, KICKOFF)], ids=["too-many", "started"])
def test_what_was_met_longest_ago_is_forgotten(counting: Counting, kept: int, at: datetime) -> None:
    """Beyond the number of listings, and once it has started, the one met longest ago goes."""
    bodies = UnchangedBodies(counting, kept)
    bodies.read(answer(b"0 2000", BEFORE))
    bodies.read(answer(b"3 2000", at))
    bodies.read(answer(b"0 2000", BEFORE))
    assert counting.calls == 3


def test_a_failure_is_not_known(counting: Counting) -> None:
    """A body that cannot be used raises each time."""
    bodies = UnchangedBodies(counting)
    for _ in range(2):
        with pytest.raises(GoneError):
            bodies.read(answer(b"0 gone", BEFORE))
    assert counting.calls == 2
    assert bodies.covered == counting.covered
