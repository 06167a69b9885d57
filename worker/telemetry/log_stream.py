"""Where log lines go: a byte stream that never stops the worker when it cannot be written."""

import asyncio
from collections import deque
from typing import BinaryIO

import orjson


class LogStream:
    """Writes whole lines. Lines that cannot be written (a full disk, a reader that has gone) are
    counted, and the count is written as soon as there is room again.

    Within an event loop the lines of one turn go out together at its end; warnings and worse at
    once, with all that came before them. Any thread may write.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lines: deque[bytes] = deque()
        self._lost = 0

    def msg(self, line: bytes) -> None:
        """Write one line soon; the end of line is added here."""
        self._lines.append(line)
        if len(self._lines) > 1:
            # Whoever wrote the first has seen to it.
            return
        try:
            asyncio.get_running_loop().call_soon(self.flush)
        except RuntimeError:  # no loop in this thread
            self.flush()

    def msg_now(self, line: bytes) -> None:
        """Write one line at once: it may be the last."""
        self._lines.append(line)
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        lines = []
        while self._lines:
            lines.append(self._lines.popleft())
        if not lines:
            return
        try:
            if self._lost:
                notice = {"event": "log lines were lost", "level": "error", "lines": self._lost}
                self._stream.write(orjson.dumps(notice) + b"\n")
                self._lost = 0
            self._stream.write(b"\n".join(lines) + b"\n")
            self._stream.flush()
        except (OSError, ValueError):  # ValueError: the stream is closed
            self._lost += len(lines)

    debug = info = msg
    warning = error = critical = msg_now
