"""What asking a bookmaker has brought since the start: counts, sizes, times, and the newest failure."""

from collections import Counter
from datetime import datetime

import msgspec

from overround.errors import FetchError
from overround.latency import LatencyWindow
from overround.ports import Clock, Reader
from overround.records.event import Offer
from overround.records.response import Response
from overround.records.writing import Latency


class LastError(msgspec.Struct, frozen=True, kw_only=True):
    """A failure, and when it was noticed."""

    at: datetime
    error_class: str
    message: str


class FetchFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Sums since the start of the process.

    `requests` were sent, retries included; `errors` counts by class, also what was not sent. `bytes` and
    `latency` are of whole answers. `last_success_at` is when the newest usable prices had arrived,
    `last_success_seen` the monotonic seconds of it.
    `replaced` are characters that no text can hold, NUL among them; `replaced_at` is when the newest came.
    """

    requests: int
    errors: dict[str, int]
    bytes: int
    latency: Latency
    last_success_at: datetime | None
    last_success_seen: float | None
    last_error: LastError | None
    replaced: int = 0
    replaced_at: datetime | None = None


class FetchStatistics:
    """Counts; the latencies' percentiles are over a bounded number of the newest answers."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._requests = 0
        self._errors: Counter[str] = Counter()
        self._bytes = 0
        self._latency = LatencyWindow()
        self._last_success_at: datetime | None = None
        self._last_success_seen: float | None = None
        self._last_error: LastError | None = None
        self._replaced = 0
        self._replaced_at: datetime | None = None

    def sent(self) -> None:
        """Count a request."""
        self._requests += 1

    def answered(self, response: Response) -> None:
        """Count a whole answer."""
        self._bytes += response.bytes
        self._latency.add(response.duration_ms / 1000)

    def succeeded(self, at: datetime) -> None:
        """Note that usable prices arrived."""
        self._last_success_at = at
        self._last_success_seen = self._clock.monotonic()

    def failed(self, error: FetchError) -> None:
        """Count a failure."""
        self._errors[error.error_class.value] += 1
        self._last_error = LastError(at=self._clock.now(), error_class=error.error_class.value, message=str(error))

    def replaced(self, characters: int) -> None:
        """Count characters that were replaced in a body, because no text can hold them."""
        self._replaced += characters
        self._replaced_at = self._clock.now()

    def figures(self) -> FetchFigures:
        """Return the sums."""
        return FetchFigures(
            requests=self._requests,
            errors=dict(self._errors),
            bytes=self._bytes,
            latency=self._latency.latency(),
            last_success_at=self._last_success_at,
            last_success_seen=self._last_success_seen,
            last_error=self._last_error,
            replaced=self._replaced,
            replaced_at=self._replaced_at,
        )


class WatchedReader:
    """A reader whose failures are counted: a body can be of no use although it arrived."""

    def __init__(self, reader: Reader, statistics: FetchStatistics) -> None:
        self._reader = reader
        self._statistics = statistics

    @property
    def covered(self) -> frozenset[str]:
        """Return the keys of all catalogue markets that the mapping can produce."""
        return self._reader.covered

    def read(self, response: Response) -> Offer:
        """Return what a single-event body says.

        Raises:
            FetchError: as the reader itself does.
        """
        try:
            offer = self._reader.read(response)
        except FetchError as error:
            self._statistics.failed(error)
            raise
        self._statistics.succeeded(response.received_at)
        return offer
