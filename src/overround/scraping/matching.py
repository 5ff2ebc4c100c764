"""Which listings are of one event: by SportRadar id, with duplicates and conflicts told apart."""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from difflib import SequenceMatcher

import msgspec

from overround.records.event import Event, Listing

MAX_KICKOFF_SPREAD = timedelta(hours=24)
_MIN_TOKEN = 3  # shorter ones ("fc", "sc", "1.") are shared by unrelated teams
_MIN_LIKENESS = 0.6
_CLUB_WORDS = frozenset(
    {"afc", "club", "city", "united", "utd", "women", "reserves", "youth", "u19", "u20", "u21", "u23"}
)


class Matched(msgspec.Struct, frozen=True, kw_only=True):
    """Listings by event, and those left over; `duplicates` lost against a newer listing of the same bookmaker."""

    events: tuple[Event, ...]
    listings: tuple[Listing, ...]
    duplicates: tuple[Listing, ...]
    unmatched: tuple[Listing, ...]


def match_listings(
    listings: Iterable[Listing], precedence: Sequence[str], first_seen: Callable[[Listing], datetime]
) -> Matched:
    """Group listings by SportRadar id.

    `precedence` is the order of the bookmakers, the reference first: the first that lists an event
    names it. Where a bookmaker lists an id twice, the active listing seen first latest counts.
    """
    rank = {slug: place for place, slug in enumerate(precedence)}
    groups: dict[int, list[Listing]] = defaultdict(list)
    unmatched: list[Listing] = []
    for listing in listings:
        if listing.sr_id is None:
            unmatched.append(listing)
        else:
            groups[listing.sr_id].append(listing)
    events: list[Event] = []
    current: list[Listing] = []
    duplicates: list[Listing] = []
    for sr_id, group in groups.items():
        chosen, rest = _newest_per_bookmaker(group, first_seen)
        chosen.sort(key=lambda listing: rank.get(listing.bookmaker, len(rank)))
        events.append(_event(sr_id, chosen, precedence[0] if precedence else ""))
        current.extend(chosen)
        duplicates.extend(rest)
    return Matched(
        events=tuple(events), listings=tuple(current), duplicates=tuple(duplicates), unmatched=tuple(unmatched)
    )


def conflict_between(listings: Sequence[Listing]) -> str:
    """Return why listings of one SportRadar id do not seem to be of one match; empty where they do."""
    if not listings:
        return ""
    kickoffs = [listing.kickoff for listing in listings]
    if max(kickoffs) - min(kickoffs) > MAX_KICKOFF_SPREAD:
        return f"kick-offs {min(kickoffs):%Y-%m-%d %H:%M} and {max(kickoffs):%Y-%m-%d %H:%M} UTC"
    first = listings[0]
    for other in listings[1:]:
        if not _same_teams(first, other):
            return f"{first.bookmaker}: {first.home} - {first.away}, {other.bookmaker}: {other.home} - {other.away}"
    return ""


def _newest_per_bookmaker(
    group: Iterable[Listing], first_seen: Callable[[Listing], datetime]
) -> tuple[list[Listing], list[Listing]]:
    by_bookmaker: dict[str, list[Listing]] = defaultdict(list)
    for listing in group:
        by_bookmaker[listing.bookmaker].append(listing)
    chosen: list[Listing] = []
    rest: list[Listing] = []
    for rivals in by_bookmaker.values():
        rivals.sort(key=lambda one: (one.active, first_seen(one), len(one.listing_id), one.listing_id), reverse=True)
        chosen.append(rivals[0])
        rest.extend(rivals[1:])
    return chosen, rest


def _event(sr_id: int, listings: Sequence[Listing], reference: str) -> Event:
    named = listings[0]
    return Event(
        sr_id=sr_id,
        sport=named.sport,
        home=named.home,
        away=named.away,
        kickoff=_kickoff(listings, reference),
        country=named.country,
        tournament=named.tournament,
        conflict=conflict_between(listings),
    )


def _kickoff(listings: Sequence[Listing], reference: str) -> datetime:
    if listings[0].bookmaker == reference:
        return listings[0].kickoff
    votes: Mapping[datetime, int] = Counter(listing.kickoff for listing in listings)
    return max(votes, key=lambda kickoff: (votes[kickoff], -kickoff.timestamp()))


def _same_teams(one: Listing, other: Listing) -> bool:
    straight = (_alike(one.home, other.home), _alike(one.away, other.away))
    if all(straight):
        return True
    swapped = _alike(one.home, other.away) and _alike(one.away, other.home)
    return any(straight) and not swapped


def _alike(one: str, other: str) -> bool:
    first, second = _plain(one), _plain(other)
    shared = set(first.split()) & set(second.split()) - _CLUB_WORDS
    if any(len(token) >= _MIN_TOKEN for token in shared):
        return True
    return SequenceMatcher(None, first, second).ratio() >= _MIN_LIKENESS


def _plain(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = (char if char.isalnum() else " " for char in decomposed if not unicodedata.combining(char))
    return " ".join("".join(letters).split())
