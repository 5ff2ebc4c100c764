"""In what share of the orders in which so many goals can fall something happens; every order is as likely."""

from functools import cache
from math import comb


def led(ours: int, theirs: int, lead: int) -> float:
    """Return how likely a side once led by that much, given the final count (the reflection principle)."""
    if ours - theirs >= lead:
        return 1.0
    if ours < lead:
        return 0.0
    return comb(ours + theirs, theirs + lead) / comb(ours + theirs, ours)


@cache
def share_without_run(home: int, away: int, home_limit: int, away_limit: int) -> float:
    """Return the share of the orders of these goals in which neither side has so many in a row."""
    orders = _orders(home, away, home_limit, away_limit, True) + _orders(home, away, home_limit, away_limit, False)
    return orders / comb(home + away, home) if home + away else 1.0


@cache
def _orders(home: int, away: int, home_limit: int, away_limit: int, home_first: bool) -> int:  # noqa: FBT001 - whose run it is
    """Count the orders that begin with a run of one side shorter than its limit, followed by one of the other."""
    if not home and not away:
        return 1
    most = min(home, home_limit - 1) if home_first else min(away, away_limit - 1)
    count = 0
    for run in range(1, most + 1):
        left = (home - run, away) if home_first else (home, away - run)
        count += _orders(*left, home_limit, away_limit, not home_first) if any(left) else 1
    return count


@cache
def share_without_lead(home: int, away: int, home_limit: int, away_limit: int) -> float:
    """Return the share of the orders of these goals in which neither side leads by its limit."""
    if home - away >= home_limit or away - home >= away_limit:
        return 0.0
    if not home + away:
        return 1.0
    last_home = home * share_without_lead(home - 1, away, home_limit, away_limit) if home else 0.0
    last_away = away * share_without_lead(home, away - 1, home_limit, away_limit) if away else 0.0
    return (last_home + last_away) / (home + away)
