"""Small single-event bodies in the three bookmakers' formats, to be varied by tests."""

import copy
import json
from datetime import UTC, datetime
from typing import Any

KICKOFF = datetime(2026, 5, 6, 11, 0, tzinfo=UTC)
BEFORE = datetime(2026, 5, 6, 10, 0, tzinfo=UTC)
AFTER = datetime(2026, 5, 6, 11, 30, tzinfo=UTC)

Json = Any


def encoded(body: Json) -> bytes:
    """Return a body as bytes."""
    return json.dumps(body).encode()


def sporty_outcome(outcome_id: str, odds: str, active: int = 1) -> Json:
    """Return a selection of SportyBet's."""
    return {"id": outcome_id, "odds": odds, "probability": "0.5", "isActive": active, "desc": "what it is"}


def sporty_market(market_id: str, outcomes: Json, /, **fields: Json) -> Json:
    """Return a market of SportyBet's; `outcomes` maps ids to odds."""
    listed = [sporty_outcome(outcome_id, odds) for outcome_id, odds in outcomes.items()]
    return {"id": market_id, "product": 3, "name": f"Market {market_id}", "status": 0, "outcomes": listed} | fields


def sporty_body(*markets: Json, **fields: Json) -> Json:
    """Return an answer of SportyBet's."""
    event = {
        "eventId": "sr:match:4711",
        "estimateStartTime": int(KICKOFF.timestamp() * 1000),
        "status": 0,
        "homeTeamName": "Harbour United",
        "awayTeamName": "Mill Town",
        "sport": {
            "id": "sr:sport:1",
            "name": "Football",
            "category": {"id": "c", "name": "Utopia", "tournament": {"id": "t", "name": "First League"}},
        },
        "markets": list(markets),
        "banned": False,
    }
    return {"bizCode": 10000, "message": "0#0", "data": event | fields}


def pawa_price(type_id: str, price: Json, **fields: Json) -> Json:
    """Return a selection of BetPawa's, version 3."""
    return {"id": "1", "typeId": type_id, "name": "1", "price": price, "suspended": False, "handicap": None} | fields


def pawa_row(prices: Json, handicap: int | None = None) -> Json:
    """Return a row of BetPawa's, version 3; `prices` maps price type ids to prices."""
    return {"handicap": handicap, "prices": [pawa_price(type_id, price) for type_id, price in prices.items()]}


def pawa_market(type_id: str, *rows: Json) -> Json:
    """Return a market of BetPawa's."""
    return {"marketType": {"id": type_id, "name": f"Market {type_id}", "tabs": ["all"]}, "row": list(rows)}


def pawa_body(*markets: Json, **fields: Json) -> Json:
    """Return an event of BetPawa's, version 3."""
    event = {
        "id": "33",
        "name": "Harbour United - Mill Town (n)",
        "widgets": [
            {"id": "99", "type": "GENIUSSPORTS", "retention": None},
            {"id": "4711", "type": "SPORTRADAR", "retention": "PREMATCH"},
        ],
        "participants": [
            {"id": "2", "name": "Mill Town", "position": 2},
            {"id": "1", "name": "Harbour United", "position": 1},
        ],
        "startTime": "2026-05-06T11:00:00Z",
        "category": {"id": "2", "name": "Football"},
        "region": {"id": "3", "name": "Utopia"},
        "competition": {"id": "4", "name": "First League"},
        "additionalInfo": {"live": False},
        "markets": list(markets),
    }
    return event | fields


def as_version_4(body: Json) -> Json:
    """Return BetPawa's event as version 4 has it: `odds`, and nothing that is null, false or an empty list."""

    def converted(value: Json) -> Json:
        if isinstance(value, list):
            return [converted(element) for element in value]
        if not isinstance(value, dict):
            return value
        kept = {name: converted(inner) for name, inner in value.items() if inner not in (None, [], {})}
        kept = {name: inner for name, inner in kept.items() if inner is not False}
        return {("odds" if name == "price" else name): inner for name, inner in kept.items()}

    return converted(copy.deepcopy(body))


def naija_body(odds: Json, **fields: Json) -> Json:
    """Return an answer of Bet9ja's."""
    event = {
        "ID": 55,
        "EXTID": "4711",
        "C": "12",
        "DS": "Harbour United - Mill Town",
        "STARTDATE": "2026-05-06 11:00:00",
        "SID": 1,
        "S": "Soccer",
        "SG": "Utopia",
        "GN": "First League",
        "ST": 1,
        "O": odds,
        "MK": [
            {"ID": base, "DS": f"Market {base} "}
            for base in sorted({key.rpartition("_")[0].partition("@")[0] for key in odds})
        ],
        "TRANS": {"M#S_1X2": {"NAME": "1X2", "DESC": "who wins"}},
    }
    return {"R": "OK", "D": event | fields}


def naija_live_body() -> Json:
    """Return an answer of Bet9ja's about an event in play."""
    header = {"ID": 56, "EXTID": "4711", "C": 12, "DS": "Harbour United - Mill Town", "SID": 3000001, "ST": 1}
    header |= {"STARTDATE": "2026-05-06 11:00:00", "GN": "Utopia - First League"}
    return {
        "R": "OK",
        "D": {"A": {"T": 91}, "AA": header, "O": {"LIVES_1X2_1": {"v": 1.85}, "LIVES_OU@2.0_O": {"v": 2}}},
    }
