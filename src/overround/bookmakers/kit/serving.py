"""Where a simulated bookmaker's server has its events from: recordings, or the market model."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from overround.bookmakers.kit.rendering import Bodies, BodyFormat
from overround.bookmakers.kit.simulation import SimulatedEvent, World
from overround.ports import Recording, SimulatedAnswer

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


def encoded_parts(parts: Iterable[msgspec.Struct]) -> tuple[msgspec.Raw, ...]:
    """Return the parts of an answer as a reader takes them, one by one."""
    return tuple(msgspec.Raw(msgspec.json.encode(part)) for part in parts)


def encoded_by_id(parts: Mapping[int, msgspec.Struct]) -> dict[str, msgspec.Raw]:
    """Return the parts of an answer that stand under their ids, as a reader takes them, one by one."""
    return {str(number): msgspec.Raw(msgspec.json.encode(part)) for number, part in parts.items()}


class Offered(Protocol[E_co]):
    """Events in a bookmaker's list format, and their bodies."""

    def events(self) -> Sequence[E_co]:
        """Return all events; the same object until something changes."""

    def body(self, event_id: str) -> SimulatedAnswer | None:
        """Return an event's own body, if there is one."""


class Recorded(Generic[E]):
    """Events of recordings, byte for byte."""

    def __init__(self, recordings: Sequence[Recording], read: Callable[[bytes], E]) -> None:
        """Read the events with `read`, which makes a list's event of a recorded body."""
        self._bodies = {recording.listing.listing_id: recording.body for recording in recordings}
        self._events = tuple(read(recording.body) for recording in recordings)

    def events(self) -> Sequence[E]:
        """Return all events."""
        return self._events

    def body(self, event_id: str) -> SimulatedAnswer | None:
        """Return the recorded body."""
        body = self._bodies.get(event_id)
        return None if body is None else SimulatedAnswer(status=200, body=body)


class Modelled(Generic[E]):
    """Events of the market model."""

    def __init__(
        self,
        world: World,
        formats: Mapping[str, BodyFormat],
        listed: Callable[[SimulatedEvent], E],
        started: Callable[[SimulatedEvent], bytes] | None = None,
    ) -> None:
        """Write events for lists with `listed`; those in play have no body unless `started` makes one."""
        self._world = world
        self._bodies = Bodies(world, formats)
        self._listed = listed
        self._started = started
        self._seen: Sequence[SimulatedEvent] | None = None
        self._events: Sequence[E] = ()

    def events(self) -> Sequence[E]:
        """Return what is listed now."""
        now = self._world.events()
        if now is not self._seen:
            self._seen, self._events = now, tuple(self._listed(event) for event in now)
        return self._events

    def body(self, event_id: str) -> SimulatedAnswer | None:
        """Return an event's body as it is now, compressed unless the event has started."""
        event = self._world.find(event_id)
        if event is None:
            return None
        if not event.started:
            return SimulatedAnswer(status=200, body=self._bodies.body(event), encoding="gzip")
        return SimulatedAnswer(status=200, body=self._started(event)) if self._started else None


class ByLeague(Generic[E]):
    """The offered events by league, sorted anew only when they have changed."""

    def __init__(self, offered: Offered[E], league: Callable[[E], str]) -> None:
        self._offered = offered
        self._league = league
        self._seen: Sequence[E] | None = None
        self._index: dict[str, list[E]] = {}

    def now(self) -> Mapping[str, Sequence[E]]:
        """Return the events of each league."""
        events = self._offered.events()
        if events is not self._seen:
            self._seen, self._index = events, {}
            for event in events:
                self._index.setdefault(self._league(event), []).append(event)
        return self._index
