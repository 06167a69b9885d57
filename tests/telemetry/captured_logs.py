"""Logs of a test, written through the real set-up into memory."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import orjson
import structlog

from worker.telemetry.logs import configure_logging


class CapturedLogs:
    """What was written so far."""

    def __init__(self, stream: io.BytesIO) -> None:
        self._stream = stream

    @property
    def raw(self) -> bytes:
        return self._stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Each line as JSON; fails on a line that is not."""
        return [orjson.loads(line) for line in self.raw.splitlines()]


@contextmanager
def captured_logs(
    level: Literal["debug", "info", "warning", "error"] = "debug",
    format: Literal["auto", "json", "console"] = "json",
) -> Iterator[CapturedLogs]:
    stream = io.BytesIO()
    configure_logging(level, format, stream=stream)
    try:
        yield CapturedLogs(stream)
    finally:
        structlog.reset_defaults()
