"""The drill of crowded connections: what streams and idle clients take from the journal, judged by the ledger."""

import asyncio
import contextlib
import resource
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType

import aiohttp
import msgspec

from overround.clock import SystemClock
from tests.crash.account import account
from tests.crash.bookie import Bookie
from tests.crash.service import ServiceProcess, ledger_site
from tests.crash.table import Row

_EVENTS = 10
_SILENT, _HALF_HEADED = 1224, 100
_PATIENCE = 15.0  # seconds that the service gives
_SLACK = 10.0  # seconds, on a machine that has much else to do
_AT_ONCE = 100
_ANSWERED_WITHIN = 30.0  # seconds, each client
_HEAD = b"GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
_HALF = b"GET /api/events HTTP/1.1\r\nHost: 127.0"
_OWN_DESCRIPTORS = 8192
_ALL_SEATS = 1000
_JOURNAL: Mapping[str, str] = MappingProxyType(
    {"OVERROUND_QUEUE__MAX_BYTES": str(1 << 30)}
)  # as by default: each segment takes a descriptor


class Client:
    """A client of the stream that reads its answer's head, and the rest only if it is a reader."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
        self._reader = reader
        self._writer = writer
        self.served = head.startswith(b"HTTP/1.1 200")
        self.refused = b"too_many_streams" in head
        self._reading: asyncio.Task[int] | None = None

    def read_on(self) -> None:
        """Read from now on all that comes."""
        self._reading = asyncio.create_task(self._all_read(), name="stream-client")

    async def lives(self) -> bool:
        """Tell whether the service has neither ended nor cut the stream; a client that never read does so now."""
        if self._reading is not None:
            return not self._reading.done()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await self._all_read()
                return False
        return True

    def close(self) -> None:
        """Leave."""
        if self._reading is not None:
            self._reading.cancel()
        self._writer.transport.abort()

    async def _all_read(self) -> int:
        size = 0
        while chunk := await self._reader.read(1 << 16):
            size += len(chunk)
        return size


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the clients; `closed_after` is the age in seconds of the last silent connection."""

    served: int
    refused: int
    to_the_end: int
    closed_after: float
    pace: float


async def crowded(
    clients: int, soft: int, hard: int, least: int, *, seconds: float = 10.0, least_pace: float = 0.5
) -> Row:
    """Follow the stream with so many clients, half of which never read, beside connections that send nothing.

    `least` clients have to be served. `least_pace` is of the answers a second before the crowd came, over so many
    seconds each; a machine that has much else to do says little about it.
    """
    _raise_own_limit()
    bookie = Bookie(events=_EVENTS)
    async with AsyncExitStack() as stack:
        place = await stack.enter_async_context(ledger_site(bookie))
        place = msgspec.structs.replace(place, settings={**place.settings, **_JOURNAL})
        limited = ("prlimit", f"--nofile={soft}:{hard}")
        service = await stack.enter_async_context(place.service(under=limited))
        await service.ready()
        before = await _pace(bookie, seconds)
        async with _followed(service.port, clients) as crowd:
            closed_after, during = await _silence(service.port, bookie, seconds)
            alive = sum([await one.lives() for one in crowd if one.served])
            told = await _told(service, len([one for one in crowd if one.served]), least)
        seen = Crowd(
            served=sum(one.served for one in crowd),
            refused=sum(one.refused for one in crowd),
            to_the_end=alive,
            closed_after=closed_after,
            pace=during / before,
        )
        await service.end(signal.SIGTERM)
        async with place.service(cycles=False) as last:
            await last.ready()
            await last.drained()
            found = await account(place.embedded, bookie)
            await last.end(signal.SIGTERM)
    wrong = [f"{found.wrong_latest} wrong latest prices"] if found.wrong_latest else []
    return Row(
        promise="P23",
        drill=f"{clients:,} stream clients, {soft:,} of {hard:,} descriptors",
        trials=f"{found.served:,} prices served, {found.stored:,} stored",
        faults={"stream clients": clients, "silent connections": _SILENT, "half heads": _HALF_HEADED},
        lost=found.lost,
        doubled=found.doubled,
        broken="; ".join([*_faults(seen, clients, least, least_pace), *told, *wrong]),
        notes=f"{seen.served:,} clients served, {seen.to_the_end:,} to the end, {seen.refused:,} refused; the last "
        f"silent connection closed after {seen.closed_after:.1f} s; {seen.pace:.0%} of the answers a second before",
    )


def _faults(seen: Crowd, clients: int, least: int, least_pace: float) -> list[str]:
    faults = {
        f"{seen.served} clients served": seen.served < least,
        f"{seen.served - seen.to_the_end} streams cut": seen.to_the_end < seen.served,
        # With few descriptors a client may find no connection either, which is closed.
        f"{clients - seen.served - seen.refused} clients neither served nor refused": least == _ALL_SEATS
        and seen.served + seen.refused != clients,
        f"silence lasted {seen.closed_after:.1f} s": seen.closed_after > _PATIENCE + _SLACK,
        f"scraping fell to {seen.pace:.0%}": seen.pace < least_pace,
    }
    return [fault for fault, present in faults.items() if present]


async def _told(service: ServiceProcess, served: int, least: int) -> list[str]:
    """Return what status, metrics, doctor and log do not say of the number of seats and its reason."""
    _, status = await service.ask("/api/status")
    _, doctor = await service.ask("/api/doctor")
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{service.port}/metrics") as answer:
        metrics = await answer.text()
    most = status["streams"]["most"]
    checks = [check for check in doctor["checks"] if check["part"] == "connections"]
    few = most < 1000
    faults = {
        f"{served} served, {most} promised": served > most or most < least,
        "no reason for few seats": few and not status["streams"]["reason"],
        "doctor": not any(str(most) in check["text"] for check in checks),
        "metrics": f"overround_stream_seats {float(most)}" not in metrics,
        "log": service.logged("descriptors_shared_out")["streams"] != most,
    }
    return [f"not told: {fault}" for fault, present in faults.items() if present]


@asynccontextmanager
async def _followed(port: int, clients: int) -> AsyncIterator[Sequence[Client]]:
    crowd: list[Client] = []
    try:
        for first in range(0, clients, _AT_ONCE):
            some = await asyncio.gather(*[_follow(port) for _ in range(first, min(clients, first + _AT_ONCE))])
            for number, client in enumerate(some):
                if client.served and number % 2:
                    client.read_on()
            crowd += some
        yield crowd
    finally:
        for client in crowd:
            client.close()


async def _follow(port: int) -> Client:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 12)
    writer.write(_HEAD)
    head = b""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
        async with asyncio.timeout(_ANSWERED_WITHIN):
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                head += await reader.read(1 << 12)
    return Client(reader, writer, head)


async def _silence(port: int, bookie: Bookie, seconds: float) -> tuple[float, float]:
    """Open connections that send nothing or half a head; return how old the last grew, and the pace meanwhile."""
    clock = SystemClock()
    began = clock.monotonic()
    async with asyncio.TaskGroup() as group:
        pace = group.create_task(_pace(bookie, seconds))
        for first in b"", _HALF:
            for _ in range(_HALF_HEADED if first else _SILENT):
                group.create_task(_until_closed(port, first))
    return clock.monotonic() - began, pace.result()


async def _until_closed(port: int, first: bytes) -> None:
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(2 * (_PATIENCE + _SLACK)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(first)
            await reader.read()
            writer.close()


async def _pace(bookie: Bookie, seconds: float) -> float:
    """Return the answers a second of so many seconds."""
    before = len(bookie.ledger)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await bookie.more(1 << 30)
    return (len(bookie.ledger) - before) / seconds


def _raise_own_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OWN_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_OWN_DESCRIPTORS, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
