"""Logging: structured events on stderr, as JSON unless a person watches, and never a secret."""

import asyncio
import logging
import re
import sys
from typing import Any

import structlog

_USER_INFO = re.compile(r"(?<=://)[^/\s'\"]*@")
_API_KEY = re.compile(r"\bork_([A-Za-z0-9]+)_[A-Za-z0-9_-]+")


def without_secrets(text: str) -> str:
    """Return a text without the users and passwords in its addresses, and without API keys."""
    if "://" not in text and "ork_" not in text:
        return text
    return _API_KEY.sub(r"ork_\1_***", _USER_INFO.sub("***@", text))


def configure_logs(level: str = "info", *, stream: Any = None) -> None:  # noqa: ANN401 - any text stream
    """Send all events of at least `level` to stderr (or `stream`), times in UTC; libraries' warnings too.

    Raises:
        ValueError: there is no such level.
    """
    target: Any = stream or _Stderr()
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"no log level {level!r}")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        # Not left to the renderer: one for people would show the variables of each frame.
        structlog.processors.format_exc_info,
    ]
    readable = target.isatty()
    render = _masked(structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer())
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    remove_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared], processors=[remove_meta, render]
        )
    )
    handler.addFilter(_is_news)
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING))
    logging.captureWarnings(capture=True)


class _Stderr:
    """What `sys.stderr` is when something is written: whoever replaces it may close his own one."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out what a library says of cancelled work: that is how a service stops."""
    return not record.exc_info or not isinstance(record.exc_info[1], asyncio.CancelledError)


def _masked(render: structlog.typing.Processor) -> structlog.typing.Processor:
    """Return what renders an event without secrets, wherever in it they stood."""

    def rendered(logger: object, method: str, event: structlog.typing.EventDict) -> str:
        return without_secrets(str(render(logger, method, event)))

    return rendered
