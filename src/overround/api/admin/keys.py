"""The API keys, as far as they may be shown."""

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel

from overround.api.framework.problems import Problem
from overround.api.state import State
from overround.records.stored import Role

router = APIRouter(prefix="/api/keys", tags=["access"])


class KeyView(BaseModel):
    """An API key: whose it is and what it may do, never the key itself."""

    id: str
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None


class KeyList(BaseModel):
    """All keys, oldest first, revoked ones included."""

    keys: list[KeyView]


@router.get("", responses={503: {"model": Problem}})
async def list_keys(state: State) -> KeyList:
    """Return the keys that there are and were; they are made and revoked on the command line."""
    return KeyList(
        keys=[
            KeyView(id=key.id, name=key.name, role=key.role, created_at=key.created_at, revoked_at=key.revoked_at)
            for key in await state.keys.stored()
        ]
    )
