"""Settings that may be changed while the service runs."""

from typing import Annotated

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from overround.api.framework.problems import Problem
from overround.api.state import State
from overround.configuration.tuning import Tuning

router = APIRouter(prefix="/api/settings", tags=["settings"])

_DAY = 86_400
_MOST_BOOKMAKERS = 100
_AS_STARTED = "null: as the service was started with"

Interval = Annotated[float, Field(ge=1, le=_DAY)] | None
Days = Annotated[float, Field(ge=1, le=3650)] | None


class ScheduleView(BaseModel):
    """How often bookmakers are asked: events near their kick-off at the short interval, all at the long one."""

    short_interval_seconds: float
    long_interval_seconds: float
    near_kickoff_seconds: float


class LimitsView(BaseModel):
    """Whether a bookmaker is asked, and within which limits; no requests a minute means no such limit."""

    enabled: bool
    concurrency: int
    min_interval_ms: int
    requests_per_minute: int | None


class RetentionView(BaseModel):
    """How long history stays, in days."""

    odds_snapshots_days: float
    event_scrape_status_days: float


class SettingsView(BaseModel):
    """What may be changed, as it is at present."""

    schedule: ScheduleView
    bookmakers: dict[str, LimitsView]
    retention: RetentionView


class _Change(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ScheduleChange(_Change):
    """New intervals; what is left out stays."""

    short_interval_seconds: Interval = Field(default=None, description=_AS_STARTED, examples=[60])
    long_interval_seconds: Interval = Field(default=None, description=_AS_STARTED, examples=[300])
    near_kickoff_seconds: Annotated[float, Field(ge=0, le=14 * _DAY)] | None = Field(
        default=None, description=_AS_STARTED, examples=[10_800]
    )


class LimitsChange(_Change):
    """New limits of a bookmaker; what is left out stays."""

    enabled: bool | None = Field(default=None, description=_AS_STARTED, examples=[True])
    concurrency: Annotated[int, Field(ge=1, le=500)] | None = Field(
        default=None, description=_AS_STARTED, examples=[20]
    )
    min_interval_ms: Annotated[int, Field(ge=0, le=60_000)] | None = Field(
        default=None, description=_AS_STARTED, examples=[25]
    )
    requests_per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        default=None, description=_AS_STARTED, examples=[600]
    )


class RetentionChange(_Change):
    """New ages at which history is dropped; what is left out stays."""

    odds_snapshots_days: Days = Field(default=None, description=_AS_STARTED, examples=[90])
    event_scrape_status_days: Days = Field(default=None, description=_AS_STARTED, examples=[7])


class SettingsChange(_Change):
    """What is to change; what is left out stays."""

    schedule: ScheduleChange = ScheduleChange()
    bookmakers: Annotated[dict[str, LimitsChange], Field(max_length=_MOST_BOOKMAKERS)] = {}
    retention: RetentionChange = RetentionChange()


@router.get("")
async def read_settings(state: State) -> SettingsView:
    """Return the settings that may be changed while the service runs."""
    return _view(state.live.tuning())


@router.put("", responses={422: {"model": Problem}, 503: {"model": Problem}})
async def change_settings(state: State, change: SettingsChange) -> SettingsView:
    """Change some of them, at once and for good; the answer is what they are then."""
    return _view(await state.live.change(change.model_dump(exclude_unset=True)))


def _view(tuning: Tuning) -> SettingsView:
    return SettingsView(**msgspec.to_builtins(tuning))
