"""The shipped recordings as if their matches were yet to come."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from overround.simulator.captures import default_recordings_dir

FIRST_KICKOFF = date(2026, 10, 3)
_MILLISECONDS_A_DAY = 86_400_000


def write_upcoming(directory: Path) -> None:
    """Write the recordings into a directory, moved to a kick-off in the days to come."""
    shift = datetime.now(UTC).date() + timedelta(days=2) - FIRST_KICKOFF
    later = shift.days * _MILLISECONDS_A_DAY
    for recording in default_recordings_dir().glob("*.json"):
        body = recording.read_text(encoding="utf-8")
        body = re.sub(r"2026-10-\d\d", lambda day: str(date.fromisoformat(day[0]) + shift), body)
        body = re.sub(r'("estimateStartTime":)(\d+)', lambda found: found[1] + str(int(found[2]) + later), body)
        (directory / recording.name).write_text(body, encoding="utf-8")
