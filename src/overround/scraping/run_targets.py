"""What a cycle fetches, and in which order: the soonest kick-offs first, then the events most bookmakers have."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

import msgspec

from overround.caching.event_register import EventRegister
from overround.records.event import Event, Listing

_URGENCY_STEPS = (timedelta(minutes=30), timedelta(hours=3), timedelta(hours=12), timedelta(days=1), timedelta(days=3))


class EventTarget(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One event to be fetched from every bookmaker that lists it."""

    event: Event
    listings: Mapping[str, Listing]


def choose_targets(
    book: EventRegister, now: datetime, horizon: timedelta | None, bookmakers: frozenset[str]
) -> list[EventTarget]:
    """Return the upcoming events that some of these bookmakers list, the most urgent first."""
    until = datetime.max.replace(tzinfo=UTC) if horizon is None else now + horizon
    targets = [
        EventTarget(event=event, listings=listings)
        for event in book.events()
        if now < event.kickoff <= until
        for listings in [_offered(book.listings_of(event.sr_id), bookmakers)]
        if listings
    ]
    return sorted(targets, key=lambda target: _urgency(target, now))


def failed_targets(book: EventRegister, failed: Collection[tuple[int, str]], now: datetime) -> Sequence[EventTarget]:
    """Return the upcoming events among these (event, bookmaker) pairs, with the listings of those bookmakers alone."""
    targets = []
    for sr_id in sorted({sr_id for sr_id, _ in failed}):
        event = book.event(sr_id)
        listings = {slug: one for slug, one in book.listings_of(sr_id).items() if (sr_id, slug) in failed}
        if event is not None and event.kickoff > now and listings:
            targets.append(EventTarget(event=event, listings=listings))
    return targets


def batches_of(targets: Iterable[EventTarget], size: int) -> Iterator[Sequence[EventTarget]]:
    """Cut targets into batches of at most `size`."""
    remaining = iter(targets)
    while batch := tuple(islice(remaining, size)):
        yield batch


def _offered(listings: Mapping[str, Listing], bookmakers: frozenset[str]) -> Mapping[str, Listing]:
    return {slug: listing for slug, listing in listings.items() if slug in bookmakers}


def _urgency(target: EventTarget, now: datetime) -> tuple[int, int, datetime, int]:
    ahead = target.event.kickoff - now
    return bisect_left(_URGENCY_STEPS, ahead), -len(target.listings), target.event.kickoff, target.event.sr_id
