"""What a client may ask of events, read once for each query string that clients repeat.

FastAPI would read them anew for every request; these functions do it instead, and `documented_*` are what the
OpenAPI document says of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Final

import msgspec
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import QueryParams

from overround.api.events.filters import Availability, EventFilter, EventSort
from overround.api.events.fragments import ALL_MARKETS, MarketSet, market_set
from overround.records.odds import MarketKey

MAX_LIMIT: Final = 500
DEFAULT_MARKETS: Final = (
    MarketKey("match_result"),
    MarketKey("double_chance"),
    MarketKey("total_goals", "line=2.5"),
    MarketKey("both_teams_to_score"),
)
_REPEATABLE = frozenset({"sport", "country", "tournament"})
_PAGING = frozenset({"limit", "offset"})

Names = Annotated[tuple[str, ...], Field(max_length=100)]


class EventQuery(BaseModel):
    """The parameters of the list of events."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    text: str = Field("", max_length=200, description="words of teams, country or tournament", examples=["arsenal"])
    sport: Names = Field((), description="any of these", examples=[["football"]])
    country: Names = Field((), description="any of these", examples=[["England"]])
    tournament: Names = Field((), description="any of these", examples=[["Premier League"]])
    since: AwareDatetime | None = Field(None, alias="from", description="kick-off at or after")
    until: AwareDatetime | None = Field(None, alias="to", description="kick-off before")
    availability: Availability = Field(Availability.ANY, description="who lists the event")
    in_play: bool | None = Field(None, description="only events that have, or have not, kicked off")
    markets: str = Field(
        "",
        max_length=2000,
        description="market keys, with commas between; none: match result, double chance, total goals 2.5, both score",
        examples=["match_result,total_goals:line=2.5"],
    )
    sort: EventSort = Field(EventSort.KICKOFF, description="what comes first; a minus turns it round")
    limit: int = Field(50, ge=1, le=MAX_LIMIT)
    offset: int = Field(0, ge=0, le=2**31 - 1)


class MarketsQuery(BaseModel):
    """The parameters of a single event beside its number."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    markets: str = Field("", max_length=2000, description="market keys; none: all")


class EventRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which events, in which order and with which markets, and the page of them."""

    wanted: EventFilter
    sort: EventSort
    markets: MarketSet
    limit: int
    offset: int


def read_request(query_string: bytes) -> EventRequest:
    """Return what a query string asks for.

    Raises:
        RequestValidationError: a parameter is not what it should be.
    """
    query = _validated(QueryParams(query_string))
    wanted = EventFilter(
        text=query.text,
        sports=frozenset(query.sport),
        countries=frozenset(query.country),
        tournaments=frozenset(query.tournament),
        since=query.since,
        until=query.until,
        availability=query.availability,
        in_play=query.in_play,
    )
    markets = market_set(parse_markets(query.markets) or DEFAULT_MARKETS)
    return EventRequest(wanted=wanted, sort=query.sort, markets=markets, limit=query.limit, offset=query.offset)


def read_markets(query_string: bytes) -> MarketSet:
    """Return the markets of a single event that a query string asks for.

    Raises:
        RequestValidationError: a parameter is not what it should be.
    """
    with _told_as_faults():
        asked = MarketsQuery.model_validate(dict(QueryParams(query_string)))
    keys = parse_markets(asked.markets)
    return market_set(keys) if keys else ALL_MARKETS


def parse_markets(text: str) -> tuple[MarketKey, ...]:
    """Return the keys of "match_result,total_goals:line=2.5", each once."""
    parts = (part.strip().partition(":") for part in text.split(",") if part.strip())
    return tuple(dict.fromkeys(MarketKey(market, specifiers) for market, _, specifiers in parts))


def documented_parameters(*, paged: bool = True) -> Sequence[Mapping[str, Any]]:
    """Return the parameters as OpenAPI describes them."""
    found = _documented(EventQuery)
    return [parameter for parameter in found if paged or parameter["name"] not in _PAGING]


def documented_markets() -> Sequence[Mapping[str, Any]]:
    """Return the parameter of a single event's markets as OpenAPI describes it."""
    return _documented(MarketsQuery)


def _documented(query: type[BaseModel]) -> Sequence[Mapping[str, Any]]:
    schema = query.model_json_schema()
    return [
        {"name": name, "in": "query", "required": False, "schema": _inlined(details, schema.get("$defs", {}))}
        for name, details in schema["properties"].items()
    ]


def _validated(params: QueryParams) -> EventQuery:
    given = {name: params.getlist(name) if name in _REPEATABLE else params[name] for name in params}
    with _told_as_faults():
        return EventQuery.model_validate(given)


@contextmanager
def _told_as_faults() -> Iterator[None]:
    """Tell of parameters that are not what they should be as FastAPI does."""
    try:
        yield
    except ValidationError as error:
        faults = [{**fault, "loc": ("query", *fault["loc"])} for fault in error.errors(include_url=False)]
        raise RequestValidationError(faults) from error


def _inlined(details: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in details:
        return details
    name = details["$ref"].rpartition("/")[2]
    return {**definitions[name], **{key: value for key, value in details.items() if key != "$ref"}}
