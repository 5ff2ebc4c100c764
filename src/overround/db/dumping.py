"""Dumps of a database, and databases from dumps, by PostgreSQL's own programs: those that come with the wheel."""

import asyncio
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sqlalchemy.engine import make_url

from overround.db.engine import create_engine
from overround.db.migrate import revision_of, upgrade
from overround.db.server_home import newest_binaries
from overround.errors import DumpError

_DUMP = ("pg_dump", "--format=custom", "--no-owner", "--no-privileges")
_RESTORE = ("pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")


async def dump(url: str, file: Path) -> int:
    """Write all of a database as of one instant to a new file, which appears once it is whole; return its size.

    Raises:
        DumpError: the file exists or cannot be written, or the program fails, such as for a newer server.
        DatabaseUnavailableError: there is no such program here.
    """
    return await asyncio.to_thread(_dump, url, file)


async def restore(url: str, file: Path) -> str:
    """Fill an empty database from a dump, and bring it to the schema of this release; return the dump's revision.

    A dump is restored whole or not at all; what is left to upgrade can be repeated.

    Raises:
        DumpError: the database has tables of ours, the file cannot be read, or the program fails.
        DatabaseUnavailableError: it does not answer, or there is no such program here.
    """
    engine = create_engine(url, "overround db restore")
    try:
        if await revision_of(engine):
            raise DumpError("the database is not empty: restore into a new one")
    finally:
        await engine.dispose()
    await asyncio.to_thread(_restore, url, file)
    return await upgrade(url)


def _dump(url: str, file: Path) -> int:
    if file.exists():
        raise DumpError(f"{file} exists already")
    part = file.with_name(f".{file.name}.part")
    try:
        with _faults_named(file), part.open("wb") as written:
            part.chmod(0o600)  # it holds the digests of API keys
            _run(_DUMP, url, stdout=written)
            os.fsync(written.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return file.stat().st_size


def _restore(url: str, file: Path) -> None:
    with _faults_named(file), file.open("rb") as read:
        _run((*_RESTORE, f"--dbname={make_url(url).database}"), url, stdin=read)


@contextmanager
def _faults_named(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DumpError(f"{file}: {error.strerror}") from error


def _run(
    command: Sequence[str], url: str, *, stdin: IO[bytes] | int = subprocess.DEVNULL, stdout: IO[bytes] | None = None
) -> None:
    program, *arguments = command
    done = subprocess.run(  # noqa: S603 - a program of an installed wheel
        [newest_binaries() / program, *arguments],
        stdin=stdin,
        stdout=stdout or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=_environment(url),
        check=False,
    )
    if done.returncode != 0:
        raise DumpError(" ".join(done.stderr.decode("utf-8", "replace").split()) or f"{program} failed")


def _environment(url: str) -> Mapping[str, str]:
    """Return how PostgreSQL's programs are told of an address: not by arguments, which anybody may read."""
    address = make_url(url)
    stated = {
        "PGHOST": address.host or address.query.get("host"),
        "PGPORT": address.port,
        "PGUSER": address.username,
        "PGPASSWORD": address.password,
        "PGDATABASE": address.database,
        "PGSSLMODE": address.query.get("ssl") or address.query.get("sslmode"),
    }
    return {"PATH": os.defpath, **{name: str(value) for name, value in stated.items() if value}}
