"""The write queue's depth and counters."""

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from overround.api.state import State

router = APIRouter(prefix="/api/queue", tags=["queue"])


class QueueView(BaseModel):
    """The queue as it stands; counters are since start, in batches unless they say otherwise."""

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


@router.get("")
async def read_queue(state: State) -> QueueView:
    """Return depth and counters; all zero where the service writes synchronously."""
    if state.write_queue is None:
        return QueueView(asynchronous=False)
    return QueueView(asynchronous=True, **msgspec.to_builtins(state.write_queue.stats()))
