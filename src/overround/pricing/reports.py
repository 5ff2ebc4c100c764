"""Markets and coverage as plain objects: the same over HTTP and on the command line."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from overround.catalogue import Market
from overround.pricing.checks import Finding
from overround.pricing.coverage import Coverage, EventCoverage, summed


def definition(market: Market, covered: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """Return a market's definition as an object; `covered` are the bookmakers' markets by their keys."""
    meaning = market.meaning
    return {
        "number": market.number,
        "key": market.key,
        "name": market.name,
        "sport": market.sport,
        "group": market.group,
        "counts": meaning.counts,
        "side": meaning.side,
        "period": meaning.period,
        "settles": meaning.settles,
        "overtime": meaning.overtime,
        "parts": list(market.parts),
        "specifiers": list(market.specifiers),
        "outcomes": list(market.outcomes),
        "probability_sum": market.probability_sum,
        "mapped_by": [slug for slug, keys in covered.items() if market.key in keys],
    }


def finding(event: str, found: Finding) -> dict[str, Any]:
    """Return a finding on an event's prices as an object."""
    return {
        "event": event,
        "check": found.check,
        "bookmakers": list(found.bookmakers),
        "market": found.market,
        "specifiers": found.specifiers,
        "detail": found.detail,
    }


def coverage_report(events: Sequence[EventCoverage], worst: int | None = None) -> dict[str, Any]:
    """Return coverage by bookmaker and sport, each with the events that lost most, all or so many of them."""
    return {"coverage": [_coverage(found, events, worst) for found in summed(events)]}


def _coverage(found: Coverage, events: Sequence[EventCoverage], worst: int | None) -> dict[str, Any]:
    own = [event for event in events if (event.bookmaker, event.sport) == (found.bookmaker, found.sport)]
    own.sort(key=lambda event: event.lost, reverse=True)
    return {
        "bookmaker": found.bookmaker,
        "sport": found.sport,
        "events": found.events,
        "mapped": found.mapped,
        "unmapped_count": found.unmapped_count,
        "dropped_count": found.dropped_count,
        "share": found.share,
        "unmapped": [{"id": lost.id, "name": lost.name, "count": lost.count} for lost in found.unmapped],
        "dropped": [{"reason": reason, "count": count} for reason, count in found.dropped],
        "worst": [_event(event) for event in own[:worst]],
    }


def _event(event: EventCoverage) -> dict[str, Any]:
    return {"listing_id": event.source, "mapped": event.mapped, "lost": event.lost, "share": event.share}
