"""The service at a glance: is it ready, what is not well, how large it is."""

from datetime import datetime

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from overround.api.framework.security import AccessView, CurrentAccess, access_view
from overround.api.operations.alerts import not_ready, reasons, recovering, takes_writes
from overround.api.state import ApiState, State
from overround.api.streams.desk import StreamDesk, Streams

router = APIRouter(prefix="/api/status", tags=["status"])


class AlertView(BaseModel):
    """Something that is not well; (code, bookmaker) stands once in a list.

    `severity` is warning or critical. `effect` is not_ready, degraded, or notice where `/health/ready` does not show
    it. `bookmaker` is empty where it is about none.
    """

    severity: str
    code: str
    text: str
    effect: str
    since: datetime
    bookmaker: str


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
    """The live streams: clients at present, and how often one was too slow and got the newest states only.

    `most` clients are served, `reason` says why they are fewer than usual; `refused` were not served since the start.
    """

    clients: int
    conflated: int
    most: int
    refused: int
    reason: str


class ConnectionsView(BaseModel):
    """The connections of clients: open and silent at present, `refused` and `timed_out` since the start."""

    most: int
    open: int
    silent: int
    refused: int
    timed_out: int


class StatusView(BaseModel):
    """The service as a whole.

    `ready` is whether /health/ready says 200; `recovery` is null once the cache has caught up.
    """

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
    connections: ConnectionsView
    access: AccessView


@router.get("")
async def read_status(state: State, access: CurrentAccess, streams: Streams) -> StatusView:
    """Return how the service is, and what whoever asks may do."""
    found = reasons(state)
    return StatusView(
        version=state.version,
        started_at=state.started_at,
        now=state.clock.now(),
        ready=not not_ready(found),
        alerts=[AlertView(**msgspec.to_builtins(alert)) for alert in found],
        recovery=_recovery(state),
        cache=CacheView(**msgspec.to_builtins(state.cache.stats())),
        database=_database(state),
        process=ProcessView(
            rss_bytes=state.process.memory_info().rss, loop_lag_p99_ms=round(state.loop_lag.lag().p99 * 1000, 3)
        ),
        streams=_streams(state, streams),
        connections=_connections(state),
        access=access_view(access),
    )


def _recovery(state: ApiState) -> RecoveryView | None:
    progress = recovering(state)
    return None if progress is None else RecoveryView(percent=progress.percent, **msgspec.structs.asdict(progress))


def _database(state: ApiState) -> DatabaseView:
    growth = state.maintenance.growth
    return DatabaseView(ready=takes_writes(state), size_bytes=growth.newest, growth_bytes_per_day=growth.per_day)


def _streams(state: ApiState, streams: StreamDesk) -> StreamsView:
    return StreamsView(
        clients=streams.figures.clients,
        conflated=streams.figures.conflations,
        most=state.descriptors.streams,
        refused=streams.seats.refused,
        reason=state.descriptors.reason,
    )


def _connections(state: ApiState) -> ConnectionsView:
    figures = state.connections.figures()
    return ConnectionsView(
        most=figures.most,
        open=figures.open,
        silent=figures.silent,
        refused=figures.refused,
        timed_out=figures.timed_out,
    )
