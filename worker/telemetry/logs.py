"""Sets up structlog: one line per event, JSON or, on a terminal, for people.

Our own events do not pass through the standard library's logging; what libraries log there comes
into the same stream.
"""

import sys
from collections.abc import MutableMapping
from typing import Any, BinaryIO, Literal

import structlog

from worker.telemetry.exception_text import add_exception
from worker.telemetry.library_logs import route_library_logs
from worker.telemetry.log_stream import LogStream
from worker.telemetry.plain_json import as_json, plain
from worker.telemetry.redaction import masked

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]


def configure_logging(level: Level, format: Format, *, stream: BinaryIO | None = None) -> None:
    """Send all logs to `stream` (standard error if None). Can be called again.

    `auto` is console on a terminal, else JSON. Loggers that are bound before the call keep the
    set-up they were bound with.
    """
    stream = sys.stderr.buffer if stream is None else stream
    is_console = format == "console" or (format == "auto" and stream.isatty())
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            add_exception,
            _Console(colors=stream.isatty()) if is_console else _json,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Factory(LogStream(stream)),
        cache_logger_on_first_use=False,
    )
    route_library_logs()


class _Factory:
    def __init__(self, stream: LogStream) -> None:
        self._stream = stream

    def __call__(self, *_: object) -> LogStream:
        return self._stream


def _json(_: object, __: str, event: MutableMapping[str, Any]) -> bytes:
    first = {name: event.pop(name) for name in ("timestamp", "level", "event")}
    return as_json({**first, **event})


class _Console:
    """For people: aligned, without the keys that have nothing to say."""

    def __init__(self, *, colors: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(
            colors=colors,
            sort_keys=False,
        )

    def __call__(self, logger: object, method: str, event: MutableMapping[str, Any]) -> bytes:
        try:
            told = {name: plain(value) for name, value in event.items() if value is not None}
            text = self._render(logger, method, told)
        except Exception:  # whatever it was, the other renderer writes it
            return _json(logger, method, event)
        return masked(text.encode("utf-8", "backslashreplace"))
