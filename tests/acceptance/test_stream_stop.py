"""`overround serve` with live streams open: they end with the service, and do not hold it up."""

import asyncio
import signal
import sys
import time
from pathlib import Path

import aiohttp

from tests.acceptance.test_processes import environment

PATHS = ("/api/stream", "/api/stream?markets=match_result", "/api/scrape/progress")
PATIENCE = 9.0  # seconds on a busy machine; requests under way may take ten, and streams would take all of them


async def test_open_streams_end_at_once_when_the_service_is_stopped(database_url: str, tmp_path: Path) -> None:
    """Every client is told the end of its stream before any time limit, and the process ends well."""
    env = environment(
        OVERROUND_DATA_DIR=str(tmp_path), OVERROUND_DATABASE_URL=database_url, OVERROUND_SCHEDULE__ENABLED="false"
    )
    command = [sys.executable, "-c", "from overround.cli.main import app; app()", "serve", "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().split()[-1]
        async with aiohttp.ClientSession(address) as session:
            streams = [await session.get(path) for path in PATHS for _ in range(3)]
            for stream in streams:
                await stream.content.readuntil(b"\n\n")
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            for stream in streams:
                await stream.content.read()
            assert time.monotonic() - began < PATIENCE
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
