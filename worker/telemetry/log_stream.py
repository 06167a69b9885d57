"""Where log lines go: a byte stream that never stops the worker when it cannot be written."""

from typing import BinaryIO

import orjson


class LogStream:
    """Writes whole lines. Lines that cannot be written (a full disk, a reader that has gone) are
    counted, and the count is written as soon as there is room again.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lost = 0

    def msg(self, line: bytes) -> None:
        """Write one line; the end of line is added here."""
        try:
            if self._lost:
                notice = {"event": "log lines were lost", "level": "error", "lines": self._lost}
                self._stream.write(orjson.dumps(notice) + b"\n")
                self._lost = 0
            self._stream.write(line + b"\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            self._lost += 1

    debug = info = warning = error = critical = msg
