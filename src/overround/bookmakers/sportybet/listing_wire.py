"""SportyBet's discovery answers, as `popularAndSportList` and `pcEvents` send them."""

from typing import Final

import msgspec

from overround.bookmakers.kit.sports import read_sport_ids

SPORT_IDS: Final = read_sport_ids(__package__)
SUCCESS = 10000
NOT_STARTED = 0


class TournamentEntry(msgspec.Struct, frozen=True, rename="camel"):
    """A league, and how many events it has."""

    id: str
    name: str | None = ""
    event_size: int = 0


class CategoryEntry(msgspec.Struct, frozen=True, rename="camel"):
    """A country or region, and its leagues, which are read one by one."""

    id: str = ""
    name: str | None = ""
    event_size: int | None = 0
    tournaments: tuple[msgspec.Raw, ...] | None = None


class SportEntry(msgspec.Struct, frozen=True, rename="camel"):
    """A sport, and its countries, which are read one by one."""

    id: str
    name: str | None = ""
    event_size: int | None = 0
    categories: tuple[msgspec.Raw, ...] | None = None


class SportList(msgspec.Struct, frozen=True, rename="camel"):
    """All leagues; the promoted ones, which the answer repeats under another name, are left out."""

    sport_list: tuple[msgspec.Raw, ...] | None = None


class SportListAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of `popularAndSportList`; without success it has no usable data."""

    biz_code: int
    message: str | None = ""
    data: SportList | None = None


class TournamentName(msgspec.Struct, frozen=True):
    """A league, in an event."""

    id: str = ""
    name: str | None = ""


class CategoryName(msgspec.Struct, frozen=True):
    """A country or region, in an event."""

    id: str = ""
    name: str | None = ""
    tournament: TournamentName = TournamentName()


class SportName(msgspec.Struct, frozen=True):
    """A sport, in an event."""

    id: str = ""
    name: str | None = ""
    category: CategoryName = CategoryName()


class ListEvent(msgspec.Struct, frozen=True, rename="camel"):
    """An event of a list; `estimate_start_time` is in milliseconds since 1970.

    A detail body holds the same fields, and markets besides.
    """

    event_id: str
    estimate_start_time: int
    home_team_name: str
    away_team_name: str
    sport: SportName
    status: int = NOT_STARTED
    banned: bool | None = False


class LeagueEvents(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """One league of a list answer."""

    id: str | None = ""
    name: str | None = ""
    events: tuple[msgspec.Raw, ...] | None = None
    category_name: str | None = ""
    category_id: str | None = ""


class LeaguesAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The answer of `pcEvents`; a league without events is not in its data, and without success there are no data."""

    biz_code: int
    message: str | None = ""
    data: tuple[LeagueEvents, ...] | None = None


class LeagueQuery(msgspec.Struct, frozen=True, rename="camel"):
    """What `pcEvents` is asked for: leagues by id, and the ids of markets to embed."""

    sport_id: str
    market_id: str
    tournament_id: tuple[tuple[str, ...], ...]


class DetailAnswer(msgspec.Struct, frozen=True):
    """A detail body, read for what a list says of its event."""

    data: ListEvent
