"""The write queue's depth and counters."""

from datetime import datetime

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from overround.api.state import State
from overround.records.writing import FillState, WriterState

router = APIRouter(prefix="/api/queue", tags=["queue"])


class LatencyView(BaseModel):
    """A duration's distribution in seconds: count, sum and buckets since start, percentiles of the newest ones."""

    count: int = 0
    sum: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    buckets: dict[float, int] = {}


class HeldBookmakerView(BaseModel):
    """A bookmaker whose rows are held back; `rows` are parts of batches, `sample` is why a row failed.

    `full` means that there is no room for more: it is not polled.
    """

    bookmaker: str
    since: datetime
    sqlstate: str
    sample: str
    rows: int = 0
    bytes: int = 0
    snapshots: int = 0
    tried_at: datetime | None = None
    full: bool = False


class QueueView(BaseModel):
    """The queue as it stands; counters are since start, in batches unless they say otherwise.

    `state` is running, retrying or breaker_open. In snapshots and confirmations, accepted and
    recovered add up to applied, dead, settled, held and left.
    """

    asynchronous: bool
    running: bool = False
    pending: int = 0
    pending_bytes: int = 0
    oldest_pending_seconds: float = 0.0
    accepted: int = 0
    written: int = 0
    retried: int = 0
    dead_lettered: int = 0
    snapshots_written: int = 0
    markets_written: int = 0
    confirmations_written: int = 0
    missed_confirmations: int = 0
    last_error: str = ""
    state: WriterState = WriterState.RUNNING
    state_reason: str = ""
    state_since: datetime | None = None
    accepted_snapshots: int = 0
    recovered_snapshots: int = 0
    applied_snapshots: int = 0
    dead_snapshots: int = 0
    settled_snapshots: int = 0
    held_snapshots: int = 0
    unanswered_seconds: float = 0.0
    held: list[HeldBookmakerView] = []
    left_snapshots: int = 0
    retries: dict[str, int] = {}
    bisections: int = 0
    commit: LatencyView = LatencyView()
    change_to_committed: LatencyView = LatencyView()
    fill_percent: int = 0
    fill: FillState = FillState.NORMAL
    journal_error: str = ""
    append_p50_ms: float = 0.0
    append_p99_ms: float = 0.0
    damaged_frames: int = 0
    went_back_at: datetime | None = None
    open_gaps: int = 0


@router.get("")
async def read_queue(state: State) -> QueueView:
    """Return depth and counters; all zero where the service writes synchronously."""
    if state.write_queue is None:
        return QueueView(asynchronous=False)
    return QueueView(asynchronous=True, **msgspec.to_builtins(state.write_queue.stats()))
