"""Does the database hold what the cache holds?"""

from datetime import datetime

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel

from overround.api.state import State
from overround.upkeep.integrity import IntegrityReport

router = APIRouter(prefix="/api/integrity", tags=["integrity"])


class IntegrityView(BaseModel):
    """A comparison of cache and database, in markets; `lost` and `extra` must be 0."""

    checked_at: datetime
    compared: int
    lost: int
    extra: int
    moving: int


@router.post("")
async def check_integrity(state: State) -> IntegrityView:
    """Compare now; takes a second or two on a large database."""
    return _view(await state.integrity.run())


@router.get("")
async def last_integrity(state: State) -> IntegrityView | None:
    """Return the last comparison; null before the first."""
    return _view(state.integrity.last) if state.integrity.last is not None else None


def _view(report: IntegrityReport) -> IntegrityView:
    return IntegrityView.model_validate(msgspec.to_builtins(report, builtin_types=(datetime,)))
