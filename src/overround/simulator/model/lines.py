"""Which lines a market is offered at: around what is expected, nearest first."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from types import MappingProxyType

from overround.bookmakers.kit.rendering import PLAYER
from overround.catalogue import Market
from overround.records.odds import canonical_line
from overround.simulator.model.leagues import FOOTBALL

LINE, HANDICAP, AT_LEAST = "line", "handicap", "at_least"
AROUND = frozenset((LINE, HANDICAP, AT_LEAST))
"""The specifiers whose values are laid around what is expected."""
_QUARTERS = 4
_HALF, _WHOLE = 2, 4
_PLAIN_LINES = 9
_MOST_LINES = 15
# What bookmakers number markets by, or state beside a line, and how far.
_LISTED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "goal": ("1", "2", "3"),
        "corner": ("1", "2", "3"),
        "booking": ("1", "2"),
        "minute": ("10", "15", "20", "30", "60"),
        "score": ("0:0",),
        "first_line": ("0.5", "1.5"),
        "second_line": ("0.5", "1.5"),
        "team": ("home", "away"),
        "quarter": ("1", "2", "3", "4"),
        "set": ("1", "2"),
        PLAYER: tuple(f"#{number}" for number in range(12)),
    }
)
_SET_SCORES = ("2:0", "0:2")
_PLAYERS = (
    "abubakar", "adeyemi", "alvarez", "andersen", "bakker", "balde", "barros", "becker", "carvalho", "costa", "diallo",
    "dubois", "eriksen", "fernandes", "fischer", "garcia", "gomes", "hansen", "ibrahim", "jensen", "johnson", "kamara",
    "keita", "kovac", "lopez", "martin", "mensah", "moreno", "muller", "novak", "nwosu", "okafor", "olsen", "osei",
    "pereira", "popescu", "ramos", "rossi", "santos", "schmidt", "silva", "smith", "suzuki", "toure", "traore", "weber",
)  # fmt: skip


def listed(market: Market, specifier: str) -> tuple[str, ...]:
    """Return the values of a specifier that is not laid around anything; none if they are not known."""
    if specifier == "score" and market.meaning.counts == "sets":
        return _SET_SCORES
    return _LISTED.get(specifier, ())


def lines_of(market: Market) -> int:
    """Return how many lines a market can have: in sets there is one that both sides can win."""
    if market.meaning.counts == "sets":
        return 1
    return _MOST_LINES if market.sport == FOOTBALL else _PLAIN_LINES


def named(value: str, roster: int) -> str:
    """Return a listed value as it is in one match: a player's number by his name."""
    return _PLAYERS[(roster + 7 * int(value[1:])) % len(_PLAYERS)] if value.startswith("#") else value


def value(rank: int, middle: int, *, whole: bool, least: int) -> str | None:
    """Return a market's line of that rank, from 0, nearest the middle first.

    `middle` and `least` are in quarters; `whole`: lines are whole numbers, and 0 is none. None beyond the last.
    """
    quarters = _nth(_whole_lines(middle) if whole else _half_lines(middle), rank, least)
    return None if quarters is None else _text(quarters)


def middle_for(market: Market, around: str, home: float, away: float) -> int:
    """Return the line at which both sides of a bet on counts are about as likely, in quarters."""
    if around == HANDICAP:
        return _HALF * round((away - home) * 2)
    side = _side(market.key, market.meaning.side, whole=not market.parts)
    mean = home if side == "home" else away if side == "away" else home + away
    return _QUARTERS * int(mean) + _HALF


@cache
def _side(key: str, side: str, *, whole: bool) -> str:
    """Return whose count a line is on: where the meaning names no side, the key may."""
    if side != "match" or not whole:
        return side
    words = key.split("_")
    return next((word for word in ("home", "away") if word in words and f"{word}_or" not in key), side)


def _nth(lines: Iterator[int], rank: int, least: int) -> int | None:
    for _ in range(4 * _MOST_LINES):
        line = next(lines)
        if line >= least:
            if not rank:
                return line
            rank -= 1
    return None


def _half_lines(middle: int) -> Iterator[int]:
    """Yield lines on the half around the middle, then those between."""
    start = middle - middle % _WHOLE + _HALF
    yield from _around(start, _WHOLE, _PLAIN_LINES)
    yield from _around(start + _HALF, _WHOLE, _PLAIN_LINES)
    yield from _around(start + 1, _HALF, 4 * _MOST_LINES)


def _whole_lines(middle: int) -> Iterator[int]:
    start = _WHOLE * round(middle / _WHOLE)
    yield from (line for line in _around(start, _WHOLE, 4 * _MOST_LINES) if line)


def _around(start: int, step: int, count: int) -> Iterator[int]:
    yield start
    for distance in range(1, count // 2 + 1):
        yield start + distance * step
        yield start - distance * step


@cache
def _text(quarters: int) -> str:
    return canonical_line(str(Decimal(quarters) / _QUARTERS))
