"""Dumps and what comes of them, by the programs of the wheel on a real server."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner, Result

from overround.access.tokens import mint_key
from overround.cli.main import app
from overround.clock import SystemClock
from overround.db.engine import create_engine
from overround.db.repositories import PostgresKeyRepository
from overround.records.stored import ApiKey, Role

Run = Callable[..., "asyncio.Future[Result]"]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs `overround db ...` on a database."""
    monkeypatch.setenv("OVERROUND_DATA_DIR", str(tmp_path / "data"))

    def run(url: str, *arguments: str) -> "asyncio.Future[Result]":
        monkeypatch.setenv("OVERROUND_DATABASE_URL", url)
        return asyncio.get_running_loop().run_in_executor(None, lambda: CliRunner().invoke(app, ["db", *arguments]))

    return run


async def test_a_dump_becomes_a_database(
    command: Run, database_url: str, empty_database_url: str, engine: AsyncEngine, tmp_path: Path
) -> None:
    """What was in the one database is in the other, which is ready for this release; nobody else may read the file."""
    minted, file = mint_key(), tmp_path / "all.dump"
    key = ApiKey(id=minted.id, name="desk", role=Role.READ, digest=minted.digest, created_at=SystemClock().now())
    await PostgresKeyRepository(engine).add(key)
    assert (await command(database_url, "dump", str(file))).exit_code == 0
    assert file.stat().st_mode & 0o077 == 0
    assert (await command(empty_database_url, "restore", str(file))).exit_code == 0
    restored = create_engine(empty_database_url, "overround tests")
    try:
        assert await PostgresKeyRepository(restored).keys() == [key]
    finally:
        await restored.dispose()
    assert (await command(empty_database_url, "status")).exit_code == 0


async def test_nothing_is_overwritten(command: Run, database_url: str, tmp_path: Path) -> None:
    """Neither a file that is there, nor a database that holds something."""
    file = tmp_path / "all.dump"
    file.write_bytes(b"precious")
    refused = await command(database_url, "dump", str(file))
    assert (refused.exit_code, refused.stderr) == (1, f"overround: {file} exists already\n")
    refused = await command(database_url, "restore", str(file))
    assert (refused.exit_code, "not empty" in refused.stderr) == (1, True)
    assert file.read_bytes() == b"precious"


async def test_what_goes_wrong_is_one_line_and_leaves_nothing(
    command: Run, empty_database_url: str, tmp_path: Path
) -> None:
    """A file that is no dump, one that is not there, a directory that is not there, a server that is away."""
    file = tmp_path / "all.dump"
    file.write_bytes(b"no dump")
    away = "postgresql://overround:s3cr3t@127.0.0.1:1/overround"
    for url, arguments in (
        (empty_database_url, ("restore", str(file))),
        (empty_database_url, ("restore", str(tmp_path / "none"))),
        (empty_database_url, ("dump", str(tmp_path / "none" / "all.dump"))),
        (away, ("dump", str(tmp_path / "new.dump"))),
    ):
        result = await command(url, *arguments)
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1), arguments
        assert "s3cr3t" not in result.stderr
    assert names(tmp_path) == ["all.dump"]


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return [path.name for path in folder.iterdir()]
