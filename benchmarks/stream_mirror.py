"""What a client of `/api/stream` knows: it applies messages, and notes whatever must not happen."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

Cell = dict[str, Any]
_EMPTY = ("not_seen", "not_offered", "not_mapped")


class Mirror:
    """A client's events and cells by (event, bookmaker), as the messages so far have made them.

    `cursor` is where it would go on; `faults` says what went wrong: a state that went back, a delta of something
    unknown, or one that told nothing new.
    """

    def __init__(self) -> None:
        self.cursor = ""
        self.events: dict[int, dict[str, Any]] = {}
        self.listings: dict[int, dict[str, str]] = {}
        self.books: dict[tuple[int, str], dict[str, Cell]] = {}
        self.received: dict[tuple[int, str], str] = {}
        self.confirmed: dict[tuple[int, str], str] = {}
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.complete = self.conflating = False
        self.last: dict[str, dict[str, Any]] = {}
        self._imaged: set[int] = set()
        self._rest = b""

    def disconnect(self) -> str:
        """Drop what has arrived in part; return the cursor with which to come back."""
        self._rest = b""
        self._imaged = set()
        return self.cursor

    def feed(self, received: bytes) -> list[tuple[str, str]]:
        """Apply what has arrived; return the cursors and names of the whole messages in it."""
        *messages, self._rest = (self._rest + received).split(b"\n\n")
        return [found for text in messages if (found := self._message(text.decode())) is not None]

    def prices(self) -> Mapping[tuple[int, str], dict[str, Cell]]:
        """Return the cells that are not empty, by (event, bookmaker) and market."""
        held = {
            key: {name: one for name, one in book.items() if one["state"] not in _EMPTY}
            for key, book in self.books.items()
        }
        return {key: book for key, book in held.items() if book}

    def _message(self, text: str) -> tuple[str, str] | None:
        fields = dict(line.split(": ", 1) for line in text.split("\n"))
        if "event" not in fields:
            return None
        name, data = fields["event"], json.loads(fields["data"])
        getattr(self, f"_on_{name}")(data)
        self.counts[name] += 1
        self.last[name] = data
        self.cursor = fields.get("id", self.cursor)
        self.conflating = self.cursor.endswith("~")
        return fields.get("id", ""), name

    def _on_image(self, data: dict[str, Any]) -> None:
        sr_id = data["sr_id"]
        self._imaged.add(sr_id)
        self._drop(sr_id)
        self.events[sr_id] = data["event"]
        books = data["bookmakers"]
        self.listings[sr_id] = {slug: book["listing_id"] for slug, book in books.items() if book["listing_id"]}
        for slug, book in books.items():
            self.books[sr_id, slug] = book["markets"]
            if book["received_at"]:
                self.received[sr_id, slug] = book["received_at"]
                self.confirmed[sr_id, slug] = book["confirmed_at"]

    def _on_image_end(self, data: dict[str, Any]) -> None:
        for sr_id in self.events.keys() - self._imaged:
            self._drop(sr_id)
        if data["events"] != len(self._imaged):
            self.faults.append(f"{data['events']} events announced, {len(self._imaged)} came")
        self._imaged = set()
        self.complete = True

    def _on_reset(self, _: dict[str, Any]) -> None:
        self._imaged = set()
        self.complete = False

    def _on_delta(self, data: dict[str, Any]) -> None:
        key = (data["sr_id"], data["bookmaker"])
        if data["sr_id"] not in self.events:
            self.faults.append(f"a delta of {key}, which is not known")
            return
        if data["received_at"] < self.received.get(key, ""):
            self.faults.append(f"{key} went back to {data['received_at']}")
        book = self.books.setdefault(key, {})
        if not self.conflating and all(book.get(name) == cell for name, cell in data["markets"].items()):
            self.faults.append(f"{key} of {data['received_at']} was told twice")
        book.update(data["markets"])
        self.received[key], self.confirmed[key] = data["received_at"], data["confirmed_at"]

    def _on_event(self, data: dict[str, Any]) -> None:
        self.listings[data["sr_id"]] = data.pop("listings")
        self.events[data["sr_id"]] = data

    def _on_gone(self, data: dict[str, Any]) -> None:
        self._imaged.discard(data["sr_id"])
        self._drop(data["sr_id"])

    def _on_confirmed(self, data: dict[str, Any]) -> None:
        for sr_id, at in data["confirmed_at"].items():
            key = (int(sr_id), data["bookmaker"])
            if at < self.confirmed.get(key, ""):
                self.faults.append(f"{key} was confirmed at {at}, earlier than before")
            self.received[key] = self.confirmed[key] = at

    def _on_heartbeat(self, data: dict[str, Any]) -> None:
        if _place(data["cursor"]) < _place(self.cursor):
            self.faults.append(f"a heartbeat went back to {data['cursor']}")

    def _on_conflated(self, data: dict[str, Any]) -> None:
        """Nothing changes: states follow."""

    def _drop(self, sr_id: int) -> None:
        self.events.pop(sr_id, None)
        self.listings.pop(sr_id, None)
        for facts in (self.books, self.received, self.confirmed):
            for key in [key for key in facts if key[0] == sr_id]:
                del facts[key]


def _place(cursor: str) -> tuple[int, ...]:
    """Return a cursor's place; generations are in no order, so that places of two are not to be compared."""
    generation, *rest = cursor.removesuffix("~").split(".")
    return (int(generation, 16), *map(int, rest)) if rest else ()
