"""Logging: structured events on stderr, as JSON unless a person watches."""

import logging
import sys
from typing import Any

import structlog


def configure_logs(level: str = "info", *, stream: Any = None) -> None:  # noqa: ANN401 - any text stream
    """Send all events of at least `level` to stderr (or `stream`), times in UTC.

    Raises:
        ValueError: there is no such level.
    """
    target = stream or sys.stderr
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"no log level {level!r}")
    readable = target.isatty()
    # Without the variables of each frame, which the renderer would show: a batch's would take it a minute.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    render = console if readable else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *([] if readable else [structlog.processors.format_exc_info]),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(stream=target, level=max(number, logging.WARNING), format="%(levelname)s %(name)s %(message)s")
