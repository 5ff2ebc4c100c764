"""What the bookmakers' renderers share: the mapping read backwards, and bodies patched where prices changed."""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from overround.bookmakers.kit.simulation import FamilyVersion, SimulatedEvent, World
from overround.bookmakers.mapping.bookmaker_mapping import Entry, MarketMapping, Memo, Route, Split
from overround.bookmakers.mapping.wire_forms import WireMarket, own_names, wire_market
from overround.catalogue import Catalogue, Market
from overround.errors import LineError
from overround.gzip_pieces import Piece, compressed, joined
from overround.records.odds import MarketKey, MarketPrices, specifiers_of

HOME_MARK, AWAY_MARK, EVENT_MARK = "§home§", "§away§", "§event§"
"""Stand in a family's text for the team names and the event's number, which differ from event to event."""

PLAYER = "player"
_KEYS_KEPT = 50_000
_BODIES_KEPT = 100_000
_WORD = re.compile(r"[_\s]+")

Respelled = Callable[[Market, WireMarket], WireMarket | None]


class WireOutcome(msgspec.Struct, frozen=True):
    """An outcome by the bookmaker's id, its place in the catalogue's order, and its name there."""

    id: str
    slot: int
    label: str


class WireKey(msgspec.Struct, frozen=True, kw_only=True):
    """A catalogue key as a bookmaker writes it."""

    key: MarketKey
    market: Market
    id: str
    specifiers: Mapping[str, str]
    outcomes: tuple[WireOutcome, ...]

    @property
    def line(self) -> str:
        """Return the line or handicap of the key; empty without one."""
        ours = specifiers_of(self.key)
        return ours.get("line") or ours.get("handicap") or ""


class WireMarkets:
    """One bookmaker's mapping of one sport, from the catalogue to the wire.

    Where several entries lead to one market, the first that can stand for a key does. A key is
    refused unless reading it forward leads back to it.
    """

    def __init__(self, catalogue: Catalogue, mapping: MarketMapping, respelled: Respelled) -> None:
        """Index the mapping; `respelled` spells specifiers as the bookmaker does, or refuses a market."""
        self._catalogue = catalogue
        self._mapping = mapping
        self._respelled = respelled
        self._entries: dict[str, list[Entry]] = {}
        for entry in mapping:
            self._entries.setdefault(entry.market, []).append(entry)
        self._found = Memo(self._find, _KEYS_KEPT)

    def markets(self) -> tuple[str, ...]:
        """Return the catalogue markets of the mapping in its order."""
        return tuple(self._entries)

    def fixed(self, market: str) -> Mapping[str, frozenset[str]]:
        """Return the values of the market's specifiers that the wire's ids imply."""
        entries = self._entries[market]
        names = {name for entry in entries for name in entry.fixed}
        if any(names - entry.fixed.keys() for entry in entries):
            return {}
        return {name: frozenset(entry.fixed[name] for entry in entries) for name in names}

    def slots(self, key: MarketKey) -> tuple[int, ...]:
        """Return the places of the outcomes that a key has on the wire; none if it cannot be written."""
        found = self._found[key]
        return tuple(outcome.slot for outcome in found.outcomes) if found else ()

    def of(self, key: MarketKey) -> WireKey:
        """Return a key that has slots, as it is on the wire, its outcomes in the catalogue's order.

        Raises:
            LineError: the key has none.
        """
        found = self._found[key]
        if found is None:
            raise LineError(f"{key.market} {key.specifiers} cannot be written")
        return found

    def _find(self, key: MarketKey) -> WireKey | None:
        written = (self._written(key, entry) for entry in self._entries.get(key.market, ()))
        return next((market for market in written if market), None)

    def _written(self, key: MarketKey, entry: Entry) -> WireKey | None:
        market = self._catalogue.market(key.market)
        try:
            plain = wire_market(entry, _as_written(key), _own(entry, key))
        except KeyError:
            return None
        wire = self._respelled(market, plain) if plain else None
        if wire is None:
            return None
        places = {outcome: place for place, outcome in enumerate(market.outcomes)}
        outcomes = [
            WireOutcome(selection.id, places[name], selection.label or _WORD.sub(" ", name).title())
            for name, selection in wire.selections.items()
        ]
        if not self._leads_back(key, wire, outcomes):
            return None
        return WireKey(
            key=key,
            market=market,
            id=wire.id,
            specifiers=wire.specifiers,
            outcomes=tuple(sorted(outcomes, key=lambda outcome: outcome.slot)),
        )

    def _leads_back(self, key: MarketKey, wire: WireMarket, outcomes: Sequence[WireOutcome]) -> bool:
        try:
            route = self._mapping.route(wire.id, wire.specifiers)
            return route is not None and all(_place(route, outcome) == (key, outcome.slot) for outcome in outcomes)
        except LineError:
            return False


def _place(route: Route, outcome: WireOutcome) -> tuple[MarketKey, int] | None:
    if isinstance(route, Split):
        place = route.place(outcome.id, outcome.label)
        return (place[0].key, place[1]) if place else None
    return (route.key, route.slots[outcome.id]) if outcome.id in route.slots else None


def _as_written(key: MarketKey) -> dict[str, str]:
    """Return a key's specifiers with names in the letters in which people read them."""
    ours = dict(specifiers_of(key))
    if PLAYER in ours:
        ours[PLAYER] = ours[PLAYER].replace("-", " ").title()
    return ours


def _own(entry: Entry, key: MarketKey) -> dict[str, str]:
    """Return what stands for the bookmaker's own ids and names."""
    ours = specifiers_of(key)
    side = ours.get("team") or ("home" if zlib.crc32(ours.get(PLAYER, "").encode()) % 2 else "away")
    values = {
        "_event": EVENT_MARK,
        "_player": str(zlib.crc32(ours.get(PLAYER, "").encode()) % 1_000_000),
        "_team": HOME_MARK if side == "home" else AWAY_MARK,
        "_side": "1" if side == "home" else "2",
    }
    return {name: values[name] for name in own_names(entry)}


class KeyTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A key's text with places for its prices; keys of one group share one market on the wire.

    All but `group` are templates of the % operator.
    """

    group: str
    opening: str
    body: str
    closing: str
    slots: tuple[int, ...]


Group = list[tuple[KeyTemplate, tuple[int, ...]]]


def grouped(prices: Mapping[MarketKey, MarketPrices], templates: Mapping[MarketKey, KeyTemplate]) -> Iterator[Group]:
    """Yield the keys that follow one another in one market of the wire: templates and shown prices."""
    group: Group = []
    for key, market in prices.items():
        template, quotes = templates[key], market.prices
        if group and group[0][0].group != template.group:
            yield group
            group = []
        group.append((template, tuple([quotes[slot] for slot in template.slots])))
    if group:
        yield group


class BodyFormat(Protocol):
    """How one bookmaker writes a single-event body: a head, its families of markets, a tail."""

    def head(self, event: SimulatedEvent, world: World, priced_at: int) -> bytes:
        """Return what comes before the first market; `priced_at` is the tick of the last change."""

    def family(self, prices: Mapping[MarketKey, MarketPrices], changed_ms: int) -> str:
        """Return a family's markets, each after a comma, with marks for what differs from event to event."""

    def tail(self, keys: Iterable[MarketKey]) -> Iterator[Piece]:
        """Return what comes after the last market, in pieces."""


class _Body:
    """The parts of one event's body, and the whole as it was last asked for."""

    def __init__(self, families: int) -> None:
        self.versions: list[FamilyVersion | None] = [None] * families
        self.pieces: list[Piece] = [compressed(b"")] * families
        self.keys: list[tuple[MarketKey, ...]] = [()] * families
        self.event: SimulatedEvent | None = None
        self.tail: tuple[Piece, ...] = ()
        self.whole = b""


class Bodies:
    """Single-event bodies, compressed; of one that was asked for before, only what changed is rendered again."""

    def __init__(self, world: World, formats: Mapping[str, BodyFormat]) -> None:
        """Render each sport in its format, on the prices of a world."""
        self._world = world
        self._formats = formats
        self._bodies: dict[str, _Body] = {}

    def body(self, event: SimulatedEvent) -> bytes:
        """Return the gzip body of an event that has not started."""
        versions = self._world.families(event)
        body = self._bodies.get(event.listing.listing_id)
        if body is None or len(body.versions) != len(versions):
            self._make_room()
            body = self._bodies[event.listing.listing_id] = _Body(len(versions))
        if body.event is not event or body.versions != versions:
            self._patch(event, body, versions)
        return body.whole

    def _make_room(self) -> None:
        if len(self._bodies) >= _BODIES_KEPT:
            self._bodies.clear()

    def _patch(self, event: SimulatedEvent, body: _Body, versions: Sequence[FamilyVersion]) -> None:
        before, body_format = list(body.keys), self._formats[event.listing.sport]
        for number, version in enumerate(versions):
            if body.versions[number] != version:
                self._family(event, body, number, version)
        if body.keys != before or not body.tail:
            body.tail = tuple(body_format.tail(key for keys in body.keys for key in keys))
        head = body_format.head(event, self._world, max(version.priced_at for version in versions))
        body.event = event
        body.whole = joined((compressed(head), *body.pieces, *body.tail))

    def _family(self, event: SimulatedEvent, body: _Body, number: int, version: FamilyVersion) -> None:
        prices = self._world.family(event, number, version)
        text = self._formats[event.listing.sport].family(prices, self._world.milliseconds(version.priced_at))
        body.versions[number] = version
        body.keys[number] = tuple(prices)
        body.pieces[number] = compressed(_of_event(text, event).encode())


def json_text(value: str) -> str:
    """Return a text as it stands between the quotes of a JSON string."""
    return msgspec.json.encode(value)[1:-1].decode()


def template_text(value: object) -> str:
    """Return a value as JSON, fit to stand in a template of the % operator."""
    return msgspec.json.encode(value).decode().replace("%", "%%")


def _of_event(text: str, event: SimulatedEvent) -> str:
    listing = event.listing
    named = text.replace(HOME_MARK, json_text(listing.home)).replace(AWAY_MARK, json_text(listing.away))
    return named.replace(EVENT_MARK, str(event.home_number * 7 + event.away_number))
