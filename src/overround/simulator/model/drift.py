"""When a bookmaker does something to a match's markets: prices a family anew, suspends it, takes a market off."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from overround.bookmakers.kit.simulation import FamilyVersion, Profile
from overround.simulator.model.expectancy import Prospect
from overround.simulator.model.noise import draw, stream, unit
from overround.simulator.model.offers import Plan
from overround.simulator.model.parameters import Parameters

_HOUR = 3600
# Hours to kick-off below which a pace holds: the chance that something is priced anew in a tick, and how many families.
_PACES = ((3, 0.95, 8), (6, 0.70, 5), (24, 0.48, 3), (72, 0.25, 1), (10_000, 0.21, 1))
_SHARED = 0.5  # of what happens at one bookmaker, happens at all
_BUSY_WINDOW = 32
_BUSY_SHARE, _BUSY, _QUIET = 0.3, 2.0, 0.57
_CHANCE_BITS = 16
_PICK_BITS = 8
_FLIPPING_SHARE = 0.03

_INCIDENT_WINDOW = 256
_INCIDENTS_A_TICK = 0.0003
_HELD_SHARE = 0.3
_DURATIONS = (1, 1, 2, 4, 8, 12, 12, 20, 40, 60, 90, 111)


class Incident(msgspec.Struct, frozen=True):
    """A market that is suspended or away from one tick up to another."""

    start: int
    end: int
    item: int
    held: bool


class Book:
    """One bookmaker's book on one match: pure in the tick; what was worked out last speeds up what is next."""

    def __init__(self, prospect: Prospect, profile: Profile, slug: str, plan: Plan, parameters: Parameters) -> None:
        self.fixture = fixture = prospect.fixture
        self.plan = plan
        self.prospect = prospect
        self._profile = profile
        self._parameters = parameters
        self.key = stream(fixture.key, slug)
        self._shared = stream(fixture.key, "moments")
        self._own = stream(self.key, "moments")
        self._busy = stream(fixture.key, "busy")
        self._first = self._tick(fixture.announced)
        self._epoch = parameters.epoch.timestamp()
        self._kickoff = fixture.kickoff.timestamp()
        self._flips = profile.flips and unit(self.key, 7) < _FLIPPING_SHARE
        self._flipping = draw(self.key, 8) % len(plan.families)
        self._at: int | None = None
        self._priced: list[int] = []
        self._state: tuple[tuple[int, ...], bool, bool, tuple[Incident, ...]] | None = None
        self._versions: Sequence[FamilyVersion] = ()
        self._pace_window: tuple[int, float] | None = None
        self._windows: dict[int, tuple[Incident, ...]] = {}

    def versions(self, tick: int) -> Sequence[FamilyVersion]:
        """Return the version of every family at a tick; the same object while nothing changes."""
        priced = tuple(self._priced_at(tick))
        flipped = self._flips and tick % 2 == 1
        state = priced, self._suspended(tick), flipped, tuple(self._incidents(tick))
        if state != self._state:
            self._state = state
            self._versions = self._versions_of(*state)
        return self._versions

    def _versions_of(
        self,
        priced: Sequence[int],
        suspended: bool,  # noqa: FBT001 - parts of one state
        flipped: bool,  # noqa: FBT001 - as above
        incidents: Sequence[Incident],
    ) -> Sequence[FamilyVersion]:
        held: dict[int, set[int]] = {}
        away: dict[int, set[int]] = {}
        for incident in incidents:
            family, item = self._place(incident.item)
            (held if incident.held else away).setdefault(family, set()).add(item)
        return [
            FamilyVersion(
                priced_at=at,
                suspended=suspended,
                flipped=flipped and family == self._flipping,
                held=tuple(sorted(held.get(family, ()))),
                away=tuple(sorted(away.get(family, ()))),
            )
            for family, at in enumerate(priced)
        ]

    def _priced_at(self, tick: int) -> Sequence[int]:
        if self._at is None or tick < self._at:
            self._priced = self._looked_back(tick)
        else:
            for at in range(self._at + 1, tick + 1):
                for family in self._picked(at):
                    self._priced[family] = at
        self._at = tick
        return self._priced

    def _looked_back(self, tick: int) -> list[int]:
        missing = set(range(len(self.plan.families)))
        priced = [self._first] * len(missing)
        for at in range(tick, self._first, -1):
            for family in missing.intersection(self._picked(at)):
                priced[family] = at
                missing.discard(family)
            if not missing:
                break
        return priced

    def _picked(self, tick: int) -> Sequence[int]:
        """Return the families that are priced anew at a tick."""
        count, moment = len(self.plan.families), tick - self._profile.lag
        if self.prospect.jumps_at(moment):
            return range(count)
        chance, families = self._pace(tick)
        limit = int(chance * self._profile.liveliness * _SHARED * (1 << _CHANCE_BITS))
        own = draw(self._own, tick)
        if own & 0xFFFF >= limit and draw(self._shared, moment) & 0xFFFF >= limit:
            return ()
        picks = own >> _CHANCE_BITS
        return [(picks >> _PICK_BITS * turn & 0xFF) * count >> _PICK_BITS for turn in range(families)]

    def _pace(self, tick: int) -> tuple[float, int]:
        hours = (self._kickoff - self._seconds(tick)) / _HOUR
        busy = self._busyness(tick // _BUSY_WINDOW)
        for limit, chance, families in _PACES:
            if hours < limit:
                return chance * busy, families
        return _PACES[-1][1] * busy, _PACES[-1][2]

    def _busyness(self, window: int) -> float:
        """Return by how much the pace differs in a window of ticks: what happens, happens in clusters."""
        if self._pace_window is None or self._pace_window[0] != window:
            self._pace_window = window, _BUSY if unit(self._busy, window) < _BUSY_SHARE else _QUIET
        return self._pace_window[1]

    def _suspended(self, tick: int) -> bool:
        """Tell whether all is suspended: between a jump and its pricing, and at least for the tick of the jump."""
        first = tick - max(0, self._profile.lag - 1)
        return any(self.prospect.jumps_at(at) for at in range(first, tick + 1))

    def _incidents(self, tick: int) -> Iterator[Incident]:
        window = tick // _INCIDENT_WINDOW
        for number in (window - 1, window):
            if number not in self._windows:
                self._windows = {kept: found for kept, found in self._windows.items() if abs(kept - number) < 3}  # noqa: PLR2004 - two windows, and one to spare
                self._windows[number] = tuple(self._incidents_of(number))
            for incident in self._windows[number]:
                if incident.start <= tick < incident.end:
                    yield incident

    def _incidents_of(self, window: int) -> Iterator[Incident]:
        key = stream(self.key, "incidents", window)
        expected = self.plan.items * _INCIDENTS_A_TICK * _INCIDENT_WINDOW * self._profile.disappearances
        for number in range(int(expected + unit(key, 0))):
            bits = draw(key, number + 1)
            start = window * _INCIDENT_WINDOW + bits % _INCIDENT_WINDOW
            duration = _DURATIONS[(bits >> 16) % len(_DURATIONS)]
            item = (bits >> 24) % self.plan.items
            yield Incident(start, start + duration, item, (bits >> 50) % 100 < 100 * _HELD_SHARE)

    def _place(self, item: int) -> tuple[int, int]:
        family = bisect_right(self.plan.starts, item) - 1
        return family, item - self.plan.starts[family]

    def _tick(self, instant: datetime) -> int:
        seconds = (instant - self._parameters.epoch).total_seconds()
        return int(seconds // self._parameters.tick_seconds)

    def _seconds(self, tick: int) -> float:
        return self._epoch + tick * self._parameters.tick_seconds
