"""Prices over time as steps: a price holds until it changes. Pure.

A point is an instant and what was in force from then on, as `MarketPrices` holds it: 0 where the outcome was not
offered any more. Repetitions are folded: the store may have written a state twice.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from overround.records.odds import NOT_OFFERED


class Point(msgspec.Struct, frozen=True, gc=False):
    """From an instant on, this price and state."""

    at: datetime
    price: int


def steps(changes: Iterable[tuple[datetime, Sequence[int]]], place: int) -> list[Point]:
    """Return the steps of the outcome at a place out of its market's changes, which come in order of time.

    They begin where the outcome is first offered; a market without outcomes, or too few, does not offer it.
    """
    points: list[Point] = []
    last = NOT_OFFERED
    for at, prices in changes:
        price = prices[place] if place < len(prices) else NOT_OFFERED
        if price != last:
            points.append(Point(at, price))
            last = price
    return points


def within(points: Sequence[Point], since: datetime | None, until: datetime) -> list[Point]:
    """Return the points of a range, and first the one that was in force at its beginning."""
    held = [point for point in points if point.at <= until]
    if since is None:
        return held
    before = in_force(held, since)
    later = [point for point in held if point.at > since]
    return later if before is None else [before, *later]


def in_force(points: Sequence[Point], at: datetime) -> Point | None:
    """Return the point that holds at an instant; None before the first."""
    return next((point for point in reversed(points) if point.at <= at), None)


def opening(points: Iterable[Point]) -> Point | None:
    """Return the first active price."""
    return next((point for point in points if point.price > 0), None)


def closing(points: Sequence[Point], kickoff: datetime) -> Point | None:
    """Return the last active price up to the kick-off."""
    return next((point for point in reversed(points) if point.at <= kickoff and point.price > 0), None)
