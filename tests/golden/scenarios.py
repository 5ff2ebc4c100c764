"""What is asked of the service, group by group; each group is a service of its own."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

import asyncpg
from sqlalchemy.engine import make_url

from overround.settings import SecuritySettings
from tests.golden.recorder import Answers, Recorder, read_messages
from tests.golden.service import SLUGS, Running, StandingClock, minted_key, running, simulated

_TICK = 300  # seconds

RECORDINGS = Path(__file__).parents[2] / "src/overround/simulator/recordings"
_MARKET: Sequence[str] = ("--seed", "48", "--events", "12", "--tick-seconds", "0")
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

ARSENAL: Final = 97000101
KANO: Final = 97000104
PARTLY_LISTED: Final = 97000106  # one bookmaker has it
TENNIS: Final = 97000301
BRENTFORD: Final = 40000000  # simulated

_EVENTS = "GET /api/events"
_DEAD_LETTERS = "/api/queue/dead-letters"
_BOARDS = (
    "GET /api/status",
    "GET /api/queue",
    "GET /api/bookmakers",
    "GET /api/scheduler",
    "GET /api/scrape/runs",
    "GET /api/coverage",
    "GET /api/markets/coverage?worst=50",
    "GET /api/markets/checks",
    "GET /api/listings/unmatched",
    "GET /api/listings/links",
    "GET /api/integrity",
    "GET /api/database",
    f"GET {_DEAD_LETTERS}",
    "GET /api/queue/held",
    "GET /health/live",
    "GET /health/ready",
)
_FIXED = ("GET /api/settings", "GET /api/keys", "GET /api/doctor", "GET /metrics", "GET /api/openapi.json")
_EVENT_LISTS = (
    _EVENTS,
    f"{_EVENTS}?limit=2&offset=1",
    f"{_EVENTS}?text=arsenal&markets=total_goals:line%3D1.5,total_goals:line%3D99.5",
    f"{_EVENTS}?sport=tennis&sport=basketball&markets=match_winner",
    f"{_EVENTS}?country=England&tournament=Premier%20League&markets=double_chance",
    f"{_EVENTS}?availability=all&markets=both_teams_to_score&limit=1",
    f"{_EVENTS}?availability=missing_reference&markets=match_result",
    f"{_EVENTS}?in_play=true",
    f"{_EVENTS}?sort=-margin&markets=match_result&limit=3",
    f"{_EVENTS}?sort=gap&markets=match_result&limit=3",
    f"{_EVENTS}?from=2026-10-03T14:00:00Z&to=2026-10-03T16:00:00Z&markets=match_result&limit=2",
    f"{_EVENTS}.csv",
    f"{_EVENTS}.csv?text=arsenal&markets=double_chance&sort=-kickoff",
    f"{_EVENTS}.csv?sport=football&country=England&tournament=Premier%20League&markets=match_result",
    f"{_EVENTS}.csv?from=2026-10-03T14:00:00Z&to=2026-10-03T16:00:00Z&availability=all&in_play=false&markets=match_result",
)
_REFUSED = (
    *(f"{_EVENTS}?{query}" for query in ("limit=501", "offset=-1", "sort=best", "availability=x", "in_play=perhaps")),
    f"{_EVENTS}?from=2026-01-01T00:00:00",
    f"{_EVENTS}.csv?sort=best",
    f"{_EVENTS}/4711",
    f"{_EVENTS}/nonsense",
    f"{_EVENTS}/4711/history",
    f"{_EVENTS}/{ARSENAL}/history?from=yesterday",
    "GET /api/listings/unmatched?limit=0",
    "DELETE /api/listings/betpawa/nowhere/link",
    f"DELETE /api/listings/betpawa/nowhere/link?reason={'x' * 501}",
    "GET /api/markets?limit=0",
    "GET /api/markets/nowhere",
    f"GET /api/markets/{'x' * 201}",
    "GET /api/markets/checks?limit=-1",
    "GET /api/markets/coverage?worst=-1",
    "POST /api/scrape/event/4711",
    "POST /api/scrape/event/nonsense",
    "GET /api/scrape/runs?limit=0",
    "GET /api/scrape/runs/4711",
    "GET /api/scrape/runs/nonsense",
    "GET /api/scrape/runs/4711/changes",
    "GET /api/scrape/runs/1/changes?limit=0",
    "POST /api/scrape/runs/4711/retry",
    "POST /api/scrape/runs/nonsense/retry",
    "POST /api/scrape/runs/1/retry",
    "GET /api/stream?events=x",
    f"GET /api/scrape/progress?cursor={'9' * 101}",
    f"GET {_DEAD_LETTERS}?limit=0",
    f"GET {_DEAD_LETTERS}/4711",
    f"GET {_DEAD_LETTERS}/0",
    "GET /api/nowhere",
    "PUT /api/events",
)

_UNFIT: Sequence[object] = (
    {"schedule": {"short_interval_seconds": 0}},
    {"schedule": {"short_interval_seconds": 600, "long_interval_seconds": 60}},
    {"bookmakers": {"nobody": {"enabled": True}}},
    {"bookmakers": {"bet9ja": {"base_url": "http://example.com"}}},
    [],
)

Group = Callable[[str, Path], Awaitable[Answers]]


async def recordings(database_url: str, data_dir: Path) -> Answers:
    """Ask about the recordings that ship with the package, before and after cycles."""
    async with simulated("--captures", str(RECORDINGS)) as simulator:
        clock = StandingClock(simulator.earliest_kickoff - timedelta(hours=1))
        async with running(database_url, data_dir, clock, simulator) as service:
            recorder = Recorder(service.api.session)
            recorder.step("at the start")
            await recorder.ask_all(*_BOARDS, *_FIXED, _EVENTS, f"{_EVENTS}.csv", "GET /api/docs")
            await service.cycle()
            recorder.step("after a cycle")
            await recorder.ask_all(*_EVENT_LISTS, *_BOARDS, *_FIXED)
            await _single_events(recorder)
            await _catalogue(recorder)
            await _streamed_image(recorder)
            await service.cycle()
            recorder.step("after a second cycle")
            await recorder.ask_all(*_BOARDS, f"{_EVENTS}?limit=1", "GET /api/scrape/runs/2", "POST /api/integrity")
            await recorder.ask_all("GET /api/scrape/runs?limit=1&before=2", "GET /api/scrape/runs/2/changes")
            await _refused(recorder)
            await _changed_by_hand(recorder, service)
            return recorder.answers


async def _single_events(recorder: Recorder) -> None:
    for sr_id in (ARSENAL, PARTLY_LISTED, TENNIS):
        await recorder.ask(f"{_EVENTS}/{sr_id}")
    whole = await recorder.ask(f"{_EVENTS}/{ARSENAL}?markets=double_chance")
    await recorder.ask(f"{_EVENTS}/{ARSENAL}?markets=double_chance", "unchanged", If_None_Match=whole.headers["ETag"])
    page = await recorder.ask(f"{_EVENTS}?limit=1", "compressed", Accept_Encoding="gzip")
    await recorder.ask(f"{_EVENTS}?limit=1", "unchanged", If_None_Match=page.headers["ETag"])
    await recorder.ask_all(
        f"{_EVENTS}/{ARSENAL}/history",
        f"{_EVENTS}/{ARSENAL}/history?markets=total_goals:line%3D2.5&bookmakers=betpawa,bet9ja",
        "GET /api/scrape/runs/1",
        "GET /api/scrape/runs/1/changes?limit=50&offset=0",
        "GET /api/markets/checks?limit=1",
        "GET /api/markets/coverage?worst=0",
        "GET /api/listings/unmatched?limit=1&offset=1",
    )


async def _catalogue(recorder: Recorder) -> None:
    await recorder.ask_all(
        "GET /api/markets",
        "GET /api/markets?limit=3&offset=7",
        "GET /api/markets?sport=tennis&group=main",
        "GET /api/markets/total_goals",
        "GET /api/markets/match_result",
    )


async def _streamed_image(recorder: Recorder) -> None:
    await recorder.follow(f"GET /api/stream?events={ARSENAL}&markets=match_result,double_chance", "image_end")
    await recorder.follow("GET /api/stream?tournaments=Premier%20League&markets=match_result", "image_end")
    await recorder.follow("GET /api/stream?country=England&markets=match_result", "image_end")
    await recorder.follow(f"GET /api/stream?events={ARSENAL}&markets=match_result&cursor=1.1.1", "image_end")
    await recorder.follow("GET /api/scrape/progress", "id")
    await recorder.follow("GET /api/scrape/progress?cursor=1.1", "id")


async def _refused(recorder: Recorder) -> None:
    recorder.step("refused")
    await recorder.ask_all(*_REFUSED)
    retry = f"POST {_DEAD_LETTERS}/retry"
    for body in ({}, {"ids": [1], "all": True}, {"ids": [0]}, {"everything": True}):
        await recorder.ask(retry, body=body)
    await recorder.ask(f"POST {_DEAD_LETTERS}/drop", body={})
    for verb in ("retry", "drop"):
        await recorder.ask(f"POST /api/queue/held/{verb}", body={"bookmaker": "betpawa"})
        await recorder.ask(f"POST /api/queue/held/{verb}", body={"bookmaker": ""})
    await recorder.ask("PUT /api/listings/betpawa/nowhere/link", body={"sr_id": ARSENAL, "reason": "a test"})
    await recorder.ask("PUT /api/listings/betpawa/nowhere/link", body={"sr_id": 0, "reason": ""})
    for change in _UNFIT:
        await recorder.ask("PUT /api/settings", body=change)
    await recorder.ask("GET /api/events", "of another host", Host="evil.example")
    await recorder.ask("POST /api/scheduler/pause", "of another page", Origin="https://evil.example")
    await recorder.ask("GET /api/events", "with too many headers", **{f"X_{number}": "x" * 5000 for number in range(8)})
    await recorder.ask_raw("POST /api/queue/dead-letters/retry", "not JSON", b"{")
    await recorder.ask_raw("POST /api/queue/dead-letters/retry", "not UTF-8", b"\xff")
    await recorder.ask_raw("POST /api/queue/dead-letters/retry", "too large", b"[" * 300_000)
    await recorder.ask_raw(f"GET /api/events?text={'x' * 20_000}", "too long", b"", name="GET /api/events?text=...")


async def _changed_by_hand(recorder: Recorder, service: Running) -> None:
    recorder.step("changed by hand")
    await recorder.ask_all("POST /api/scheduler/pause", "GET /api/scheduler", "POST /api/scheduler/resume")
    change: Mapping[str, object] = {
        "schedule": {"short_interval_seconds": 90},
        "bookmakers": {"bet9ja": {"concurrency": 3, "requests_per_minute": 600}, "sportybet": {"enabled": False}},
        "retention": {"odds_snapshots_days": 30},
    }
    await recorder.ask("PUT /api/settings", body=change)
    await recorder.ask_all("GET /api/settings", "GET /api/bookmakers", f"{_EVENTS}?limit=1&markets=match_result")
    await recorder.ask("PUT /api/settings", body={"bookmakers": {"sportybet": {"enabled": None}}})
    await recorder.ask(
        f"PUT /api/listings/betpawa/{await _listing(service)}/link", body={"sr_id": ARSENAL, "reason": "a test"}
    )
    await recorder.ask("GET /api/listings/links")
    await recorder.ask(f"DELETE /api/listings/betpawa/{await _listing(service)}/link?reason=a%20test")
    service.clock.advance(30)
    await recorder.ask(f"POST /api/scrape/event/{ARSENAL}")
    await recorder.ask(f"POST /api/scrape/event/{ARSENAL}", "at once")
    # One request a minute: the run is under way for as long as the test lasts.
    await recorder.ask("PUT /api/settings", body={"bookmakers": {"bet9ja": {"requests_per_minute": 1}}})
    await recorder.ask("POST /api/scrape/start")
    await recorder.ask("POST /api/scrape/start", "at once")


async def _listing(service: Running) -> str:
    page = await service.api.get("/api/events?text=arsenal")
    return str(page["events"][0]["bookmakers"]["betpawa"]["listing_id"])


async def market(database_url: str, data_dir: Path) -> Answers:
    """Ask about a simulated market that moves, fails in part, and has rows that the database refuses."""
    await _refuse_event(database_url, BRENTFORD)
    async with (
        simulated(*_MARKET, "--epoch", _EPOCH.isoformat()) as simulator,
        running(database_url, data_dir, StandingClock(_EPOCH), simulator) as service,
    ):
        recorder = Recorder(service.api.session)
        await service.cycle(tick=0, seconds=_TICK)
        recorder.step("at tick 0")
        await recorder.ask_all(f"{_EVENTS}?limit=2", f"{_EVENTS}/{BRENTFORD}", *_BOARDS, "GET /api/doctor")
        stream = f"GET /api/stream?events={BRENTFORD}&markets=match_result"
        cursor = await recorder.follow(stream, "image_end")
        await _followed_cycle(recorder, service)
        await _resumed(recorder, service, cursor)
        await _dead_letters(recorder, service, database_url)
        recorder.step("after moves")
        for tick in range(2, 7):
            await service.cycle(tick=tick, seconds=_TICK)
        await recorder.ask_all(f"{_EVENTS}?limit=3", *_BOARDS)
        await _histories(recorder)
        await _faults(recorder, service)
        return recorder.answers


async def _refuse_event(database_url: str, sr_id: int) -> None:
    await _execute(
        database_url, f"alter table latest_odds add constraint golden check (event_id <> {sr_id} or bookmaker_id <> 1)"
    )


async def _execute(database_url: str, statement: str) -> None:
    address = make_url(database_url).set(drivername="postgresql")
    connection = await asyncpg.connect(address.render_as_string(hide_password=False))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _followed_cycle(recorder: Recorder, service: Running) -> None:
    """Follow a cycle's progress; how often sums are told in between depends on the time it takes."""
    recorder.step("at tick 1")
    async with service.api.session.get("/api/scrape/progress") as response:
        await read_messages(response, {"id"})
        await service.cycle(tick=1, seconds=_TICK)
        messages = await read_messages(response, {"run_finished"})
    sums = [message for message in messages if message.get("event") == "progress"]
    told = [message for message in messages if message.get("event") != "progress"]
    recorder.keep_messages("GET /api/scrape/progress", [*told, sums[-1]], "during the cycle; sums last")
    await recorder.ask_all("GET /api/scrape/runs", f"{_EVENTS}?limit=1&markets=match_result")


async def _resumed(recorder: Recorder, service: Running, cursor: str) -> None:
    """Go on behind an image: each bookmaker's prices have been changed or confirmed since."""
    path = f"/api/stream?events={BRENTFORD}"
    async with service.api.session.get(path, headers={"Last-Event-ID": cursor}) as response:
        messages = await read_messages(response, {"delta", "confirmed"}, count=len(SLUGS))
    recorder.keep_messages(f"GET {path}", messages, "resumed")
    await recorder.until_nobody_follows()


async def _dead_letters(recorder: Recorder, service: Running, database_url: str) -> None:
    recorder.step("dead letters")
    await recorder.ask_all(f"GET {_DEAD_LETTERS}", f"GET {_DEAD_LETTERS}?after=1&limit=1", f"GET {_DEAD_LETTERS}/1")
    await recorder.ask(f"POST {_DEAD_LETTERS}/drop", body={"ids": [2, 99]})
    await _execute(database_url, "alter table latest_odds drop constraint golden")
    await recorder.ask(f"POST {_DEAD_LETTERS}/retry", body={"ids": [1, 99]})
    await service.cycle(tick=1, seconds=_TICK)
    await recorder.ask(f"POST {_DEAD_LETTERS}/retry", body={"all": True})
    await service.cycle(tick=1, seconds=_TICK)
    await recorder.ask(f"GET {_DEAD_LETTERS}", "after retrying")


async def _histories(recorder: Recorder) -> None:
    path = f"{_EVENTS}/{BRENTFORD + 1}/history"
    since, until = (quote((_EPOCH + timedelta(minutes=minutes)).isoformat()) for minutes in (12, 32))
    await recorder.ask_all(
        path,
        f"{path}?markets=match_result,double_chance&bookmakers=bet9ja,sportybet&from={since}&to={until}",
        f"{path}?as_of={since}&markets=match_result",
        f"{_EVENTS}/{BRENTFORD + 4}/history?as_of={until}",
    )


async def _faults(recorder: Recorder, service: Running) -> None:
    assert service.simulator is not None
    faults = (
        {"name": "wrong_schema", "bookmakers": ["bet9ja"], "share": 0.4},
        {"name": "failing_league", "bookmakers": ["sportybet"], "share": 0.6},
    )
    await service.simulator.control("faults", {"faults": faults})
    await service.cycle(tick=7, seconds=_TICK)
    recorder.step("with faults")
    newest = (await service.api.get("/api/scrape/runs?limit=1"))["runs"][0]["run_id"]
    await recorder.ask_all("GET /api/scrape/runs?limit=1", f"GET /api/scrape/runs/{newest}", "GET /api/bookmakers")
    await recorder.ask_all(_EVENTS, "GET /api/status")
    await service.simulator.control("faults", {"faults": []})
    await recorder.ask(f"POST /api/scrape/runs/{newest}/retry")


async def keys_needed(database_url: str, data_dir: Path) -> Answers:
    """Ask a service that needs a key, with each kind of key and with none."""
    reader, operator = [await minted_key(database_url, name, name) for name in ("read", "operate")]
    security = SecuritySettings(require_key=True, refusals_per_minute=30)
    async with running(database_url, data_dir, StandingClock(_EPOCH), security=security) as service:
        recorder = Recorder(service.api.session)
        reading, operating = (f"Bearer {key}" for key in (reader, operator))
        await recorder.ask_all(_EVENTS, "GET /health/live", "POST /api/scheduler/pause")
        await recorder.ask(_EVENTS, "with a wrong key", Authorization="Bearer nonsense")
        await recorder.ask("GET /api/status", "reading", Authorization=reading)
        await recorder.ask("GET /api/keys", "reading", Authorization=reading)
        await recorder.ask("POST /api/scheduler/pause", "reading", Authorization=reading)
        await recorder.ask("POST /api/scheduler/pause", "operating", Authorization=operating)
        await recorder.ask("POST /api/session", body={"key": "nonsense"})
        await recorder.ask("POST /api/session", body={"key": 1})
        session = await recorder.ask("POST /api/session", "with a key", body={"key": reader})
        cookie = session.headers["Set-Cookie"].partition(";")[0]
        await recorder.ask("GET /api/status", "in a session", Cookie=cookie)
        await recorder.ask("DELETE /api/session", "in a session", Cookie=cookie)
        await recorder.ask("GET /api/status", "after the session", Cookie=cookie)
        await recorder.ask_until(429, "GET /api/status")
        return recorder.answers


async def database_away(_: str, data_dir: Path) -> Answers:
    """Ask a service whose database does not answer."""
    away = f"postgresql+asyncpg://overround@/overround?host={data_dir}"
    async with running(away, data_dir, StandingClock(_EPOCH)) as service:
        recorder = Recorder(service.api.session)
        await recorder.ask_all(
            "GET /health/live",
            "GET /health/ready",
            "GET /api/status",
            _EVENTS,
            f"{_EVENTS}/{ARSENAL}/history",
            "GET /api/database",
            "GET /api/keys",
            "GET /api/integrity",
            f"GET {_DEAD_LETTERS}",
            f"GET {_DEAD_LETTERS}/1",
            "GET /api/scrape/runs/1/changes",
        )
        await recorder.ask(f"POST {_DEAD_LETTERS}/retry", body={"all": True})
        await recorder.ask(f"POST {_DEAD_LETTERS}/drop", body={"all": True})
        await recorder.ask("PUT /api/settings", body={"schedule": {"short_interval_seconds": 90}})
    security = SecuritySettings(require_key=True)
    async with running(away, data_dir, StandingClock(_EPOCH), security=security) as service:
        recorder = Recorder(service.api.session, recorder.answers)
        recorder.step("where a key is needed")
        await recorder.ask(
            _EVENTS, "with a key", Authorization="Bearer ork_0f3a9c21_7mGv0q6tq5b1X2yU8rQn4cE9dLs3WzKfTj"
        )
        return recorder.answers


GROUPS: Mapping[str, Group] = MappingProxyType(
    {"recordings": recordings, "market": market, "keys_needed": keys_needed, "database_away": database_away}
)
