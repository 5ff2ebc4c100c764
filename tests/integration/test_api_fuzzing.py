"""Whatever is sent, every answer is one that the OpenAPI document promises, and none is a 500."""

import asyncio
import sys
from pathlib import Path

from overround.api.app import create_app
from overround.api.framework.openapi import operations
from overround.settings import SecuritySettings
from tests.support.service import running_api

UNLIMITED = SecuritySettings(requests_per_minute=10**9, costly_per_minute=10**9, refusals_per_minute=10**9)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
RUN = "from schemathesis.cli import schemathesis; schemathesis()"


def streams() -> list[str]:
    """Return the paths whose answers never end: there is no waiting for their whole body."""
    found = operations(create_app().openapi())
    return [path for path, _, one in found if "text/event-stream" in one["responses"].get("200", {}).get("content", {})]


async def test_no_answer_is_undocumented(database_url: str, tmp_path: Path) -> None:
    """Schemathesis sends valid, extreme and invalid requests to every endpoint of a service that has data."""
    async with running_api(database_url, tmp_path, security=UNLIMITED) as api:
        await api.cycle()
        arguments = [
            *("run", f"{api.address}/api/openapi.json", "--origin", api.address),
            *("--checks", ",".join(CHECKS), "--max-examples", "12", "--phases", "examples,coverage,fuzzing"),
            *("--seed", "1", "--generation-deterministic", "--no-color"),
            *("--request-timeout", "30", "--workers", "2"),
            *(argument for path in streams() for argument in ("--exclude-path", path)),
        ]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", RUN, *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tmp_path,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()[-20_000:]
