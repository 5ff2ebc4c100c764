"""The service under a wall clock that a file sets: its content are the seconds by which the clock is off."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from overround.cli.main import app
from overround.clock import SystemClock

CLOCK_FILE = "CRASH_BENCH_CLOCK"


def step_clocks() -> None:
    """Let every system clock of this process show the file's time; the monotonic one stays."""
    file = Path(os.environ[CLOCK_FILE])

    def now(_: SystemClock) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(file.read_text("ascii")))

    SystemClock.now = now  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    step_clocks()
    app()
