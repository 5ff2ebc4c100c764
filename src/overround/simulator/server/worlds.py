"""The market model as the bookmakers' servers see it: at the present tick."""

from collections.abc import Mapping, Sequence

from overround.bookmakers.kit.simulation import FamilyVersion, SimulatedEvent
from overround.records.odds import MarketKey, MarketPrices
from overround.simulator.model.anomalies import NO_ANOMALIES, Anomalies
from overround.simulator.model.market import Model


class Present:
    """The tick that all bookmakers are at, and what is wrong with their lists."""

    def __init__(self, tick: int = 0) -> None:
        self.tick = tick
        self.anomalies: Anomalies = NO_ANOMALIES


class ModelWorld:
    """One bookmaker's world; implements the `World` protocol."""

    def __init__(self, model: Model, slug: str, present: Present) -> None:
        self._model = model
        self._slug = slug
        self._present = present
        self._seen: tuple[int, Anomalies] | None = None
        self._events: tuple[SimulatedEvent, ...] = ()
        self._by_id: dict[str, SimulatedEvent] = {}

    @property
    def tick(self) -> int:
        """Return the present tick."""
        return self._present.tick

    def milliseconds(self, tick: int) -> int:
        """Return the instant of a tick in milliseconds since 1970."""
        return round(self._model.instant(tick).timestamp() * 1000)

    def events(self) -> Sequence[SimulatedEvent]:
        """Return what is listed; an event of which nothing has changed is the same object as before."""
        now = (self.tick, self._present.anomalies)
        if now != self._seen:
            self._seen = now
            listed = [self._same(event) for event in self._model.events(self._slug, *now)]
            if len(listed) != len(self._events) or any(
                one is not other for one, other in zip(listed, self._events, strict=True)
            ):
                self._events = tuple(listed)
                self._by_id = {event.listing.listing_id: event for event in listed}
        return self._events

    def find(self, listing_id: str) -> SimulatedEvent | None:
        """Return an event by the bookmaker's own id: a listed one, or one in play."""
        self.events()
        listed = None if self._present.anomalies.in_play else self._by_id.get(listing_id)
        return listed or self._model.find(self._slug, listing_id, self.tick, self._present.anomalies)

    def families(self, event: SimulatedEvent) -> Sequence[FamilyVersion]:
        """Return the present version of each family of the event's markets."""
        return self._model.versions(self._slug, event.listing.listing_id, self.tick)

    def family(self, event: SimulatedEvent, number: int, version: FamilyVersion) -> Mapping[MarketKey, MarketPrices]:
        """Return the prices of a family of markets in a version."""
        return self._model.family(self._slug, event.listing.listing_id, number, version)

    def _same(self, event: SimulatedEvent) -> SimulatedEvent:
        before = self._by_id.get(event.listing.listing_id)
        return before if before is not None and _alike(before, event) else event


def _alike(one: SimulatedEvent, other: SimulatedEvent) -> bool:
    return one.listing == other.listing and one.listed_sr_id == other.listed_sr_id and one.started == other.started
