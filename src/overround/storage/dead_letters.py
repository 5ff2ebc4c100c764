"""Dead letters brought back: offered again through the one write path, or dropped."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec
import structlog

from overround.db.dead_letters import DeadLetterRepository, FullDeadLetter
from overround.errors import UnknownDeadLetterError
from overround.records.batch import WriteBatch
from overround.storage.units import PayloadFormat, UnitKind, batch_from, content_from

_AT_ONCE = 100

Submit = Callable[[WriteBatch], Awaitable[object]]

_log = structlog.get_logger(__name__)


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter that cannot be offered again."""

    id: int
    reason: str


class Retried(msgspec.Struct, kw_only=True):
    """What became of a request to retry: offered again, not there (any more), not to be read."""

    retried: list[int] = []
    unknown: list[int] = []
    refused: list[Refused] = []


class DroppedLetters(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request to drop."""

    dropped: Sequence[int]
    unknown: Sequence[int] = ()


class DeadLetters:
    """The dead letters of a running service.

    To retry one is to write a batch of its content that names the letter. It is removed by the
    transaction that applies the batch, and the batch is applied only if the letter was still there:
    whenever the process dies, there is the letter, or the journalled batch beside it, or the row.
    """

    def __init__(self, repository: DeadLetterRepository, submit: Submit) -> None:
        """Read from the repository; `submit` hands a batch to the write path."""
        self.repository = repository
        self._submit = submit

    async def read(self, letter_id: int) -> FullDeadLetter:
        """Return a letter with its payload.

        Raises:
            UnknownDeadLetterError: there is none with that id.
        """
        return await read_letter(self.repository, letter_id)

    async def retry(self, ids: Sequence[int] | None) -> Retried:
        """Offer letters again, all of them without ids; they are removed when they are written."""
        report = Retried()
        async for page in self._pages(ids):
            letters = await self.repository.full(page)
            report.unknown.extend(sorted(set(page) - {letter.id for letter in letters}))
            for letter in letters:
                await self._offer(letter, report)
        return report

    async def drop(self, ids: Sequence[int] | None) -> DroppedLetters:
        """Delete letters, all of them without ids."""
        dropped = await self.repository.drop(ids)
        _log.warning("dead_letters_dropped", count=len(dropped))
        return DroppedLetters(dropped=dropped, unknown=sorted(set(ids or ()) - set(dropped)))

    async def _pages(self, ids: Sequence[int] | None) -> AsyncIterator[Sequence[int]]:
        if ids is not None:
            for start in range(0, len(ids), _AT_ONCE):
                yield ids[start : start + _AT_ONCE]
            return
        # What fails again gets a new id: without an end the same content would be offered for ever.
        after, newest = 0, await self.repository.newest()
        while page := [letter for letter in await self.repository.ids(after, _AT_ONCE) if letter <= newest]:
            yield page
            after = page[-1]

    async def _offer(self, letter: FullDeadLetter, report: Retried) -> None:
        try:
            batch = _batch(letter)
        except ValueError as error:
            report.refused.append(Refused(id=letter.id, reason=str(error)))
            return
        await self._submit(batch)
        report.retried.append(letter.id)


async def read_letter(repository: DeadLetterRepository, letter_id: int) -> FullDeadLetter:
    """Return a letter with its payload.

    Raises:
        UnknownDeadLetterError: there is none with that id.
    """
    for letter in await repository.full([letter_id]):
        return letter
    raise UnknownDeadLetterError(letter_id)


def shown_content(letter: FullDeadLetter) -> Any:  # noqa: ANN401 - JSON
    """Return a payload for people and programs: plain JSON values, text where it cannot be decoded."""
    if letter.payload_format == PayloadFormat.MESSAGEPACK:
        try:
            return msgspec.to_builtins(content_from(UnitKind(letter.kind), letter.payload))
        except ValueError:
            pass
    return letter.payload.decode("utf-8", "backslashreplace")


def _batch(letter: FullDeadLetter) -> WriteBatch:
    """Return the batch that brings a letter back.

    Raises:
        ValueError: its payload cannot be read.
    """
    if letter.payload_format != PayloadFormat.MESSAGEPACK:
        raise ValueError("its content has no form in which it could be written")
    batch = batch_from(UnitKind(letter.kind), letter.payload, letter.scrape_run_id or 0, letter.batch_index or 0)
    return msgspec.structs.replace(batch, dead_letter=letter.id)
