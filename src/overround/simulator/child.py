"""The loopback server as a child process."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from overround.errors import OverroundError, SettingsError
from overround.simulator.captures import default_recordings_dir
from overround.simulator.server import LOOPBACK, Ready

_START_SECONDS = 60.0
_STOP_SECONDS = 5.0


class SimulatorHandle(Ready, frozen=True, kw_only=True):
    """A running simulator: where it listens, and what it serves."""

    def base_url(self, slug: str) -> str:
        """Return the address below which a bookmaker's own paths are served."""
        return f"http://{LOOPBACK}:{self.port}/{slug}"


@contextlib.asynccontextmanager
async def running_simulator(captures: Path | None = None) -> AsyncIterator[SimulatorHandle]:
    """Run the simulator on a directory of recordings, or on those that ship with the package.

    The process ends with the block, and with this process however that ends: it holds the child's stdin.

    Raises:
        SettingsError: the directory does not exist.
        OverroundError: the child did not start; it says why on stderr.
    """
    directory = captures or default_recordings_dir()
    if not directory.is_dir():
        raise SettingsError(f"no directory of recordings: {directory}")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "overround.simulator.server", "--captures", str(directory)),
        stdin=PIPE,
        stdout=PIPE,
        # Ctrl-C in a terminal reaches this process alone, which then stops the child in its own order.
        start_new_session=True,
    )
    try:
        yield await _handle(process)
    finally:
        await _stop(process)


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
