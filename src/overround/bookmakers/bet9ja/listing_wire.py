"""Bet9ja's discovery answers, as `GetSports` and `GetEventsInGroupV2` send them.

Collections keyed by id arrive as objects or, sometimes, as lists; a payload that is not there as `false`.
"""

from typing import Final

import msgspec

from overround.bookmakers.kit.sports import read_sport_ids

SPORT_IDS: Final = read_sport_ids(__package__)
API = "/desktop/feapi/PalimpsestAjax/"
SUCCESS = "OK"
OPEN = 1


class GroupEntry(msgspec.Struct, frozen=True, rename="upper", omit_defaults=True):
    """A league in the tree of sports; as an entry of a list it carries its own id."""

    g_desc: str | None = ""
    num: int | None = 0
    gid: int | None = None


class CountryEntry(msgspec.Struct, frozen=True, rename="upper"):
    """A country in the tree of sports, and its leagues by group id, which are read one by one."""

    sg_desc: str | None = ""
    g: dict[str, msgspec.Raw] | list[msgspec.Raw] | None = None
    num: int | None = 0


class SportEntry(msgspec.Struct, frozen=True, rename="upper", omit_defaults=True):
    """A sport in the tree of sports, and its countries; as an entry of a list it carries its own id."""

    s_desc: str | None = ""
    sg: dict[str, msgspec.Raw] | list[msgspec.Raw] | None = None
    num: int | None = 0
    sid: int | None = None


class SportsTree(msgspec.Struct, frozen=True, rename="upper"):
    """All sports by id."""

    pal: dict[str, msgspec.Raw] | list[msgspec.Raw] | None = None


class SportsAnswer(msgspec.Struct, frozen=True, rename="upper"):
    """The answer of `GetSports`."""

    r: str
    d: SportsTree | bool | str | list[msgspec.Raw] | None = None


class ListEvent(msgspec.Struct, frozen=True, rename="upper", omit_defaults=True):
    """An event of a group; a detail body holds the same fields.

    `startdate` is in UTC without saying so: "2026-05-06 11:00:00".
    """

    id: int
    ds: str
    startdate: str
    sid: int = 0
    s: str | None = ""
    sgid: int = 0
    sg: str | None = ""
    gid: int = 0
    gn: str | None = ""
    st: int = OPEN
    extid: str | int | None = None


class Group(msgspec.Struct, frozen=True, rename="upper", omit_defaults=True):
    """A league's events, as a list or by place."""

    gid: int = 0
    gn: str | None = ""
    sg: str | None = ""
    e: tuple[msgspec.Raw, ...] | dict[str, msgspec.Raw] | None = None


class GroupAnswer(msgspec.Struct, frozen=True, rename="upper"):
    """The answer of `GetEventsInGroupV2`."""

    r: str
    d: Group | bool | str | list[msgspec.Raw] | None = None


class DetailAnswer(msgspec.Struct, frozen=True, rename="upper"):
    """A detail body, read for what a list says of its event."""

    d: ListEvent
