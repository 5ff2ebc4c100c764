"""The shapes of an event's history over HTTP: what `history_series` writes."""

from datetime import datetime

from pydantic import BaseModel, Field


class QuoteModel(BaseModel):
    """An active price, and since when."""

    at: datetime
    price: str | None


class PointModel(BaseModel):
    """From an instant on, this price and state (active, suspended or removed); without a price it is a gap."""

    at: datetime
    price: str | None
    state: str


class SeriesModel(BaseModel):
    """One outcome of a market at one bookmaker: steps, each of which holds until the next.

    The last one is known to have held until `until`. `opening` is the first active price there ever was, whatever
    the range; `closing` the last active one up to the kick-off, null before it.
    """

    key: str
    market: str
    specifiers: dict[str, str]
    outcome: str
    bookmaker: str
    opening: QuoteModel | None
    closing: QuoteModel | None
    points: list[PointModel]
    until: datetime


class HistoryModel(BaseModel):
    """An event's prices over time. `truncated`: there were too many changes, and the oldest are left out."""

    sr_id: int
    since: datetime | None = Field(alias="from")
    until: datetime = Field(alias="to")
    truncated: bool
    series: list[SeriesModel]
