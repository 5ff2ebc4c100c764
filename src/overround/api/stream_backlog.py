"""What a client is still to be told, where it gets the newest states and not each change."""

from datetime import datetime
from typing import Final

import msgspec

from overround.api.stream_json import StreamFilter, StreamWriter
from overround.odds import MarketKey
from overround.scraping.stream_hub import StreamHub
from overround.scraping.stream_log import Confirmed, Item, League, Moved, Told

CHUNK: Final = 32 * 1024
CELLS_AT_ONCE: Final = 500

Key = tuple[int, str]


class Backlog:
    """What has changed and is to be sent as it is by then: no more than one entry for whatever can change."""

    def __init__(self) -> None:
        self._events: dict[int, League | None] = {}  # and the league it was in
        self._gone: dict[int, None] = {}
        self._moved: dict[Key, dict[MarketKey, None] | None] = {}  # None: all markets
        self._confirmed: dict[str, dict[int, datetime]] = {}

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self._events) + len(self._gone) + len(self._moved) + sum(map(len, self._confirmed.values()))

    def take(self, item: Item, wanted: StreamFilter) -> None:
        """Add an item."""
        if isinstance(item, Confirmed):
            self._confirmed.setdefault(item.bookmaker, {}).update(item.times)
        elif isinstance(item, Moved):
            if not wanted.knows(item):
                self._take_moved(item, wanted)
        elif isinstance(item, Told):
            self._events.setdefault(item.event.sr_id, item.former)
        else:
            self._gone[item.event.sr_id] = None
            self.forget(item.event.sr_id)

    def forget(self, sr_id: int) -> None:
        """Drop what is kept of an event's facts and prices."""
        self._events.pop(sr_id, None)
        for key in [key for key in self._moved if key[0] == sr_id]:
            del self._moved[key]
        for times in self._confirmed.values():
            times.pop(sr_id, None)

    def pop(self, hub: StreamHub, writer: StreamWriter, wanted: StreamFilter) -> bytes:
        """Take out and write a part of it, as the states are now; what the client does not ask for is dropped."""
        found: list[bytes] = []
        size = cells = 0
        while size < CHUNK and cells < CELLS_AT_ONCE and self:
            text, looked_at = self._pop_one(hub, writer, wanted)
            found.append(text)
            size += len(text)
            cells += 1 + looked_at
        return b"".join(found)

    def _pop_one(self, hub: StreamHub, writer: StreamWriter, wanted: StreamFilter) -> tuple[bytes, int]:
        if self._gone:
            sr_id, _ = self._gone.popitem()
            return writer.gone(sr_id), 0
        if self._events:
            sr_id = next(iter(self._events))
            former = self._events.pop(sr_id)
            return self._event(hub, writer, wanted, sr_id, former), 0
        if self._moved:
            (sr_id, slug), keys = next(iter(self._moved.items()))
            del self._moved[sr_id, slug]
            self._confirmed.get(slug, {}).pop(sr_id, None)  # a delta says so too
            if not wanted.has(sr_id, hub.league(sr_id)):
                return b"", 0
            looked_at = len(hub.states(sr_id)[slug].markets) if keys is None and slug in hub.states(sr_id) else 0
            return writer.moved(sr_id, slug, keys, wanted), looked_at or len(keys or ())
        slug, times = self._confirmed.popitem()
        chosen = {key: at for key, at in times.items() if wanted.has(key, hub.league(key))}
        return (writer.confirmed(slug, chosen) if chosen else b""), len(times) // 4

    def _event(
        self, hub: StreamHub, writer: StreamWriter, wanted: StreamFilter, sr_id: int, former: League | None
    ) -> bytes:
        facts = hub.facts(sr_id)
        return b"" if facts is None else writer.told(msgspec.structs.replace(facts, former=former), wanted)

    def _take_moved(self, item: Moved, wanted: StreamFilter) -> None:
        key = (item.sr_id, item.bookmaker)
        if item.entire is not None:
            self._moved[key] = None
            return
        chosen = wanted.markets
        cells = [key for key in item.all_keys() if chosen is None or key in chosen]
        known = self._moved.get(key, {})
        if cells and known is not None:
            self._moved[key] = {**known, **dict.fromkeys(cells)}
        elif not cells and item.confirms:
            self._confirmed.setdefault(item.bookmaker, {})[item.sr_id] = item.confirmed_at
