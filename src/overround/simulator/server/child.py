"""The loopback server as a child process."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

import msgspec
from aiohttp import ClientError, ClientSession

from overround.errors import OverroundError, SettingsError
from overround.simulator.server.arguments import Options
from overround.simulator.server.captures import default_recordings_dir
from overround.simulator.server.control import PREFIX, Advance, SetFaults, SetTick, Status
from overround.simulator.server.faults import Fault
from overround.simulator.server.loopback import LOOPBACK, Ready

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0


class SimulatorHandle(Ready, frozen=True, kw_only=True):
    """A running simulator: where it listens, what it serves, and how its tick and its faults are changed."""

    def base_url(self, slug: str) -> str:
        """Return the address below which a bookmaker's own paths are served."""
        return f"http://{LOOPBACK}:{self.port}/{slug}"

    async def status(self) -> Status:
        """Return its tick and its faults."""
        return await self._ask("GET", "")

    async def tick(self) -> int:
        """Return its tick."""
        return (await self.status()).tick

    async def advance(self, ticks: int = 1) -> int:
        """Go on by so many ticks, and return the tick."""
        return (await self._ask("POST", "/advance", Advance(ticks))).tick

    async def go_to(self, tick: int) -> int:
        """Go to a tick, and return it."""
        return (await self._ask("PUT", "/tick", SetTick(tick))).tick

    async def set_faults(self, *faults: Fault) -> None:
        """Have these faults from now on, and no others."""
        await self._ask("PUT", "/faults", SetFaults(faults))

    async def _ask(self, method: str, path: str, content: msgspec.Struct | None = None) -> Status:
        """Make a control request.

        Raises:
            OverroundError: the simulator refuses it, or is gone.
        """
        url = f"http://{LOOPBACK}:{self.port}{PREFIX}{path}"
        data = None if content is None else msgspec.json.encode(content)
        try:
            async with ClientSession() as session, session.request(method, url, data=data) as response:
                body = await response.read()
        except (ClientError, OSError) as error:
            raise OverroundError(f"the simulator does not answer: {error}") from error
        if response.status != HTTPStatus.OK:
            raise OverroundError(f"the simulator refuses {path}: {body.decode(errors='replace')}")
        return msgspec.json.decode(body, type=Status)


@contextlib.asynccontextmanager
async def running_simulator(
    captures: Path | None = None, options: Options | None = None
) -> AsyncIterator[SimulatorHandle]:
    """Run the simulator on the market model of the options, or without options on recordings.

    The recordings are those of a directory, or those that ship with the package. The process ends with
    the block, and with this process however that ends: it holds the child's stdin.

    Raises:
        SettingsError: the directory does not exist.
        OverroundError: the child did not start; it says why on stderr.
    """
    arguments = _arguments(captures, options)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "overround.simulator.server.loopback", *arguments),
        stdin=PIPE,
        stdout=PIPE,
        # Ctrl-C in a terminal reaches this process alone, which then stops the child in its own order.
        start_new_session=True,
    )
    try:
        yield await _handle(process)
    finally:
        await _stop(process)


def _arguments(captures: Path | None, options: Options | None) -> list[str]:
    if options is not None:
        return options.arguments()
    directory = captures or default_recordings_dir()
    if not directory.is_dir():
        raise SettingsError(f"no directory of recordings: {directory}")
    return ["--captures", str(directory)]


async def _handle(process: Process) -> SimulatorHandle:
    try:
        line = await asyncio.wait_for(_first_line(process.stdout), _START_SECONDS)
        return msgspec.json.decode(line, type=SimulatorHandle)
    except (TimeoutError, ValueError) as error:  # of no line, of one too long, of one that is not JSON
        raise OverroundError("the simulator did not start; what it says stands on stderr") from error


async def _first_line(stdout: asyncio.StreamReader | None) -> bytes:
    return b"" if stdout is None else await stdout.readline()


async def _stop(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
    if process.stdin is not None:
        process.stdin.close()
