"""Discovery, league by league: what the clients share."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

from overround.errors import FetchError
from overround.records.event import DiscoveryFailure, LeagueListings, Listing, Tournament
from overround.records.odds import Dropped

_Entry = TypeVar("_Entry")


class UnusableEntryError(ValueError):
    """An entry of a list answer is no fixture that can be compared; the message is counted as the reason."""


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
    entries: Iterable[msgspec.Raw], decoder: msgspec.json.Decoder[_Entry], read: Callable[[_Entry], Listing]
) -> tuple[tuple[Listing, ...], tuple[Dropped, ...]]:
    """Read the events of a list answer one by one, so that a bad one costs only itself.

    `read` raises UnusableEntryError for an event that is not wanted or not usable.
    """
    listings: dict[str, Listing] = {}
    reasons: Counter[str] = Counter()
    for entry in entries:
        try:
            listing = read(decoder.decode(entry))
        except (msgspec.DecodeError, UnicodeDecodeError, UnusableEntryError) as error:
            reasons[str(error)] += 1
        else:
            listings[listing.listing_id] = listing
    dropped = tuple(Dropped(reason, "list event", count) for reason, count in reasons.items())
    return tuple(listings.values()), dropped


async def _answer(
    bookmaker: str, league: Tournament, ask: Callable[[Tournament], Awaitable[LeagueListings]]
) -> LeagueListings | DiscoveryFailure:
    try:
        return await ask(league)
    except FetchError as error:
        return failure(bookmaker, league_label(league), error)
