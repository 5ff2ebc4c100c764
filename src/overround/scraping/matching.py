"""Which listings are of one event: by SportRadar id, with duplicates and conflicts told apart."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from overround.records.event import Event, Listing, ListingLink
from overround.scraping.likeness import ALIKE, kind_of, namesakes, teams_likeness

MAX_KICKOFF_SPREAD = timedelta(hours=24)


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
    return next(filter(None, (_contradiction(first, other) for other in listings[1:])), "")


def same_match(one: Listing, other: Listing) -> bool:
    """Tell whether two statements of one bookmaker, such as a list's and a body's, are of one match.

    Kick-offs do not count: a match that is put off stays the same.
    """
    found = teams_likeness(one, other)
    return min(found.home, found.away) >= ALIKE and not found.turned and kind_of(one).fits(kind_of(other))


def is_linked_match(link: ListingLink, stated: Listing) -> bool:
    """Tell whether a bookmaker's own statement of a linked listing is of the match that it was linked for.

    An id that the bookmaker uses again is of another match. A link that does not say of which match it is counts no
    more: it is of a former version, and the listing had left the event by then.
    """
    if link.own_sr_id is not None and stated.sr_id is not None:
        return link.own_sr_id == stated.sr_id
    if link.home is None or link.away is None or link.tournament is None:
        return False
    linked = msgspec.structs.replace(stated, home=link.home, away=link.away, tournament=link.tournament)
    return same_match(linked, stated)


def _contradiction(one: Listing, other: Listing) -> str:
    """Return in which teams two listings contradict each other; empty where they do not."""
    teams = f"{one.bookmaker}: {one.home} - {one.away}, {other.bookmaker}: {other.home} - {other.away}"
    likeness = teams_likeness(one, other)
    if likeness.turned:
        return f"home and away are turned round; {teams}"
    if not likeness.same:
        return teams
    if not kind_of(one).fits(kind_of(other)):
        places = f"{one.tournament} and {other.tournament}"
        return f"women's, youth and other teams; {teams}, in {places}"
    if namesakes(one.home, other.home) or namesakes(one.away, other.away):
        return f"reserves and first team; {teams}"
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
