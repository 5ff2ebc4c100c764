"""The service at a glance: is it ready, what is not well, how large it is."""

from datetime import datetime

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from overround.api.framework.security import AccessView, CurrentAccess, access_view
from overround.api.operations.alerts import alerts, not_ready, recovering, takes_writes
from overround.api.state import ApiState, State
from overround.api.streams.desk import Streams

router = APIRouter(prefix="/api/status", tags=["status"])


class AlertView(BaseModel):
    """Something that is not well: `severity` is warning or critical."""

    severity: str
    code: str
    text: str


class CacheView(BaseModel):
    """What is in memory; unaccepted are latest states that the journal does not have yet."""

    events: int
    snapshots: int
    markets: int
    unaccepted: int


class RecoveryView(BaseModel):
    """The cache catching up with the journal at start; of the snapshots only the newest are taken over."""

    percent: int
    batches: int
    batches_read: int
    snapshots: int
    snapshots_taken: int


class DatabaseView(BaseModel):
    """The database: ready while it takes writes; its size, once an hour, and its growth over up to a day of that."""

    ready: bool
    size_bytes: int | None
    growth_bytes_per_day: float | None


class ProcessView(BaseModel):
    """The process: memory, and how late its event loop was over the last minute."""

    rss_bytes: int
    loop_lag_p99_ms: float


class StreamsView(BaseModel):
    """The live streams: clients at present, and how often one was too slow and got the newest states only."""

    clients: int
    conflated: int


class StatusView(BaseModel):
    """The service as a whole; `ready` is what /health/ready says; `recovery` is null once the cache has caught up."""

    version: str
    started_at: datetime
    now: datetime
    ready: bool
    alerts: list[AlertView]
    recovery: RecoveryView | None
    cache: CacheView
    database: DatabaseView
    process: ProcessView
    streams: StreamsView
    access: AccessView


@router.get("")
async def read_status(state: State, access: CurrentAccess, streams: Streams) -> StatusView:
    """Return how the service is, and what whoever asks may do."""
    return StatusView(
        version=state.version,
        started_at=state.started_at,
        now=state.clock.now(),
        ready=not not_ready(state),
        alerts=[AlertView(**msgspec.to_builtins(alert)) for alert in alerts(state)],
        recovery=_recovery(state),
        cache=CacheView(**msgspec.to_builtins(state.cache.stats())),
        database=_database(state),
        process=ProcessView(
            rss_bytes=state.process.memory_info().rss, loop_lag_p99_ms=round(state.loop_lag.lag().p99 * 1000, 3)
        ),
        streams=StreamsView(clients=streams.figures.clients, conflated=streams.figures.conflations),
        access=access_view(access),
    )


def _recovery(state: ApiState) -> RecoveryView | None:
    progress = recovering(state)
    return None if progress is None else RecoveryView(percent=progress.percent, **msgspec.structs.asdict(progress))


def _database(state: ApiState) -> DatabaseView:
    growth = state.maintenance.growth
    return DatabaseView(ready=takes_writes(state), size_bytes=growth.newest, growth_bytes_per_day=growth.per_day)
