"""The drills of poison: content of one bookmaker that the database refuses, judged by that bookmaker's ledger."""

import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import asyncpg
import msgspec

from overround.clock import SystemClock
from overround.db.embedded import DATABASE, USER
from tests.crash.account import Account, account
from tests.crash.bookie import Bookie, Tariff
from tests.crash.service import ServiceProcess, Site, ledger_site, site
from tests.crash.table import Row

_EVENTS = 50
_CYCLES = 4 * _EVENTS  # answers
_NOTICED_WITHIN = 10.0  # seconds, by the service; the machine's own delays come on top
_PATIENCE = 60.0  # seconds
_REFUSAL = "alter table latest_odds add constraint refused check (bookmaker_id <> 1) not valid"
_MENDED = "alter table latest_odds drop constraint refused"
_BY_BOOKMAKER = """
select b.slug, count(*) from odds_snapshots as o join bookmakers as b on b.id = o.bookmaker_id group by b.slug
"""


async def nul_in_names(percent: int, *, others: bool) -> Row:
    """Let a bookmaker send a NUL in part of its names, mend them after a kill, and compare what it served."""
    bad = 2 * _EVENTS * percent // 100
    bookie = Bookie(_EVENTS, names=[f"Ba\0d{at}" if at < bad else f"Good{at}" for at in range(2 * _EVENTS)])
    async with _place(bookie, others=others) as place:
        async with place.service() as service:
            await service.ready()
            await bookie.more(_CYCLES)
            late = await _noticed(service, "texts_cleaned")
            await _killed_at_rest(service, bookie)
        async with place.service() as service:
            await _served_again(service, bookie)
            bookie.names = ()
            await bookie.more(_CYCLES)
            await service.end(signal.SIGTERM)
        found, stored = await _delivered(place, bookie)
    return _row(found, stored, f"NUL in {percent} % of the names", {"names with a NUL": bad}, late, others=others)


async def refused_content(*, others: bool) -> Row:
    """Let the database refuse one bookmaker's content for a while, a restart included; then all of it is written."""
    bookie = Bookie(_EVENTS)
    async with _place(bookie, others=others) as place:
        async with place.service() as service:
            await service.ready()
            await _execute(place, _REFUSAL)
            await bookie.more(_CYCLES)
            late = await _noticed(service, "rows_held")
            before = await _stored(place)
            await bookie.more(_CYCLES)
            await service.until("/api/queue", lambda status, answer: status == 200 and answer["pending"] < 20)
            after = await _stored(place)
            still = [slug for slug in _slugs(others=others) if after.get(slug, 0) <= before.get(slug, 0)]
            await _killed_at_rest(service, bookie)
        async with place.service() as service:
            await _served_again(service, bookie)
            await _execute(place, _MENDED)
            await service.until("/api/queue/held", lambda status, _: status == 200)
            await _post(service, "/api/queue/held/retry", {"bookmaker": "betpawa"})
            await service.until("/api/queue/held", lambda _, answer: bool(answer) and not answer["bookmakers"])
            await _post(service, "/api/queue/dead-letters/retry", {"all": True})
            await bookie.more(_CYCLES)
            await service.end(signal.SIGTERM)
        found, stored = await _delivered(place, bookie)
    if still != ["betpawa"]:
        late = f"{late} standing still meanwhile: {', '.join(still)}".strip()
    return _row(found, stored, "content refused for a while", {"constraint": 1}, late, others=others)


async def _killed_at_rest(service: ServiceProcess, bookie: Bookie) -> None:
    """Kill a service while no price moves: one that was served, and not acknowledged, is served again."""
    bookie.tariff = Tariff.FROZEN
    await service.end(signal.SIGKILL)


async def _served_again(service: ServiceProcess, bookie: Bookie) -> None:
    """Let every price be asked for again, and then move on."""
    await service.ready()
    await bookie.more(_CYCLES)
    bookie.tariff = Tariff.RISING
    await bookie.more(_CYCLES)


@asynccontextmanager
async def _place(bookie: Bookie, *, others: bool) -> AsyncIterator[Site]:
    """Set up a place whose services ask a bookmaker with a ledger, and two others where they are to."""
    async with AsyncExitStack() as stack:
        if not others:
            yield await stack.enter_async_context(ledger_site(bookie))
            return
        place = await stack.enter_async_context(site())
        settings = dict(await stack.enter_async_context(bookie.serving()))
        for slug in "SPORTYBET", "BET9JA":
            settings[f"OVERROUND_BOOKMAKERS__{slug}__ENABLED"] = "true"
        yield msgspec.structs.replace(place, settings=settings)


async def _noticed(service: ServiceProcess, code: str) -> str:
    """Return what is wrong with how soon and how `/health/ready` names the bookmaker."""
    clock = SystemClock()
    began = clock.monotonic()
    answer = await service.until(
        "/health/ready",
        lambda _, answer: bool(answer) and code in [one["code"] for one in answer["reasons"]],
        _PATIENCE,
    )
    faults = {
        f"noticed after {clock.monotonic() - began:.0f} s": clock.monotonic() - began > _NOTICED_WITHIN,
        f"status {answer['status']}": answer["status"] != "degraded",
        "the bookmaker is not named": [one["bookmaker"] for one in answer["reasons"] if one["code"] == code]
        != ["betpawa"],
    }
    return ", ".join(fault for fault, present in faults.items() if present)


async def _delivered(place: Site, bookie: Bookie) -> tuple[Account, Mapping[str, int]]:
    async with place.service(cycles=False) as service:
        await service.ready()
        await service.drained()
        found, stored = await account(place.embedded, bookie), await _stored(place)
        await service.end(signal.SIGTERM)
    return found, stored


async def _post(service: ServiceProcess, path: str, body: Mapping[str, Any]) -> None:
    url = f"http://127.0.0.1:{service.port}{path}"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        assert response.status < 300, await response.text()


async def _execute(place: Site, statement: str) -> None:
    connection = await asyncpg.connect(host=place.embedded, user=USER, database=DATABASE)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _stored(place: Site) -> Mapping[str, int]:
    connection = await asyncpg.connect(host=place.embedded, user=USER, database=DATABASE)
    try:
        return dict(await connection.fetch(_BY_BOOKMAKER))
    finally:
        await connection.close()


def _slugs(*, others: bool) -> tuple[str, ...]:
    return ("betpawa", "sportybet", "bet9ja") if others else ("betpawa",)


def _row(
    found: Account, stored: Mapping[str, int], drill: str, faults: dict[str, int], late: str, *, others: bool
) -> Row:
    broken = [late, *(f"nothing of {slug}" for slug in _slugs(others=others) if slug not in stored)]
    if found.wrong_latest or found.invented:
        broken.append(f"{found.wrong_latest} wrong latest prices, {found.invented} invented")
    return Row(
        promise="P27",
        drill=f"{drill}, {'two healthy bookmakers' if others else 'no other bookmaker'}",
        trials=f"{found.served:,} prices served, {found.stored:,} stored",
        faults=faults,
        lost=found.lost,
        doubled=found.doubled,
        broken=", ".join(filter(None, broken)),
    )
