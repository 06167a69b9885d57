"""Brings what libraries log through the standard library into our stream, without what it quotes.

An AMQP library logs frames and messages, asyncio logs exceptions: both may hold a message text.
"""

import logging
from collections.abc import Mapping

import structlog

from worker.telemetry.exception_text import name_of

# These tell of every reconnect and every slow callback at their lower levels.
_LIBRARIES = ("aio_pika", "aiormq", "aiohttp", "asyncio")
_LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL)
_LONGEST = 500


def route_library_logs() -> None:
    """Send warnings and worse of every library to structlog. Can be called again."""
    root = logging.getLogger()
    for handler in [h for h in root.handlers if isinstance(h, _ToStructlog)]:
        root.removeHandler(handler)
    root.addHandler(_ToStructlog())
    root.setLevel(logging.WARNING)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


class _ToStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        level = max(known for known in _LEVELS if known <= max(record.levelno, logging.DEBUG))
        structlog.get_logger().log(
            level, _event_of(record), logger=record.name, exc_info=record.exc_info
        )


def _event_of(record: logging.LogRecord) -> str:
    """The text with its arguments; of anything but text and numbers only the type's name."""
    text = str(record.msg)
    try:
        if isinstance(record.args, Mapping):
            text %= {name: _named(value) for name, value in record.args.items()}
        elif record.args:
            text %= tuple(_named(value) for value in record.args)
    except (TypeError, ValueError, LookupError):  # arguments that do not fit the text
        return text[:_LONGEST]
    # asyncio describes the objects concerned, with their exceptions, from the second line on.
    return text.partition("\n")[0][:_LONGEST]


def _named(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    return _Name(name_of(value) if isinstance(value, BaseException) else type(value).__name__)


class _Name:
    """Stands for an argument: %r and %s show the name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"<{self._name}>"
