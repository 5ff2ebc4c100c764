import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from overround.db.error_classes import Exit, classify, is_known, sqlstate
from overround.errors import ContentError


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (asyncpg.ConnectionDoesNotExistError, Exit.RETRY),
        (asyncpg.TooManyConnectionsError, Exit.RETRY),
        (asyncpg.DiskFullError, Exit.RETRY),
        (asyncpg.AdminShutdownError, Exit.RETRY),
        (asyncpg.CannotConnectNowError, Exit.RETRY),
        (asyncpg.QueryCanceledError, Exit.RETRY),
        (asyncpg.SerializationError, Exit.RETRY),
        (asyncpg.DeadlockDetectedError, Exit.RETRY),
        (asyncpg.LockNotAvailableError, Exit.RETRY),
        (asyncpg.ReadOnlySQLTransactionError, Exit.RETRY),
        (asyncpg.InvalidPasswordError, Exit.RETRY),
        (asyncpg.CharacterNotInRepertoireError, Exit.BISECT),
        (asyncpg.NumericValueOutOfRangeError, Exit.BISECT),
        (asyncpg.NotNullViolationError, Exit.BISECT),
        (asyncpg.ForeignKeyViolationError, Exit.BISECT),
        (asyncpg.ProgramLimitExceededError, Exit.BISECT),
        (asyncpg.UndefinedTableError, Exit.BREAK),
        (asyncpg.UndefinedColumnError, Exit.BREAK),
        (asyncpg.InsufficientPrivilegeError, Exit.BREAK),
        (asyncpg.FeatureNotSupportedError, Exit.BREAK),
    ],
)
def test_what_the_server_says_decides(error: type[asyncpg.PostgresError], expected: Exit) -> None:
    """Each SQLSTATE leads to one of the three exits, and is known."""
    assert classify(error("x")) is expected
    assert is_known(error("x"))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(), Exit.RETRY),
        (TimeoutError(), Exit.RETRY),
        (asyncpg.InterfaceError("connection is closed"), Exit.RETRY),
        (asyncpg.exceptions._base.DataError("invalid input for query argument"), Exit.BISECT),
        (OverflowError("value out of int64 range"), Exit.BISECT),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), Exit.BISECT),
        (ContentError(), Exit.BISECT),
    ],
)
def test_what_never_reached_the_server_is_told_apart(error: BaseException, expected: Exit) -> None:
    """Failures without a SQLSTATE are of the connection or of the content."""
    assert classify(error) is expected
    assert is_known(error)
    assert sqlstate(error) == ""


@pytest.mark.parametrize("error", [asyncpg.InternalServerError("x"), asyncpg.DataCorruptedError("x"), KeyError("x")])
def test_what_nobody_has_foreseen_is_retried_with_an_alarm(error: BaseException) -> None:
    """An unforeseen failure is retried, and says that it was not foreseen."""
    assert classify(error) is Exit.RETRY
    assert not is_known(error)


def test_a_wrapped_error_is_found() -> None:
    """The driver's error decides, however often it has been wrapped."""
    original = asyncpg.UniqueViolationError("twice")
    wrapped = DBAPIError("insert", {}, original)
    wrapped.__cause__ = original
    outer = RuntimeError("while writing")
    outer.__cause__ = wrapped
    assert classify(outer) is Exit.BISECT
    assert sqlstate(outer) == "23505"
