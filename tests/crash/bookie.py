"""A bookmaker on loopback, outside the service: it writes down every price that it has served."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
from aiohttp import web

from overround.clock import SystemClock

FIRST_EVENT = 5_000_000  # the SportRadar number of the first event
_FIRST_LISTING = 1000
_LEAGUE = 40  # events
_REPEATED = (2000, 2500)
_HOME = ("3744", "1")
_OTHERS = (("3745", "X", 4.0), ("3746", "2", 6.0))


class Tariff(StrEnum):
    """How the home price of an event goes on from one answer to the next."""

    RISING = "rising"  # never the same price twice
    REPEATING = "repeating"  # A, B, A, B
    FROZEN = "frozen"  # as it was last


class Served(msgspec.Struct, frozen=True):
    """One answer that was wholly written: when (aware UTC), of which event, with which price in thousandths."""

    at: datetime
    event: int
    price: int


class Bookie:
    """Serves events with one market in BetPawa's form, and keeps the ledger of it.

    `tariff` and `names` may be changed while it serves; `names` holds two for each event, home and away.
    """

    def __init__(
        self,
        events: int = 60,
        tariff: Tariff = Tariff.RISING,
        names: Sequence[str] = (),
        kickoff: datetime | None = None,
    ) -> None:
        self.events = events
        self.tariff = tariff
        self.names = names
        self.ledger: list[Served] = []
        self._clock = SystemClock()
        self._kickoff = kickoff or self._clock.now() + timedelta(hours=5)
        self._answers: Counter[int] = Counter()
        self._prices: dict[int, int] = {}
        self._grown = asyncio.Event()

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[Mapping[str, str]]:
        """Serve on loopback; yield the settings, as environment, of a service that asks nobody else."""
        app = web.Application()
        app.router.add_get("/api/sportsbook/v4/categories/list/{sport}", self._categories)
        app.router.add_get("/api/sportsbook/v4/events/lists/by-queries", self._list)
        app.router.add_get("/api/sportsbook/v4/events/{listing}", self._event)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        try:
            await site.start()
            yield _settings(runner.addresses[0][1])
        finally:
            await runner.cleanup()

    async def more(self, answers: int) -> None:
        """Wait until so many further answers were served."""
        target = len(self.ledger) + answers
        while len(self.ledger) < target:
            self._grown.clear()
            await self._grown.wait()

    def steps(self) -> Mapping[int, Sequence[int]]:
        """Return the prices of each event in the order of serving, without repetitions of the one before."""
        steps: dict[int, list[int]] = defaultdict(list)
        for served in self.ledger:
            prices = steps[served.event]
            if not prices or prices[-1] != served.price:
                prices.append(served.price)
        return steps

    def _next_price(self, number: int) -> int:
        """Return the next price of an event: it moves with the answers, so that two of them never share one."""
        if self.tariff is not Tariff.FROZEN or number not in self._prices:
            self._answers[number] += 1
            count = self._answers[number]
            repeated = self.tariff is Tariff.REPEATING
            self._prices[number] = _REPEATED[count % len(_REPEATED)] if repeated else 1010 + 10 * count
        return self._prices[number]

    def _described(self, number: int) -> dict[str, Any]:
        home, away = self._teams(number)
        return {
            "id": str(_FIRST_LISTING + number),
            "name": f"{home} - {away}",
            "widgets": [{"id": str(FIRST_EVENT + number), "type": "SPORTRADAR", "retention": "PREMATCH"}],
            "participants": [
                {"id": str(2 * number), "name": home, "position": 1},
                {"id": str(2 * number + 1), "name": away, "position": 2},
            ],
            "startTime": f"{self._kickoff + timedelta(minutes=number % 60):%Y-%m-%dT%H:%M:%SZ}",
            "category": {"id": "2", "name": "Football"},
            "region": {"id": "5", "name": "England"},
            "competition": {"id": str(100 + number // _LEAGUE), "name": f"League {number // _LEAGUE}"},
        }

    def _teams(self, number: int) -> tuple[str, str]:
        if not self.names:
            return f"Home {number}", f"Away {number}"
        return self.names[2 * number % len(self.names)], self.names[(2 * number + 1) % len(self.names)]

    async def _categories(self, request: web.Request) -> web.Response:
        if request.match_info["sport"] != "2":
            return web.json_response({"withRegions": []})
        leagues = [
            {
                "competition": {"id": str(100 + first // _LEAGUE), "name": f"League {first // _LEAGUE}"},
                "eventCounts": {"upcoming": min(_LEAGUE, self.events - first)},
            }
            for first in range(0, self.events, _LEAGUE)
        ]
        region = {"region": {"id": "5", "name": "England"}, "competitions": leagues}
        return web.json_response({"withRegions": [{"category": {"id": "2", "name": "Football"}, "regions": [region]}]})

    async def _list(self, request: web.Request) -> web.Response:
        query = json.loads(request.query["q"])["queries"][0]
        first = (int(query["query"]["zones"]["competitions"][0]) - 100) * _LEAGUE
        numbers = range(first, min(self.events, first + _LEAGUE)) if query["skip"] == 0 else ()
        return web.json_response({"responses": [{"responses": [self._described(one) for one in numbers]}]})

    async def _event(self, request: web.Request) -> web.StreamResponse:
        number = int(request.match_info["listing"]) - _FIRST_LISTING
        price = self._next_price(number)
        body = json.dumps({**self._described(number), "markets": [_market(price)]}).encode()
        response = web.Response(body=body, content_type="application/json")
        await response.prepare(request)
        await response.write_eof()
        self.ledger.append(Served(self._clock.now(), FIRST_EVENT + number, price))
        self._grown.set()
        return response


def _market(price: int) -> dict[str, Any]:
    outcomes = [(*_HOME, price / 1000), *_OTHERS]
    prices = [
        {"id": str(place), "name": name, "typeId": type_id, "odds": odds, "displayName": name}
        for place, (type_id, name, odds) in enumerate(outcomes, 1)
    ]
    market_type = {"id": "3743", "name": "1X2 - FT", "displayName": "1X2 | Full Time", "priority": 1, "tabs": ["all"]}
    return {"marketType": market_type, "row": [{"id": "1", "prices": prices}]}


def _settings(port: int) -> Mapping[str, str]:
    return {
        "OVERROUND_BOOKMAKERS__BETPAWA__BASE_URL": f"http://127.0.0.1:{port}",
        "OVERROUND_BOOKMAKERS__BETPAWA__MIN_INTERVAL_MS": "0",
        "OVERROUND_BOOKMAKERS__BETPAWA__CONCURRENCY": "20",
        "OVERROUND_BOOKMAKERS__SPORTYBET__ENABLED": "false",
        "OVERROUND_BOOKMAKERS__BET9JA__ENABLED": "false",
        "OVERROUND_SCHEDULE__NEAR_KICKOFF": "P14D",
    }
