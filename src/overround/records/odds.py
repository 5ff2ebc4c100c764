"""Exact prices, lines, market keys and snapshots: the arithmetic everything else stands on."""

import re
import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType

import msgspec
import uuid_utils

from overround.errors import LineError, PriceError

THOUSANDTHS = 1000
NOT_OFFERED = 0
SUSPENDED_UNPRICED = -1
UNREAD = -(2**31)
"""Before classification: the outcome is there, and could not be read. Never cached, journalled or stored."""
_MIN_OUTCOMES = 2  # below two there is nothing to add up
_MAX_LINE = 1_000_000
_MAX_PRICE = 2**31 - 1  # PostgreSQL integer, 2,147,483.647

# Python's own number grammar takes "1_000", "1e3", "+150" and Arabic digits, none of which is a decimal price.
_UNSIGNED = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,40})?")
_SIGNED = re.compile(r"[+-]?[0-9]{1,10}(?:\.[0-9]{1,40})?")
_NOISE = Decimal("1e-9")  # what binary floats add to a decimal: 1.8500000000000001
_THOUSANDTH = Decimal("0.001")
_FINEST_LINE = Decimal("0.0001")


class State(StrEnum):
    """Whether a market or an outcome can be bet on; "not offered" is absence, not a state."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REMOVED = "removed"


class MarketKey(msgspec.Struct, frozen=True, order=True, cache_hash=True, gc=False):
    """A catalogue entry plus its specifiers in canonical text, such as `total_goals`, `line=2.5`."""

    market: str
    specifiers: str = ""


class MarketPrices(msgspec.Struct, frozen=True, gc=False):
    """A market's outcomes in catalogue order, in thousandths; one signed integer holds price and state.

    Positive: active at that price. Negative: suspended, the bookmaker still shows that price
    (-1: suspended and no price shown). Zero: the bookmaker does not offer the outcome.
    No outcomes at all: the market is removed.
    """

    prices: tuple[int, ...]

    @property
    def state(self) -> State:
        """Return the market's state, which its outcomes decide."""
        if not self.prices or not any(self.prices):
            return State.REMOVED
        return State.ACTIVE if max(self.prices) > 0 else State.SUSPENDED


REMOVED = MarketPrices(())


class Dropped(msgspec.Struct, frozen=True, gc=False):
    """Input that could not be used: why, where, and how often.

    `key` is set where the market is known, so that its absence is not taken for its removal.
    """

    reason: str
    field: str
    count: int = 1
    key: MarketKey | None = None


class Unmapped(msgspec.Struct, frozen=True, gc=False):
    """A bookmaker's market that the catalogue does not map, by the bookmaker's own id and name."""

    id: str
    name: str
    count: int = 1


def _new_id() -> uuid.UUID:
    return uuid.UUID(bytes=uuid_utils.uuid7().bytes)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All of one bookmaker's markets for one event at one `received_at`.

    `complete`: a market of `covered` that is absent, and not in `unproven`, is no longer offered.
    `covered` are the catalogue markets that the bookmaker's mapping can produce at all. Markets with an outcome
    that could not be read (`UNREAD`) are `unread` once classification has put the known state in its place.
    `suspended`: nothing of the event can be bet on, so that a market which the body lacks is suspended too.
    `number` is that of the request that brought the body: requests count in the order in which they were sent,
    whatever the clock shows. `seen` are the monotonic seconds when the body was read: ages count from there, so that
    no step of the wall clock changes them. `snapshot_id` names the row that the snapshot becomes where it changed
    something.
    """

    sr_id: int
    bookmaker: str
    received_at: datetime
    markets: Mapping[MarketKey, MarketPrices]
    complete: bool
    covered: frozenset[str] = frozenset()
    unproven: frozenset[MarketKey] = frozenset()
    unread: frozenset[MarketKey] = frozenset()
    suspended: bool = False
    body_hash: bytes = b""
    number: int = 0
    seen: float = 0.0
    snapshot_id: uuid.UUID = msgspec.field(default_factory=_new_id)


def parse_price(text: str) -> int:
    """Return a decimal price ("2.10") in thousandths; a finer one is rounded half-even.

    Raises:
        PriceError: not ASCII digits with at most one point (a sign and an exponent are none), or beyond 2,147,483.647.
    """
    plain = text.strip()
    if not _UNSIGNED.fullmatch(plain):
        raise PriceError(f"{text[:40]!r} is no price")
    return thousandths(Decimal(plain))


def thousandths(price: Decimal) -> int:
    """Return a price in thousandths, rounded half-even; the noise of binary floats does not decide the rounding.

    Raises:
        PriceError: negative, or beyond 2,147,483.647.
    """
    found = int(price.quantize(_NOISE).quantize(_THOUSANDTH).scaleb(3)) if price < _MAX_PRICE else _MAX_PRICE + 1
    if not 0 <= found <= _MAX_PRICE:
        raise PriceError(f"{str(price)[:40]!r} is no price in thousandths")
    return found


def price_text(price: int) -> str:
    """Return a price in thousandths as decimal text with at least two decimals: 2100 -> "2.10"."""
    whole, part = divmod(abs(price), THOUSANDTHS)
    digits = f"{part:03d}"
    return f"{whole}.{digits if digits[2] != '0' else digits[:2]}"


def outcome_state(price: int) -> State | None:
    """Return the state of one entry of `MarketPrices.prices`; None where it is not offered."""
    if price > 0:
        return State.ACTIVE
    return State.SUSPENDED if price < 0 else None


def shown_price(price: int) -> int | None:
    """Return the price that the bookmaker shows for one entry, suspended or not; None without one."""
    magnitude = abs(price)
    return magnitude if magnitude > THOUSANDTHS else None


def canonical_line(text: str) -> str:
    """Return a line as canonical decimal text: "2.50" -> "2.5", "+1" -> "1", "-0.0" -> "0".

    The noise of binary floats, up to 1e-9, is taken away: "2.4999999999999996" is "2.5".

    Raises:
        LineError: not ASCII digits with a sign or without, and with at most six before and four after the point.
    """
    plain = text.strip()
    if not _SIGNED.fullmatch(plain):
        raise LineError(f"{text[:40]!r} is no line")
    stated = Decimal(plain)
    line = stated.quantize(_FINEST_LINE)
    if abs(line) >= _MAX_LINE or abs(line - stated) > _NOISE:
        raise LineError(f"{text[:40]!r} is no line")
    return f"{line.normalize() + 0:f}" if line else "0"


def specifiers_text(specifiers: Mapping[str, str]) -> str:
    """Return specifiers in the canonical text of a `MarketKey`, names in order: "goal=1|line=2.5"."""
    return "|".join(f"{name}={specifiers[name]}" for name in sorted(specifiers))


def specifiers_of(key: MarketKey) -> Mapping[str, str]:
    """Return a key's specifiers by name."""
    pairs = (part.partition("=") for part in key.specifiers.split("|") if part)
    return MappingProxyType({name: value for name, _, value in pairs})


def margin(prices: MarketPrices, probability_sum: int, covers: Sequence[Collection[int]] = ()) -> Fraction | None:
    """Return a market's overround, exactly; 0.08 is a margin of 8 %.

    `probability_sum` is what the true probabilities of the outcomes add up to: 1 for 1X2,
    2 for double chance. `covers` are the sets of outcomes, by place, of which that is true; none means
    all outcomes together. None unless every offered outcome is active, and they are such a set: a partial
    sum means nothing.
    """
    offered = _summable(prices.prices, covers)
    if offered is None:
        return None
    return sum((Fraction(THOUSANDTHS, price) for price in offered), Fraction()) / probability_sum - 1


def approximate_margin(
    prices: Sequence[int], probability_sum: int, covers: Sequence[Collection[int]] = ()
) -> float | None:
    """Return what `margin` does as a float, many times faster: for showing and sorting."""
    offered = _summable(prices, covers)
    return None if offered is None else sum([THOUSANDTHS / price for price in offered]) / probability_sum - 1


def _summable(prices: Sequence[int], covers: Sequence[Collection[int]]) -> Sequence[int] | None:
    """Return the offered outcomes' prices where all are active and their probabilities add up to a known sum."""
    offered = [price for price in prices if price != NOT_OFFERED]
    if len(offered) < _MIN_OUTCOMES or min(offered) < 0:
        return None
    if not covers:
        return offered if len(offered) == len(prices) else None
    places = {place for place, price in enumerate(prices) if price != NOT_OFFERED}
    return offered if any(places == set(cover) for cover in covers) else None
