"""What can go wrong at a bookmaker, on demand: which requests it strikes is drawn from the simulation's seed."""

import re
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from overround.ports import SimulatedAnswer
from overround.simulator.model.anomalies import Anomalies
from overround.simulator.model.noise import draw, stream, unit

_RETRY_AFTER_SECONDS = 1
_LEAGUE = "league "
_EVENT = "event "
_ENTRY_FIELDS = 6  # of a match in a list; what holds such lists has fewer
_DECIMALS = re.compile(rb':("?\d+\.\d+"?)(?=[,}])')
_HTML = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>"


class FaultName(StrEnum):
    """The faults there are."""

    THROTTLED = "throttled"
    SERVER_ERRORS = "server_errors"
    HANGS = "hangs"
    SLOW_BODIES = "slow_bodies"
    TRUNCATED_JSON = "truncated_json"
    HTML = "html"
    EMPTY_202 = "empty_202"
    WRONG_SCHEMA = "wrong_schema"
    GONE = "gone"
    DUPLICATE_LISTINGS = "duplicate_listings"
    WRONG_SR_ID = "wrong_sr_id"
    FAILING_LEAGUE = "failing_league"
    UNLISTED_EVENTS = "unlisted_events"
    DAMAGED_ENTRIES = "damaged_entries"
    SHORT_LISTS = "short_lists"
    LIVE_BODIES = "live_bodies"
    OTHER_EVENTS = "other_events"
    UNREADABLE_PRICES = "unreadable_prices"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault at some bookmakers (at all, if none is named), for a share of what it can strike, for some ticks.

    `share` is that of the requests, or of the matches for what is wrong with lists; None takes the fault's own.
    Without `ticks` it stays until the faults are set anew.
    """

    name: FaultName
    bookmakers: tuple[str, ...] = ()
    share: float | None = None
    ticks: int | None = None


class Conduct(StrEnum):
    """How an answer is sent."""

    PLAIN = "plain"
    SLOWLY = "slowly"
    NEVER = "never"
    HUNG_UP = "hung up"


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """What a faulty bookmaker does with a request."""

    answer: SimulatedAnswer
    headers: Mapping[str, str] = MappingProxyType({})
    conduct: Conduct = Conduct.PLAIN


_SHARES: Mapping[FaultName, float] = MappingProxyType(
    {
        FaultName.THROTTLED: 0.3,
        FaultName.SERVER_ERRORS: 0.3,
        FaultName.HANGS: 0.02,
        FaultName.SLOW_BODIES: 0.1,
        FaultName.TRUNCATED_JSON: 0.2,
        FaultName.HTML: 0.2,
        FaultName.EMPTY_202: 0.2,
        FaultName.WRONG_SCHEMA: 0.2,
        FaultName.GONE: 1.0,
        FaultName.DUPLICATE_LISTINGS: 0.05,
        FaultName.WRONG_SR_ID: 0.03,
        FaultName.FAILING_LEAGUE: 0.15,
        FaultName.UNLISTED_EVENTS: 0.05,
        FaultName.DAMAGED_ENTRIES: 0.3,
        FaultName.SHORT_LISTS: 0.3,
        FaultName.LIVE_BODIES: 0.05,
        FaultName.OTHER_EVENTS: 0.1,
        FaultName.UNREADABLE_PRICES: 0.3,
    }
)


_OF_LEAGUES = frozenset({FaultName.FAILING_LEAGUE, FaultName.DAMAGED_ENTRIES, FaultName.SHORT_LISTS})
_OF_EVENTS = frozenset({FaultName.OTHER_EVENTS, FaultName.UNREADABLE_PRICES})


class Faults:
    """The faults in force."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._faults: tuple[Fault, ...] = ()
        self._since = 0
        self._asked: Counter[tuple[str, bytes]] = Counter()
        self._asked_at = 0
        self._former: dict[str, SimulatedAnswer] = {}

    @property
    def all(self) -> Sequence[Fault]:
        """Return the faults as they were set."""
        return self._faults

    def set(self, faults: Sequence[Fault], tick: int) -> None:
        """Put these in force from a tick on, and no others."""
        self._faults = tuple(faults)
        self._since = tick

    def anomalies(self, bookmakers: Sequence[str], tick: int) -> Anomalies:
        """Return what is wrong with the bookmakers' lists at a tick."""
        shares: dict[FaultName, dict[str, float]] = {}
        for fault in self._in_force(tick):
            for slug in fault.bookmakers or bookmakers:
                shares.setdefault(fault.name, {})[slug] = _share(fault)
        return Anomalies(
            seed=self._seed,
            listed_twice=shares.get(FaultName.DUPLICATE_LISTINGS, {}),
            misnumbered=shares.get(FaultName.WRONG_SR_ID, {}),
            unlisted=shares.get(FaultName.UNLISTED_EVENTS, {}),
            in_play=shares.get(FaultName.LIVE_BODIES, {}),
        )

    def reaction(self, slug: str, request: bytes, answer: SimulatedAnswer, tick: int) -> Reaction:
        """Return what becomes of an answer; `request` tells one request from another, a repeated one is not the same.

        What strikes is drawn anew for each repetition within a tick, except where it strikes a league's list.
        """
        if not self._faults:
            return Reaction(answer=answer)
        former = self._former.get(slug, answer)
        if answer.subject.startswith(_EVENT):
            self._former[slug] = answer
        number = self._number(slug, request, tick)
        for fault in self._in_force(tick):
            strike = _STRIKES.get(fault.name)
            if strike is None or (fault.bookmakers and slug not in fault.bookmakers):
                continue
            key = stream(self._seed, fault.name.value, slug, tick)
            if fault.name in _OF_LEAGUES:
                struck = answer.subject.startswith(_LEAGUE) and _drawn(key, answer.subject.encode()) < _share(fault)
            elif fault.name in _OF_EVENTS and not answer.subject.startswith(_EVENT):
                struck = False
            else:
                struck = unit(stream(key, zlib.crc32(request)), number) < _share(fault)
            if struck:
                struck_answer = former if fault.name is FaultName.OTHER_EVENTS else answer
                return strike(struck_answer, draw(key, number + zlib.crc32(request)))
        return Reaction(answer=answer)

    def _in_force(self, tick: int) -> list[Fault]:
        return [fault for fault in self._faults if fault.ticks is None or tick < self._since + fault.ticks]

    def _number(self, slug: str, request: bytes, tick: int) -> int:
        if tick != self._asked_at:
            self._asked.clear()
            self._asked_at = tick
        self._asked[slug, request] += 1
        return self._asked[slug, request]


def _share(fault: Fault) -> float:
    return _SHARES[fault.name] if fault.share is None else fault.share


def _drawn(key: int, subject: bytes) -> float:
    return unit(key, zlib.crc32(subject))


def _throttled(_: SimulatedAnswer, bits: int) -> Reaction:
    answer = SimulatedAnswer(status=429, body=b'{"error":"Too Many Requests"}')
    return Reaction(answer=answer, headers={"Retry-After": str(_RETRY_AFTER_SECONDS)} if bits & 1 else {})


def _server_error(_: SimulatedAnswer, bits: int) -> Reaction:
    status = (500, 502, 503)[bits % 3]
    return Reaction(answer=SimulatedAnswer(status=status, body=b"upstream", content_type="text/plain"))


def _hung(answer: SimulatedAnswer, _: int) -> Reaction:
    return Reaction(answer=answer, conduct=Conduct.NEVER)


def _slow(answer: SimulatedAnswer, _: int) -> Reaction:
    return Reaction(answer=answer, conduct=Conduct.SLOWLY)


def _cut_off(answer: SimulatedAnswer, bits: int) -> Reaction:
    body = decompressed(answer)
    return Reaction(answer=SimulatedAnswer(status=200, body=body[: max(1, bits % len(body))]))


def _html(_: SimulatedAnswer, bits: int) -> Reaction:
    kind = "text/html; charset=utf-8" if bits & 1 else "application/json"
    return Reaction(answer=SimulatedAnswer(status=200, body=_HTML, content_type=kind))


def _empty(_: SimulatedAnswer, __: int) -> Reaction:
    return Reaction(answer=SimulatedAnswer(status=202, body=b""))


def _other_shape(_: SimulatedAnswer, bits: int) -> Reaction:
    body = (b'{"unexpected":true}', b'{"data":{"items":[]},"version":2}', b"[]")[bits % 3]
    return Reaction(answer=SimulatedAnswer(status=200, body=body))


def _gone(answer: SimulatedAnswer, _: int) -> Reaction:
    return Reaction(answer=answer, conduct=Conduct.HUNG_UP)


def _damaged(answer: SimulatedAnswer, bits: int) -> Reaction:
    """Return a list one entry of which nobody can read."""
    return _relisted(answer, lambda entries: _without(entries, bits % len(entries), {"damaged": None}))


def _shortened(answer: SimulatedAnswer, bits: int) -> Reaction:
    """Return a list that ends too soon, though the count says otherwise."""
    return _relisted(answer, lambda entries: entries[: bits % len(entries)])


def _without(entries: list[Any], place: int, instead: object) -> list[Any]:
    return [*entries[:place], instead, *entries[place + 1 :]]


def _relisted(answer: SimulatedAnswer, change: Callable[[list[Any]], list[Any]]) -> Reaction:
    """Return an answer with its list of matches changed; one without such a list stays as it is."""
    whole = msgspec.json.decode(decompressed(answer))
    holders = [whole]
    for holder in holders:
        for key, value in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            if isinstance(value, list) and value and isinstance(value[0], dict) and len(value[0]) >= _ENTRY_FIELDS:
                holder[key] = change(value)
                return Reaction(answer=SimulatedAnswer(status=200, body=msgspec.json.encode(whole)))
            if isinstance(value, dict | list):
                holders.append(value)
    return Reaction(answer=answer)


def _plain(answer: SimulatedAnswer, _: int) -> Reaction:
    return Reaction(answer=answer)


def _priceless(answer: SimulatedAnswer, bits: int) -> Reaction:
    """Return a body in which one decimal number, mostly a price, cannot be read."""
    body = decompressed(answer)
    numbers = list(_DECIMALS.finditer(body))
    if not numbers:
        return Reaction(answer=answer)
    struck = numbers[bits % len(numbers)]
    return Reaction(answer=SimulatedAnswer(status=200, body=body[: struck.start(1)] + b'"?"' + body[struck.end(1) :]))


_STRIKES: Mapping[FaultName, Callable[[SimulatedAnswer, int], Reaction]] = MappingProxyType(
    {
        FaultName.THROTTLED: _throttled,
        FaultName.SERVER_ERRORS: _server_error,
        FaultName.HANGS: _hung,
        FaultName.SLOW_BODIES: _slow,
        FaultName.TRUNCATED_JSON: _cut_off,
        FaultName.HTML: _html,
        FaultName.EMPTY_202: _empty,
        FaultName.WRONG_SCHEMA: _other_shape,
        FaultName.GONE: _gone,
        FaultName.FAILING_LEAGUE: _server_error,
        FaultName.DAMAGED_ENTRIES: _damaged,
        FaultName.SHORT_LISTS: _shortened,
        FaultName.OTHER_EVENTS: _plain,
        FaultName.UNREADABLE_PRICES: _priceless,
    }
)


def decompressed(answer: SimulatedAnswer) -> bytes:
    """Return an answer's body as it is before compression."""
    return zlib.decompress(answer.body, _GZIP) if answer.encoding else answer.body


_GZIP = 31  # zlib's window bits for a gzip wrapper
