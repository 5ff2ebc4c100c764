"""What the database could not take: listed, shown, offered again, dropped."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from overround.api.framework.problems import Problem
from overround.api.state import State
from overround.storage.dead_letters import shown_content

router = APIRouter(
    prefix="/api/queue/dead-letters",
    tags=["queue"],
    responses={HTTPStatus.SERVICE_UNAVAILABLE: {"model": Problem, "description": "The database does not answer"}},
)

_MOST = 1000
_MOST_AT_ONCE = 500
_BIGINT = 2**63 - 1

LetterId = Annotated[int, Field(ge=1, le=_BIGINT)]


class DeadLetterView(BaseModel):
    """A unit that could not be written; `sqlstate` is empty where it did not reach the server."""

    id: int
    kind: str
    epoch: int
    seq: int
    scrape_run_id: int | None
    batch_index: int | None
    event_id: int | None
    bookmaker: str
    sqlstate: str
    reason: str
    dead_at: datetime
    payload_format: str
    payload_bytes: int


class DeadLetterDetail(DeadLetterView):
    """The same with its content as JSON, or as text where it cannot be decoded."""

    content: Any


class DeadLetterPage(BaseModel):
    """Dead letters in the order of their ids; `total` and `kinds` count all. `next_after` asks for the next page."""

    total: int
    kinds: dict[str, int]
    letters: list[DeadLetterView]
    next_after: int | None = None


class Chosen(BaseModel):
    """Which letters: some by id, or all."""

    model_config = ConfigDict(extra="forbid")

    ids: Annotated[list[LetterId], Field(max_length=_MOST_AT_ONCE)] | None = None
    all: StrictBool = False

    @model_validator(mode="after")
    def _either(self) -> "Chosen":
        if (self.ids is None) is not self.all:
            raise ValueError("give either ids or all")
        return self


class RefusedView(BaseModel):
    """A letter that cannot be offered again, and the reason."""

    id: int
    reason: str


class RetriedView(BaseModel):
    """Letters offered again, which are removed once they are written; ids that there are not; letters refused."""

    retried: list[int]
    unknown: list[int]
    refused: list[RefusedView]


class DroppedLettersView(BaseModel):
    """Letters deleted, and ids that there were not."""

    dropped: Sequence[int]
    unknown: Sequence[int]


@router.get("")
async def list_dead_letters(
    state: State,
    after: Annotated[int, Query(ge=0, le=_BIGINT)] = 0,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
) -> DeadLetterPage:
    """Return dead letters without their content, and how many there are of each kind."""
    repository = state.dead_letters.repository
    letters = await repository.page(after, limit)
    kinds = await repository.kinds()
    return DeadLetterPage(
        total=sum(kinds.values()),
        kinds=dict(kinds),
        letters=[DeadLetterView(**msgspec.structs.asdict(letter)) for letter in letters],
        next_after=letters[-1].id if len(letters) == limit else None,
    )


@router.get(
    "/{letter_id}", responses={HTTPStatus.NOT_FOUND: {"model": Problem, "description": "There is no such dead letter"}}
)
async def read_dead_letter(state: State, letter_id: Annotated[int, Path(ge=1, le=_BIGINT)]) -> DeadLetterDetail:
    """Return one dead letter with its content."""
    letter = await state.dead_letters.read(letter_id)
    facts = msgspec.structs.asdict(letter)
    del facts["payload"]
    return DeadLetterDetail(**facts, content=shown_content(letter))


@router.post("/retry", status_code=HTTPStatus.ACCEPTED)
async def retry_dead_letters(state: State, chosen: Chosen) -> RetriedView:
    """Offer dead letters to the database again; one that fails again gets a new id."""
    return RetriedView(**msgspec.to_builtins(await state.dead_letters.retry(chosen.ids)))


@router.post("/drop")
async def drop_dead_letters(state: State, chosen: Chosen) -> DroppedLettersView:
    """Delete dead letters for good."""
    return DroppedLettersView(**msgspec.to_builtins(await state.dead_letters.drop(chosen.ids)))
