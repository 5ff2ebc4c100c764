"""The shapes of events and prices over HTTP: what `streaming.market_json` and `events.routes` write."""

from datetime import datetime

from pydantic import BaseModel


class OutcomePrice(BaseModel):
    """One outcome at one bookmaker; prices are decimal text, null where none is shown.

    `previous` is the price before the market's last change; null if the market has not changed since
    the service started.
    """

    outcome: str
    price: str | None
    previous: str | None
    state: str | None


class BookmakerMarket(BaseModel):
    """One bookmaker's prices of a market. `margin` is a fraction: 0.08 is 8 %.

    `state` is active, suspended or removed, or says why there is nothing: not_offered (the bookmaker could,
    and does not), not_mapped (its market of this kind is not known here, or it has none), not_seen (nothing
    of the event has arrived from it). `confirmed_at` is null where it is the event's own, of this bookmaker.
    """

    state: str
    margin: float | None = None
    changed_at: datetime | None = None
    confirmed_at: datetime | None = None
    outcomes: list[OutcomePrice] = []


class BestPrice(BaseModel):
    """The highest active price of an outcome, null where there is none, and who offers it."""

    price: str | None
    bookmakers: list[str]


class ReferenceStanding(BaseModel):
    """How the reference stands with each outcome, null where it has no active price.

    `rank` is 1 where nobody pays more. `gap` is a fraction of the best price: -0.02 is 2 % below. `points` are the
    percentage points of fair probability by which the best competitor rates the outcome higher: positive where the
    reference pays better.
    """

    rank: list[int | None]
    gap: list[float | None]
    points: list[float | None]


class MarketView(BaseModel):
    """A market with the prices of every bookmaker, by slug, the reference first; `key` is how requests name it.

    Of an event in conflict nothing is compared: `best` and `reference` are empty.
    """

    key: str
    market: str
    name: str
    group: str
    specifiers: dict[str, str]
    outcomes: list[str]
    bookmakers: dict[str, BookmakerMarket]
    best: list[BestPrice]
    reference: ReferenceStanding


class BookmakerFreshness(BaseModel):
    """How old one bookmaker's word on an event is; in lists, `age_seconds` is up to half a second behind."""

    listing_id: str | None
    received_at: datetime | None
    confirmed_at: datetime | None
    age_seconds: float | None
    markets: int


class EventView(BaseModel):
    """An event with the chosen markets, each with all bookmakers' prices."""

    sr_id: int
    sport: str
    home: str
    away: str
    kickoff: datetime
    country: str
    tournament: str
    conflict: str
    markets: list[MarketView]
    bookmakers: dict[str, BookmakerFreshness]


class SingleEvent(EventView):
    """One event, as of `now`."""

    now: datetime


class EventPage(BaseModel):
    """One page of events; `total` counts all that match."""

    total: int
    limit: int
    offset: int
    now: datetime
    events: list[EventView]
