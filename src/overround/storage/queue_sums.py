"""What a write queue counts: sums since start that add up in snapshots."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from overround.batch import WriteBatch
from overround.latency import LatencyWindow
from overround.ports import Clock
from overround.storage.packing import observed_at
from overround.writing import StampedBatch, WriteReport


class QueueSums:
    """Counters since start.

    A batch's snapshots and confirmations are on its account from its acceptance until it is
    committed. What an earlier process accepted is counted when it is committed, as is a batch whose
    caller was cancelled, or has not been told yet, when the journal had it.
    """

    def __init__(self, clock: Clock, recovered_to: int) -> None:
        """Count from now on; an earlier process accepted the batches up to that position."""
        self._clock = clock
        self._recovered_to = recovered_to
        self._accounts: dict[int, int] = {}
        self._entering = 0
        self._overtaken: set[int] = set()
        self.accepted = 0
        self.accepted_snapshots = 0
        self.recovered_snapshots = 0
        self.written = 0
        self.snapshots = 0
        self.markets = 0
        self.confirmations = 0
        self.missed = 0
        self.applied_snapshots = 0
        self.dead_lettered = 0
        self.dead_snapshots = 0
        self.settled_snapshots = 0
        self.bisections = 0
        self.commit = LatencyWindow()
        self.change_to_committed = LatencyWindow()

    @property
    def left(self) -> int:
        """Return the snapshots and confirmations accepted and not yet committed."""
        return sum(self._accounts.values())

    @contextmanager
    def entering(self) -> Iterator[None]:
        """Hold around the time in which the journal may have a batch that is not accepted yet."""
        self._entering += 1
        try:
            yield
        finally:
            self._entering -= 1
            if not self._entering:
                self._overtaken.clear()

    def accept(self, position: int, batch: WriteBatch) -> None:
        """Count a batch that the journal has."""
        if position in self._overtaken:
            return
        self.accepted += 1
        self.accepted_snapshots += _summed(batch)
        self._accounts[position] = _summed(batch)

    def commit_of(self, batches: Sequence[StampedBatch], report: WriteReport, seconds: float) -> None:
        """Count a transaction over these batches that took so long."""
        now = self._clock.now()
        for stamped in batches:
            self._close_account(stamped)
            if stamped.batch.snapshots and (newest := observed_at(stamped.batch)) is not None:
                self.change_to_committed.add((now - newest).total_seconds())
        self.commit.add(seconds)
        self.written += len(batches)
        self.snapshots += report.snapshots
        self.markets += report.markets
        self.confirmations += report.confirmed
        self.missed += len(report.missed)
        self.applied_snapshots += report.snapshots + report.confirmed + len(report.missed) + report.applied_before
        self.dead_lettered += report.dead
        self.dead_snapshots += report.dead_snapshots + report.dead_before
        self.settled_snapshots += report.settled
        self.bisections += report.tries > 1 or report.dead > 0

    def _close_account(self, stamped: StampedBatch) -> None:
        if stamped.position <= self._recovered_to:
            self.recovered_snapshots += _summed(stamped.batch)
        elif self._accounts.pop(stamped.position, None) is None:
            self.accept(stamped.position, stamped.batch)
            del self._accounts[stamped.position]
            self._overtaken.add(stamped.position)


def _summed(batch: WriteBatch) -> int:
    return len(batch.snapshots) + len(batch.confirmed)
