"""What a bookmaker states about itself to be simulated, and what the simulator tells its server's side."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from overround.catalogue import Catalogue
from overround.ports import SimulatedBookmaker
from overround.records.event import Listing
from overround.records.odds import MarketKey, MarketPrices


class Size(StrEnum):
    """How much is offered on an event: an average audit's count of markets, that of a captured top match, or all."""

    AUDIT = "audit"
    CAPTURED = "captured"
    EVERYTHING = "everything"


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """How a simulated bookmaker differs from the others.

    Shares are from 0 to 1; prices are in thousandths.
    """

    id_prefix: str
    """What stands before the number in its own event ids."""
    id_offset: int
    """What is added to the SportRadar number to make its own."""
    markets: Mapping[Size, int]
    """How many markets a football match has on average; without a number, all that the mapping knows."""
    other_sports: Mapping[str, int] = {}
    """How many an event of another sport has, at every size with a number."""
    counts_lines: bool
    """Whether each line of a market counts as one of them."""
    margin: float
    """Median overround of the match result; 0.08 is 8 %."""
    ladder: Sequence[tuple[int, int]]
    """Up to which price it quotes in which steps."""
    lag: int
    """How many ticks after the event itself its prices move."""
    liveliness: float = 1.0
    """How often it re-prices, compared with the others."""
    disappearances: float = 1.0
    """How often its markets go away for a time or are suspended, compared with the others."""
    shows_suspended: bool
    """Whether a suspended selection still shows its price."""
    refuses_certainties: bool = False
    """Whether a selection that all but wins is kept without a price."""
    flips: bool = False
    """Whether a few of its events flip between two lines with every tick."""
    gaps: float = 0.0
    """Which share of the events it does not list."""
    unnumbered: float = 0.0
    """Which share of its listings has no SportRadar number."""
    unnumbered_in_lists: float = 0.0
    """Which share of its listings has the number in the event's own body alone."""
    own_spellings: float = 0.08
    """Which share of the names it spells in its own way."""
    may_list_twice: bool = True
    """Whether it could list a match under two ids of its own."""
    latency_ms: tuple[int, int]
    """Median and 95th percentile of the time to its answer."""


class SimulatedEvent(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One listing of a simulated bookmaker as it stands at a tick, with stable numbers to make up further ids from."""

    listing: Listing
    listed_sr_id: int | None
    country_number: int
    league_number: int
    home_number: int
    away_number: int
    started: bool = False


class FamilyVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What tells one state of a family of markets from another: two equal versions have equal prices.

    `priced_at` is the tick of its last pricing; `held` and `away` are the places of markets that are
    suspended or not offered.
    """

    priced_at: int
    suspended: bool = False
    flipped: bool = False
    held: tuple[int, ...] = ()
    away: tuple[int, ...] = ()


class World(Protocol):
    """What a simulated bookmaker's server asks the market model; all answers between two ticks are of one tick."""

    @property
    def tick(self) -> int:
        """Return the present tick."""

    def milliseconds(self, tick: int) -> int:
        """Return the instant of a tick in milliseconds since 1970."""

    def events(self) -> Sequence[SimulatedEvent]:
        """Return what is listed; the same object until something in it changes."""

    def find(self, listing_id: str) -> SimulatedEvent | None:
        """Return an event by the bookmaker's own id: a listed one, or one that is in play."""

    def families(self, event: SimulatedEvent) -> Sequence[FamilyVersion]:
        """Return the present version of each family of the event's markets."""

    def family(self, event: SimulatedEvent, number: int, version: FamilyVersion) -> Mapping[MarketKey, MarketPrices]:
        """Return the prices of a family of markets in a version, in the order in which the bookmaker shows them."""


class Offerable(Protocol):
    """What a bookmaker's wire format can say; implemented by its mapping read backwards."""

    def markets(self) -> Sequence[str]:
        """Return the catalogue markets that it can show, the most popular first."""

    def fixed(self, market: str) -> Mapping[str, frozenset[str]]:
        """Return the values of a market's specifiers that the wire's ids imply; the others are free."""

    def slots(self, key: MarketKey) -> tuple[int, ...]:
        """Return the places of the outcomes that it can show of a market; none if it cannot show it."""


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """One bookmaker's side of the simulator: what it can offer, by sport, and its API on the prices of a world."""

    profile: Profile
    offerables: Mapping[str, Offerable]
    server: Callable[[World], SimulatedBookmaker]


@runtime_checkable
class Simulable(Protocol):
    """A bookmaker that can be simulated without recordings; a plug-in need not be."""

    def simulated(self, catalogue: Catalogue) -> Simulation:
        """Build the bookmaker's side of the simulator."""
