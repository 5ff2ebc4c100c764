"""Discovery, league by league: what the clients share."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

import msgspec
import structlog

from overround.bookmakers.kit.decoding import UNREADABLE, decode_raw
from overround.errors import DateError, ErrorClass, FetchError
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Tournament
from overround.records.odds import Dropped

MOST_LISTED: Final = 2_000
"""Entries of one league that are read; no league has a tenth of them."""

_BEYOND: Final = f"beyond the {MOST_LISTED:,} entries of a league that are read"
_LIST_EVENT: Final = "list event"
_REASON_LENGTH: Final = 120

_Entry = TypeVar("_Entry")
_Part = TypeVar("_Part")

_log = structlog.get_logger(__name__)


class UnusableEntryError(ValueError):
    """An entry of a list answer is no fixture that can be compared; the message is counted as the reason."""


class UnreadableEntryError(UnusableEntryError):
    """An entry of a list answer may be a fixture, and cannot be read; the list then shows no listing's absence."""


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """What the entries of a list hold: `listed` counts those that were read or tried.

    `unreadable` counts those among them that could not be read, `unlisted` those that were too many to try.
    """

    listings: tuple[Listing, ...]
    dropped: tuple[Dropped, ...]
    listed: int
    unreadable: int
    unlisted: int = 0

    def of_league(self, bookmaker: str, league: str, *, stated: int | None = None, unlisted: int = 0) -> LeagueListings:
        """Return the entries as a list with this label; see `LeagueListings`."""
        return LeagueListings(
            bookmaker=bookmaker,
            league=league,
            listings=self.listings,
            dropped=self.dropped,
            listed=self.listed,
            unreadable=self.unreadable,
            unlisted=self.unlisted + unlisted,
            stated=stated,
        )


def league_label(league: Tournament) -> str:
    """Return how a league is named in listings of discovery: "England / Premier League"."""
    return f"{league.country} / {league.name}"


def failure(bookmaker: str, league: str, error: FetchError) -> DiscoveryFailure:
    """Return what discovery reports for a call that failed."""
    return DiscoveryFailure(bookmaker=bookmaker, league=league, error_class=error.error_class.value, message=str(error))


async def sweep(
    bookmaker: str, leagues: Sequence[Tournament], ask: Callable[[Tournament], Awaitable[LeagueListings]]
) -> AsyncGenerator[LeagueListings | DiscoveryFailure, None]:
    """Ask for all leagues at once, and yield each answer as it comes; the fetcher's limits hold.

    A league that fails yields its failure. Closing the iterator cancels what is still asked.
    """
    tasks = [
        asyncio.create_task(_answer(bookmaker, league, ask), name=f"discover {bookmaker} {league.id}")
        for league in leagues
    ]
    try:
        for task in asyncio.as_completed(tasks):
            yield await task
    finally:
        for pending in tasks:
            pending.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def read_entries(
    entries: Sequence[msgspec.Raw], decoder: msgspec.json.Decoder[_Entry], read: Callable[[_Entry], Listing]
) -> Entries:
    """Read the events of a list answer one by one, so that a bad one costs only itself.

    `read` raises UnusableEntryError for an event that is not wanted, UnreadableEntryError or DateError for one that
    it cannot read. Entries beyond MOST_LISTED are counted and not read.
    """
    listings: dict[str, Listing] = {}
    reasons: Counter[str] = Counter()
    unreadable, beyond = 0, len(entries[MOST_LISTED:])
    for entry in entries[:MOST_LISTED]:
        found = _read_entry(entry, decoder, read)
        if isinstance(found, Listing):
            listings[found.listing_id] = found
            continue
        reasons[str(found)[:_REASON_LENGTH]] += 1
        unreadable += isinstance(found, UnreadableEntryError) or not isinstance(found, UnusableEntryError)
    dropped = [Dropped(reason, _LIST_EVENT, count) for reason, count in reasons.items()]
    return Entries(
        listings=tuple(listings.values()),
        dropped=(*dropped, *beyond_the_limit(beyond)),
        listed=len(listings) + reasons.total(),  # an entry that pages repeat is one
        unreadable=unreadable,
        unlisted=beyond,
    )


def beyond_the_limit(count: int) -> tuple[Dropped, ...]:
    """Return the count of entries that were too many to read."""
    return (Dropped(_BEYOND, _LIST_EVENT, count),) if count else ()


def read_parts(
    parts: Iterable[msgspec.Raw], decoder: msgspec.json.Decoder[_Part], bookmaker: str, place: str
) -> tuple[tuple[_Part, ...], tuple[DiscoveryFailure, ...]]:
    """Read the parts of a tree of leagues one by one, so that a bad one costs only itself.

    Each part that cannot be read yields a failure, which names the `place` of the tree that it stands in.
    """
    read, failures = [], []
    for part in parts:
        try:
            read.append(decode_raw(decoder, part))
        except UNREADABLE as error:
            message = f"{bookmaker}: {place}: a part of the tree of leagues cannot be read: {error}"
            failures.append(
                DiscoveryFailure(bookmaker=bookmaker, league=place, error_class=ErrorClass.MALFORMED, message=message)
            )
    return tuple(read), tuple(failures)


def _read_entry(
    entry: msgspec.Raw, decoder: msgspec.json.Decoder[_Entry], read: Callable[[_Entry], Listing]
) -> Listing | Exception:
    try:
        return read(decode_raw(decoder, entry))
    except (*UNREADABLE, UnusableEntryError, DateError) as error:
        return error
    except Exception as error:  # noqa: BLE001 - supervision point: one entry's fault costs that entry
        _log.error("list_entry_bug", exc_info=error)
        return UnreadableEntryError(f"internal: {type(error).__name__}")


async def _answer(
    bookmaker: str, league: Tournament, ask: Callable[[Tournament], Awaitable[LeagueListings]]
) -> LeagueListings | DiscoveryFailure:
    label = league_label(league)
    try:
        return await ask(league)
    except FetchError as error:
        return failure(bookmaker, label, error)
    except Exception as error:  # noqa: BLE001 - supervision point: one league's fault does not end the others
        _log.error("league_bug", bookmaker=bookmaker, league=label, exc_info=error)
        message = f"{bookmaker}: {label}: {error!r}"
        return DiscoveryFailure(bookmaker=bookmaker, league=label, error_class=ErrorClass.INTERNAL, message=message)
