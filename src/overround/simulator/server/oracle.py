"""What must come out of a scrape: the normalised state of every bookmaker's events at a tick, and how it came about."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from overround.bookmakers.kit.simulation import FamilyVersion, Simulable, SimulatedEvent, Simulation
from overround.bookmakers.registry import load_bookmakers
from overround.catalogue import Catalogue, load_catalogue
from overround.ports import Bookmaker
from overround.records.event import Listing
from overround.records.odds import MarketKey, MarketPrices
from overround.simulator.model.anomalies import NO_ANOMALIES, Anomalies
from overround.simulator.model.market import Model
from overround.simulator.model.parameters import Parameters

_EVENTS_KEPT = 100_000


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What normalising one single-event body must give; `complete` if it is received before `listing.kickoff`."""

    listing: Listing
    markets: Mapping[MarketKey, MarketPrices]
    complete: bool


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """That a market changed at a tick: None stands for a market that was, or is, not offered."""

    tick: int
    key: MarketKey
    before: MarketPrices | None
    after: MarketPrices | None


class _Kept:
    """The families of one event as they were last asked for."""

    def __init__(self) -> None:
        self.versions: Sequence[FamilyVersion] = ()
        self.families: list[Mapping[MarketKey, MarketPrices]] = []
        self.markets: Mapping[MarketKey, MarketPrices] = {}


class Oracle:
    """Answers for a simulation from its parameters alone, in any process."""

    def __init__(self, model: Model, anomalies: Anomalies = NO_ANOMALIES) -> None:
        self.model = model
        self._anomalies = anomalies
        self._kept: dict[tuple[str, str], _Kept] = {}

    @property
    def bookmakers(self) -> tuple[str, ...]:
        """Return the slugs of the simulated bookmakers."""
        return self.model.bookmakers

    def listings(self, slug: str, tick: int) -> Iterator[Listing]:
        """Yield what discovery must find; where a list leaves the SportRadar number out, so does the listing."""
        for event in self.model.events(slug, tick, self._anomalies):
            yield msgspec.structs.replace(event.listing, sr_id=event.listed_sr_id)

    def states(self, slug: str, tick: int) -> Iterator[Expected]:
        """Yield what every listed event's body must give."""
        for event in self.model.events(slug, tick, self._anomalies):
            yield self._expected(slug, event, tick)

    def state(self, slug: str, listing_id: str, tick: int) -> Expected | None:
        """Return what an event's body must give; None if there is no such event, or if it has started."""
        event = self.model.find(slug, listing_id, tick, self._anomalies)
        return None if event is None or event.started else self._expected(slug, event, tick)

    def history(self, slug: str, listing_id: str, first: int, last: int) -> Iterator[Change]:
        """Yield the changes after tick `first` up to and including `last`, while the event is listed."""
        before = self.state(slug, listing_id, first)
        for tick in range(first + 1, last + 1):
            after = self.state(slug, listing_id, tick)
            if before is not None and after is not None:
                yield from _changes(tick, before.markets, after.markets)
            before = after

    def _expected(self, slug: str, event: SimulatedEvent, tick: int) -> Expected:
        return Expected(
            listing=event.listing,
            markets=self._markets(slug, event.listing.listing_id, tick),
            complete=self.model.instant(tick) < event.listing.kickoff,
        )

    def _markets(self, slug: str, listing_id: str, tick: int) -> Mapping[MarketKey, MarketPrices]:
        """Return an event's markets; families that are as they were are not worked out again."""
        if len(self._kept) > _EVENTS_KEPT:
            self._kept.clear()
        kept = self._kept.setdefault((slug, listing_id), _Kept())
        versions = self.model.versions(slug, listing_id, tick)
        if versions != kept.versions:
            same = dict(zip(enumerate(kept.versions), kept.families, strict=True))
            kept.families = [
                same.get((number, version)) or self.model.family(slug, listing_id, number, version)
                for number, version in enumerate(versions)
            ]
            kept.versions = versions
            kept.markets = {key: prices for family in kept.families for key, prices in family.items()}
        return kept.markets


def build_model(
    parameters: Parameters, catalogue: Catalogue | None = None, bookmakers: Mapping[str, Bookmaker] | None = None
) -> Model:
    """Return the market model of all installed bookmakers that can be simulated.

    Raises:
        SettingsError: a plug-in cannot be loaded.
        CatalogueError: a mapping does not fit the catalogue.
    """
    known = catalogue or load_catalogue()
    found = load_bookmakers() if bookmakers is None else bookmakers
    return Model(parameters, known, simulations_of(found, known))


def simulations_of(bookmakers: Mapping[str, Bookmaker], catalogue: Catalogue) -> Mapping[str, Simulation]:
    """Return the simulator's side of every bookmaker that has one."""
    return {slug: one.simulated(catalogue) for slug, one in bookmakers.items() if isinstance(one, Simulable)}


def _changes(
    tick: int, before: Mapping[MarketKey, MarketPrices], after: Mapping[MarketKey, MarketPrices]
) -> Iterator[Change]:
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            yield Change(tick=tick, key=key, before=before.get(key), after=after.get(key))
