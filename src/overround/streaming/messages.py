"""The text of the live stream: each message is written once for all clients that ask for the same.

What clients share is kept as bytes: a few megabytes of the newest pieces, and of the events of images.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from overround.caching.cells import Cell, cells_of
from overround.caching.odds_cache import CachedSnapshot
from overround.memo import Memo
from overround.records.event import Event
from overround.records.odds import MarketKey
from overround.streaming.hub import StreamHub
from overround.streaming.log import Cursor, Gone, Item, League, LogPiece, Moved, Told, league_of
from overround.streaming.market_json import MarketWriter, key_text

_KEPT_BYTES: Final = 16 * 2**20
_OVERHEAD = 200
_NAMES_KEPT: Final = 20_000

K = TypeVar("K", bound=Hashable)
Markets = frozenset[MarketKey] | None
Image = tuple[Event, Markets, tuple[datetime | None, ...], frozenset[tuple[str, str]]]
"""What an image depends on: with the times of its states come their prices."""


class StreamFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for; None or nothing: everything."""

    events: frozenset[int] = frozenset()
    countries: frozenset[str] = frozenset()
    tournaments: frozenset[str] = frozenset()
    markets: Markets = None

    def has(self, sr_id: int, league: League | None) -> bool:
        """Tell whether the client asks for an event of this league; of no known league: whether it asks for any."""
        if self.events and sr_id not in self.events:
            return False
        if league is None:
            return not self.countries and not self.tournaments
        country, tournament = league
        return (not self.countries or country in self.countries) and (
            not self.tournaments or tournament in self.tournaments
        )

    def knows(self, moved: Moved) -> bool:
        """Tell whether the client has these prices, since it followed the event where it was before."""
        return moved.former is not None and self.has(moved.sr_id, moved.former)


class Kept(OrderedDict[K, bytes]):
    """Bytes by key, the least recently used going first."""

    def __init__(self, max_bytes: int = _KEPT_BYTES) -> None:
        super().__init__()
        self._max_bytes = max_bytes
        self._bytes = 0

    def clear(self) -> None:
        """Drop all."""
        super().clear()
        self._bytes = 0

    def keep(self, key: K, text: bytes) -> bytes:
        """Keep bytes, and return them."""
        self[key] = text
        self._bytes += len(text) + _OVERHEAD
        while self._bytes > self._max_bytes and len(self) > 1:
            _, dropped = self.popitem(last=False)
            self._bytes -= len(dropped) + _OVERHEAD
        return text


class StreamWriter:
    """Writes messages; `writer` has a cell for each bookmaker that is shown."""

    def __init__(self, hub: StreamHub, writer: MarketWriter) -> None:
        self._hub = hub
        self._writer = writer
        self._pieces: Kept[tuple[int, StreamFilter]] = Kept()
        self._images: Kept[Image] = Kept()
        self._names: Memo[MarketKey, str] = Memo(_name, _NAMES_KEPT)

    @property
    def slugs(self) -> tuple[str, ...]:
        """Return the bookmakers of an image."""
        return self._writer.slugs

    def renew(self, writer: MarketWriter) -> None:
        """Go on with another writer: images name other bookmakers."""
        self._writer = writer
        self._images.clear()

    def known(self, piece: LogPiece, wanted: StreamFilter) -> bytes | None:
        """Return what a piece tells a client, where that has been written already."""
        return self._pieces.get((piece.number, wanted))

    def piece(self, piece: LogPiece, wanted: StreamFilter) -> bytes:
        """Write what a piece tells a client, for all that ask for the same: nothing, where it has none of it."""
        return self._pieces.keep((piece.number, wanted), self.rest(piece, wanted))

    def rest(self, piece: LogPiece, wanted: StreamFilter, after: Cursor | None = None) -> bytes:
        """Return what a piece tells a client that has all up to a cursor within it."""
        found = []
        for offset, item in enumerate(piece.items):
            cursor = msgspec.structs.replace(piece.first, index=piece.first.index + offset)
            if (after is None or cursor > after) and (text := self._item(item, wanted)):
                found.append(b"id: %s\n%s" % (str(cursor).encode(), text))
        return b"".join(found)

    def image(self, event: Event, wanted: StreamFilter) -> bytes:
        """Return all of an event as it is now."""
        facts, states = self._hub.facts(event.sr_id), self._hub.states(event.sr_id)
        listings: Mapping[str, str] = {} if facts is None else facts.listings
        held = (states.get(slug) for slug in self.slugs)
        times = tuple(None if state is None else state.received_at for state in held)
        key = (event, wanted.markets, times, frozenset(listings.items()))
        known = self._images.get(key)
        return self._images.keep(key, self._image(event, states, listings, wanted.markets)) if known is None else known

    def moved(self, sr_id: int, slug: str, keys: Iterable[MarketKey] | None, wanted: StreamFilter) -> bytes:
        """Return markets of a state as it is now, as a delta; nothing where it is held no more."""
        state = self._hub.states(sr_id).get(slug)
        if state is None:
            return b""
        cells = cells_of(state, state.markets if keys is None else keys)
        return self._delta(sr_id, slug, state, cells, wanted, whole=state if keys is None else None)

    def told(self, told: Told, wanted: StreamFilter) -> bytes:
        """Return what an event is; of one that the client asked for by its former league, that it is gone."""
        event = told.event
        if wanted.has(event.sr_id, league_of(event)):
            return message("event", {**msgspec.to_builtins(event), "listings": told.listings})
        return self.gone(event.sr_id) if told.former is not None and wanted.has(event.sr_id, told.former) else b""

    def gone(self, sr_id: int) -> bytes:
        """Return that an event has left the cache, or what the client asks for."""
        return message("gone", {"sr_id": sr_id})

    def confirmed(self, slug: str, times: Mapping[int, datetime]) -> bytes:
        """Return what was seen unchanged."""
        return message("confirmed", {"bookmaker": slug, "confirmed_at": {str(key): at for key, at in times.items()}})

    def _item(self, item: Item, wanted: StreamFilter) -> bytes:
        if isinstance(item, Moved):
            if wanted.knows(item) or not wanted.has(item.sr_id, self._hub.league(item.sr_id)):
                return b""
            delta = self._delta(item.sr_id, item.bookmaker, item, item.all_cells(), wanted, whole=item.entire)
            # Of other markets than those asked for: to this client it is a confirmation.
            return delta or (self.confirmed(item.bookmaker, {item.sr_id: item.confirmed_at}) if item.confirms else b"")
        if isinstance(item, Told):
            return self.told(item, wanted)
        if isinstance(item, Gone):
            return self.gone(item.event.sr_id) if wanted.has(item.event.sr_id, league_of(item.event)) else b""
        times = {key: at for key, at in item.times.items() if wanted.has(key, self._hub.league(key))}
        return self.confirmed(item.bookmaker, times) if times else b""

    def _delta(
        self,
        sr_id: int,
        slug: str,
        times: Moved | CachedSnapshot,
        cells: Iterable[Cell],
        wanted: StreamFilter,
        *,
        whole: CachedSnapshot | None,
    ) -> bytes:
        texts = self._cells(cells, wanted.markets)
        if whole is not None:
            texts += self._empty(slug, whole, wanted.markets)
        if not texts:
            return b""
        return (
            b'event: delta\ndata: {"sr_id":%d,"bookmaker":"%s","received_at":%s,"confirmed_at":%s,"markets":{%s}}\n\n'
            % (
                sr_id,
                slug.encode(),
                msgspec.json.encode(times.received_at),
                msgspec.json.encode(times.confirmed_at),
                ",".join(texts).encode(),
            )
        )

    def _cells(self, cells: Iterable[Cell], chosen: Markets) -> list[str]:
        named = ((cell.key, self._writer.cell(cell)) for cell in cells if chosen is None or cell.key in chosen)
        return [f"{self._names[key]}:{text}" for key, text in named if text is not None]

    def _empty(self, slug: str, state: CachedSnapshot | None, chosen: Markets) -> list[str]:
        """Return a cell, with the reason why it is empty, for each chosen market that a state does not hold."""
        missing = [key for key in chosen or () if state is None or key not in state.markets]
        return [f"{self._names[key]}:{self._writer.empty_cell(key, slug, state)}" for key in missing]

    def _image(
        self,
        event: Event,
        states: Mapping[str, CachedSnapshot],
        listings: Mapping[str, str],
        chosen: Markets,
    ) -> bytes:
        books = ",".join(
            f'"{slug}":{self._book(slug, states.get(slug), listings.get(slug), chosen)}' for slug in self.slugs
        )
        return b'event: image\ndata: {"sr_id":%d,"event":%s,"bookmakers":{%s}}\n\n' % (
            event.sr_id,
            msgspec.json.encode(event),
            books.encode(),
        )

    def _book(self, slug: str, state: CachedSnapshot | None, listing_id: str | None, chosen: Markets) -> str:
        texts = self._empty(slug, state, chosen)
        if state is not None:
            texts += self._cells(cells_of(state, state.markets if chosen is None else chosen), chosen)
        times = (None, None) if state is None else (state.received_at, state.confirmed_at)
        head = msgspec.json.encode(
            dict(zip(("listing_id", "received_at", "confirmed_at"), (listing_id, *times), strict=True))
        )
        return f'{head[:-1].decode()},"markets":{{{",".join(texts)}}}}}'


def message(name: str, data: object, cursor: str | None = None) -> bytes:
    """Return a message; one with a cursor says where a client goes on after it, with an empty one that it cannot."""
    place = b"" if cursor is None else b"id: %s\n" % cursor.encode()
    return b"%sevent: %s\ndata: %s\n\n" % (place, name.encode(), msgspec.json.encode(data))


def _name(key: MarketKey) -> str:
    return msgspec.json.encode(key_text(key)).decode()
