"""Where the demo keeps its data: in the user's directory, or in a temporary one that never outlives it."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from overround.db.server_home import home_of

# Reads end of file when the demo ends, however it ends; waits (10 s) for PostgreSQL to leave; cleans up.
_SWEEP = """
read -r _
pid=$1
shift
n=0
while [ -e "$pid" ] && [ $n -lt 100 ]; do
  sleep 0.1
  n=$((n + 1))
done
rm -rf "$@"
"""


class Place(msgspec.Struct, frozen=True):
    """A directory for the demo's data; a temporary one goes with it. `ack_log`: see `overround.storage.ack_log`."""

    data_dir: Path
    temporary: bool
    ack_log: Path | None = None


@contextmanager
def workplace(data_dir: Path | None) -> Iterator[Place]:
    """Yield where to keep the data: the given directory, or a temporary one that is removed at the end."""
    if data_dir is not None:
        data_dir.mkdir(parents=True, exist_ok=True)
        yield Place(data_dir.resolve(), temporary=False)
        return
    with tempfile.TemporaryDirectory(prefix="overround-demo-") as temporary, _swept(Path(temporary)):
        yield Place(Path(temporary), temporary=True)


@contextmanager
def _swept(directory: Path) -> Iterator[None]:
    """Leave a process behind that removes the demo's files even if this process is killed."""
    home = home_of(directory)
    paths = [home.cluster / "postmaster.pid", directory, home.directory, home.sockets]
    command = ["/bin/sh", "-c", _SWEEP, "overround-demo-sweeper", *map(str, paths)]
    sweeper = subprocess.Popen(  # noqa: S603 - /bin/sh with a fixed text
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield
    finally:
        sweeper.kill()
        sweeper.communicate()
