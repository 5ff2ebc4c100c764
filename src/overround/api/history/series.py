"""Stored changes as the series of a history's answer: a price holds until it changes. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from overround.catalogue import Catalogue, Market
from overround.records.odds import NOT_OFFERED, MarketKey, outcome_state, price_text, shown_price, specifiers_of
from overround.records.stored import StoredChange
from overround.streaming.market_json import key_text


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


class PointView(msgspec.Struct, frozen=True, gc=False):
    """From an instant on, this price and state; without a price it is a gap."""

    at: datetime
    price: str | None
    state: str


class QuoteView(msgspec.Struct, frozen=True, gc=False):
    """A price and since when."""

    at: datetime
    price: str | None


class Series(msgspec.Struct, frozen=True, gc=False):
    """One outcome of a market at one bookmaker, which held its last price until `until`."""

    key: str
    market: str
    specifiers: Mapping[str, str]
    outcome: str
    bookmaker: str
    opening: QuoteView | None
    closing: QuoteView | None
    points: Sequence[PointView]
    until: datetime


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """What is told: the points of `since` to `until`, or the one in force at `until` where it is `as_of`.

    `started` tells whether the event has kicked off, so that there is a closing price; `whole` whether the
    changes begin with the first, so that there is an opening one.
    """

    since: datetime | None
    until: datetime
    as_of: bool
    kickoff: datetime
    started: bool
    whole: bool


Place = tuple[str, MarketKey]


def all_series(
    changes: Iterable[StoredChange],
    catalogue: Catalogue,
    bookmakers: Sequence[str],
    told: Range,
    held_until: Mapping[Place, datetime],
) -> Sequence[Series]:
    """Return the series by market in catalogue order, line, outcome, and bookmaker in the order given.

    Changes come in order of time. `held_until` is when a bookmaker's market was last known to be as it was left.
    """
    by_place: dict[Place, list[tuple[datetime, Sequence[int]]]] = defaultdict(list)
    for change in changes:
        market = catalogue.numbered(change.market)
        if market is not None:
            by_place[change.bookmaker, MarketKey(market.key, change.specifiers)].append((change.at, change.prices))
    keys = sorted({key for _, key in by_place}, key=lambda key: (catalogue.number(key.market), key.specifiers))
    return [
        series
        for key in keys
        for number, _ in enumerate(catalogue.market(key.market).outcomes)
        for bookmaker in bookmakers
        if (bookmaker, key) in by_place
        for series in _series(
            catalogue.market(key.market),
            (bookmaker, key),
            steps(by_place[bookmaker, key], number),
            number,
            told,
            held_until,
        )
    ]


def _series(
    market: Market,
    place: Place,
    points: Sequence[Point],
    number: int,
    told: Range,
    held_until: Mapping[Place, datetime],
) -> Iterator[Series]:
    now = in_force(points, told.until)
    shown = ([] if now is None else [now]) if told.as_of else within(points, told.since, told.until)
    if not shown:
        return
    bookmaker, key = place
    yield Series(
        key=key_text(key),
        market=key.market,
        specifiers=dict(specifiers_of(key)),
        outcome=market.outcomes[number],
        bookmaker=bookmaker,
        opening=_quote(opening(points)) if told.whole else None,
        closing=_quote(closing(points, told.kickoff)) if told.started else None,
        points=[PointView(point.at, _price(point), outcome_state(point.price) or "removed") for point in shown],
        until=max(shown[-1].at, min(told.until, held_until.get(place, shown[-1].at))),
    )


def _quote(point: Point | None) -> QuoteView | None:
    return None if point is None else QuoteView(point.at, _price(point))


def _price(point: Point) -> str | None:
    shown = shown_price(point.price)
    return None if shown is None else price_text(shown)
