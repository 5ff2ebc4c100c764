"""Compares a bookmaker's ledger with what the database holds: the judge stands outside the service on both sides."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import pairwise

import asyncpg
import msgspec

from overround.db.embedded import DATABASE, USER
from tests.crash.bookie import Bookie

_HISTORY = """
select event_id, price from price_history
where bookmaker = 'betpawa' and market = 'match_result' and outcome = 'home' order by event_id, epoch, seq
"""
_REIGNS = """
select event_id, price, epoch from price_history
where market = 'match_result' and outcome = 'home' order by event_id, epoch, seq
"""
_LATEST = """
select event_id, price from prices where bookmaker = 'betpawa' and market = 'match_result' and outcome = 'home'
"""

Prices = Mapping[int, Sequence[int]]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What was served and what is stored, in prices; `lost`, `doubled`, `invented` and `wrong_latest` have to be 0.

    `lost` were served and are in the history of no event at their place; `invented` are there and were
    never served; `doubled` follow themselves; `wrong_latest` are events whose latest price is not the
    newest served.
    """

    served: int
    stored: int
    lost: int
    doubled: int
    invented: int
    wrong_latest: int


async def account(sockets: str, bookie: Bookie) -> Account:
    """Compare what a bookmaker served with a database, which `sockets` leads to."""
    connection = await asyncpg.connect(host=sockets, user=USER, database=DATABASE)
    try:
        stored = _by_event(await connection.fetch(_HISTORY))
        latest = _by_event(await connection.fetch(_LATEST))
    finally:
        await connection.close()
    return compared(bookie.steps(), stored, latest)


def compared(served: Prices, stored: Prices, latest: Prices) -> Account:
    """Compare the steps of each event's price with its history and its latest price."""
    steps = {event: _without_repetitions(prices) for event, prices in stored.items()}
    common = {event: _longest_common(prices, steps.get(event, [])) for event, prices in served.items()}
    return Account(
        served=sum(map(len, served.values())),
        stored=sum(map(len, stored.values())),
        lost=sum(len(prices) - common[event] for event, prices in served.items()),
        doubled=sum(a == b for prices in stored.values() for a, b in pairwise(prices)),
        invented=sum(len(prices) - common.get(event, 0) for event, prices in steps.items()),
        wrong_latest=sum(latest.get(event) != [prices[-1]] for event, prices in served.items()),
    )


async def account_of_two(sockets: str, bookie: Bookie) -> Account:
    """Compare what a bookmaker served to two services at once, which stand in history one after the other.

    Its prices must never repeat. `invented` counts the steps back within one reign too.
    """
    connection = await asyncpg.connect(host=sockets, user=USER, database=DATABASE)
    try:
        rows = [(event, int(price * 1000), epoch) for event, price, epoch in await connection.fetch(_REIGNS)]
        latest = _by_event(await connection.fetch(_LATEST))
    finally:
        await connection.close()
    served = {(one.event, one.price) for one in bookie.ledger}
    stored = [(event, price) for event, price, _ in rows]
    back = sum(a[0] == b[0] and a[2] == b[2] and a[1] > b[1] for a, b in pairwise(rows))
    return Account(
        served=len(served),
        stored=len(stored),
        lost=len(served - set(stored)),
        doubled=len(stored) - len(set(stored)),
        invented=len(set(stored) - served) + back,
        wrong_latest=sum(latest.get(event) != [prices[-1]] for event, prices in bookie.steps().items()),
    )


def _by_event(rows: Iterable[tuple[int, Decimal]]) -> Prices:
    prices: dict[int, list[int]] = defaultdict(list)
    for event, price in rows:
        prices[event].append(int(price * 1000))
    return prices


def _without_repetitions(prices: Sequence[int]) -> Sequence[int]:
    return [price for place, price in enumerate(prices) if place == 0 or prices[place - 1] != price]


def _longest_common(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many prices two sequences share in the same order."""
    row = [0] * (len(second) + 1)
    for one in first:
        before = 0
        for place, other in enumerate(second, 1):
            above = row[place]
            row[place] = before + 1 if one == other else max(above, row[place - 1])
            before = above
    return row[-1]
