"""What logs hold: JSON for programs, and never a secret."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from overround.access.tokens import mint_key
from overround.logs import configure_logs, without_secrets


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Yield what logs are written to; everything is as before at the end."""
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    written = io.StringIO()
    configure_logs(stream=written)
    yield written
    root.handlers = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def events(log: io.StringIO) -> list[dict[str, object]]:
    """Return what was logged."""
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_not_on_a_terminal_every_line_is_json(log: io.StringIO) -> None:
    """Our own events, and what libraries say through the standard library, failures included."""
    structlog.get_logger().info("something", run=1)
    logging.getLogger("a.library").error("it failed", exc_info=ValueError("of no use"))
    own, foreign = events(log)
    assert (own["event"], own["run"], own["level"]) == ("something", 1, "info")
    assert (foreign["event"], foreign["logger"], foreign["level"]) == ("it failed", "a.library", "error")
    assert "ValueError: of no use" in str(foreign["exception"])


def test_no_secret_is_logged(log: io.StringIO) -> None:
    """Passwords in addresses and API keys are masked in fields, in errors, and in what libraries say."""
    token = mint_key().token
    addresses = ("postgresql://overround:s3cr3t@db.example:5432/odds", "http://user:p@s3cr3t@proxy.example:3128")
    for secret in (*addresses, token):
        structlog.get_logger().warning("failed", error=f"cannot use {secret}", many=[secret])
        logging.getLogger("a.library").warning("cannot use %s", secret)
        structlog.get_logger().error("failed", exc_info=ValueError(secret))
    assert len(events(log)) == 9
    assert "s3cr3t" not in log.getvalue()
    assert token not in log.getvalue()
    assert "db.example:5432" in log.getvalue()


def test_masking_leaves_the_rest() -> None:
    """Whose key it was, and which host, can still be told."""
    assert without_secrets("http://u:p@h:1/x and http://h/y@z") == "http://***@h:1/x and http://h/y@z"
    assert without_secrets("key ork_0f3a9c21_abc-DEF_9, run 3") == "key ork_0f3a9c21_***, run 3"
    assert without_secrets("nothing to hide: a@b") == "nothing to hide: a@b"


def test_cancelled_work_is_no_news(log: io.StringIO) -> None:
    """Stopping cancels what is under way; a library that calls that a failure is not heard."""
    logging.getLogger("a.library").error("a job failed", exc_info=asyncio.CancelledError())
    assert events(log) == []


def test_what_is_said_to_have_no_exception_is_heard(log: io.StringIO) -> None:
    """Asyncio tells of a task that nobody waited for with `exc_info=False`."""
    logging.getLogger("asyncio").error("Unclosed connection", exc_info=False)
    assert [event["event"] for event in events(log)] == ["Unclosed connection"]
