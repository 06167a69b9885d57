"""Sets up structlog: one line per event, JSON or, on a terminal, for people.

Our own events do not pass through the standard library's logging; what libraries log there comes
into the same stream.
"""

import atexit
import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, BinaryIO, Literal

import structlog

from worker.core.progress import rfc3339
from worker.telemetry.exception_text import add_exception
from worker.telemetry.library_logs import route_library_logs
from worker.telemetry.log_stream import LogStream
from worker.telemetry.plain_json import as_json, plain
from worker.telemetry.redaction import masked

Level = Literal["debug", "info", "warning", "error"]
# Methods of a logger that are not called like the level they write at.
_LEVELS = {"warn": "warning", "exception": "error"}
_METHODS = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
}
Format = Literal["auto", "json", "console"]


def configure_logging(level: Level, format: Format, *, stream: BinaryIO | None = None) -> None:
    """Send all logs to `stream` (standard error if None). Can be called again.

    `auto` is console on a terminal, else JSON. Loggers that are bound before the call keep the
    set-up they were bound with.
    """
    stream = sys.stderr.buffer if stream is None else stream
    log_stream = LogStream(stream)
    # What a loop that has ended meanwhile did not write any more.
    atexit.register(log_stream.flush)
    is_console = format == "console" or (format == "auto" and stream.isatty())
    structlog.configure(
        processors=[
            add_exception,
            _Console(colors=stream.isatty()) if is_console else _json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Factory(log_stream),
        cache_logger_on_first_use=False,
    )
    route_library_logs()


def line_writer() -> Callable[[int, dict[str, Any]], None]:
    """Give what writes a whole event at a level, by the processors that are set up now.

    The short way for who writes a line per request: a bound logger copies all fields twice.
    """
    config = structlog.get_config()
    processors, stream = config["processors"], config["logger_factory"]()

    def write(level: int, event: dict[str, Any]) -> None:
        method = _METHODS[level]
        line: Any = event
        try:
            for processor in processors:
                line = processor(stream, method, line)
        except structlog.DropEvent:
            return
        getattr(stream, method)(line)

    return write


class _Factory:
    def __init__(self, stream: LogStream) -> None:
        self._stream = stream

    def __call__(self, *_: object) -> LogStream:
        return self._stream


def _json(_: object, method: str, event: MutableMapping[str, Any]) -> bytes:
    return as_json(_begun(method, event))


def _begun(method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """What every line begins with, then its own."""
    level = _LEVELS.get(method, method)
    return {"timestamp": rfc3339(time.time()), "level": level, "event": None, **event}


class _Console:
    """For people: aligned, without the keys that have nothing to say."""

    def __init__(self, *, colors: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(
            colors=colors,
            sort_keys=False,
        )

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any]) -> bytes:
        try:
            begun = _begun(method, event)
            told = {name: plain(value) for name, value in begun.items() if value is not None}
            text = self._render(logger, method, told)
        except Exception:  # whatever it was, the other renderer writes it
            return _json(logger, method, event)
        return masked(text.encode("utf-8", "backslashreplace"))
