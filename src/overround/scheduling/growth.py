"""How fast something grows, by measurements over about a day."""

from collections import deque
from datetime import datetime

_KEPT = 25  # hourly measurements of a day, both ends included
_DAY_SECONDS = 86_400


class Growth:
    """Remembers the newest measurements of a size in bytes."""

    def __init__(self) -> None:
        self._measured: deque[tuple[datetime, int]] = deque(maxlen=_KEPT)

    def measured(self, at: datetime, size: int) -> None:
        """Note a measurement."""
        self._measured.append((at, size))

    @property
    def newest(self) -> int | None:
        """Return the newest size; None before the first measurement."""
        return self._measured[-1][1] if self._measured else None

    @property
    def per_day(self) -> float | None:
        """Return the bytes a day between the first and the newest that are remembered; None without two."""
        if not self._measured:
            return None
        (first_at, first), (last_at, last) = self._measured[0], self._measured[-1]
        seconds = (last_at - first_at).total_seconds()
        return (last - first) / seconds * _DAY_SECONDS if seconds > 0 else None
