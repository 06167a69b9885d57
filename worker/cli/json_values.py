"""Cuts a stream of JSON into its requests without reading it whole, broken or not.

Values may stand one behind the other, or in an array, each over as many lines as it likes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

# A request has 256 KiB at most. What does not end within so much lacks a quote or a bracket.
LONGEST = 16 * 1024 * 1024
_CHUNK = 64 * 1024

# Possessive, so it never backtracks. A quote alone is a string whose end was not read yet.
_TOKEN = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},]|[ \t\r\n]+|[^"\[\]{}, \t\r\n]+|"', re.DOTALL
)
_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Value:
    """One value as it stands there: its first line, its bytes, and how far the stream was read."""

    line: int
    body: bytes
    position: int
    problem: str | None = None


class JsonValues:
    """Iterates over the values of a stream; those of an array on top are given one by one.

    `head` was read from the file already; it begins on `line`, `position` bytes from the start.
    """

    def __init__(self, file: BinaryIO, head: bytes, *, line: int, position: int) -> None:
        self._file = file
        self._buffer = head
        self._line = line
        self._dropped = position
        self._at = 0
        # Where the value that is being read begins, and how deep it is nested here.
        self._start: int | None = None
        self._depth = 0
        self._array_line: int | None = None

    def __iter__(self) -> Iterator[Value]:
        while True:
            token = _TOKEN.match(self._buffer, self._at)
            if token is None or token[0] == b'"':
                if self._start is not None and len(self._buffer) - self._start > LONGEST:
                    yield self._broken(
                        "does not end within 16 MiB: a quote or a bracket is missing; "
                        "nothing behind it was read"
                    )
                    return
                if self._read_on():
                    continue
                yield from self._at_the_end()
                return
            if self._start is None:
                self._outside(token[0])
            elif self._ends_before(token[0]):
                yield self._value(self._at)
                continue
            self._at = token.end()
            if self._start is not None and self._inside(token[0]):
                yield self._value(self._at)

    def _outside(self, token: bytes) -> None:
        first = token[:1]
        if first in _SPACE or (self._array_line is not None and first == b","):
            return
        if self._array_line is None and first == b"[":
            self._array_line = self._line_at(self._at)
        elif self._array_line is not None and first == b"]":
            self._array_line = None
        else:
            self._start, self._depth = self._at, 0

    def _ends_before(self, token: bytes) -> bool:
        """Whether a value without brackets, like a number, ends here."""
        return self._depth == 0 and token[:1] in b" \t\r\n,]}"

    def _inside(self, token: bytes) -> bool:
        """Count brackets; True when this one closes the value."""
        if token in (b"{", b"["):
            self._depth += 1
        elif token in (b"}", b"]"):
            self._depth -= 1
            return self._depth == 0
        return False

    def _value(self, end: int) -> Value:
        assert self._start is not None, "a value was begun"
        value = Value(
            self._line_at(self._start), self._buffer[self._start : end], self._dropped + end
        )
        self._start, self._depth = None, 0
        return value

    def _at_the_end(self) -> Iterator[Value]:
        if self._start is None and self._at < len(self._buffer):
            self._start = self._at  # a string without an end
        if self._start is not None:
            yield self._value(len(self._buffer))
        elif self._array_line is not None:
            yield self._broken(f"the array that begins on line {self._array_line} is not closed")

    def _broken(self, problem: str) -> Value:
        start = self._start if self._start is not None else self._at
        return Value(self._line_at(start), b"", self._dropped + len(self._buffer), problem)

    def _read_on(self) -> bool:
        """Read some more, and forget what was given; False at the end."""
        chunk = self._file.read1(_CHUNK)  # type: ignore[attr-defined]  # all we open are buffered
        if not chunk:
            return False
        keep = self._at if self._start is None else self._start
        self._line = self._line_at(keep)
        self._buffer = self._buffer[keep:] + chunk
        self._dropped += keep
        self._at -= keep
        self._start = None if self._start is None else 0
        return True

    def _line_at(self, index: int) -> int:
        return self._line + self._buffer.count(b"\n", 0, index)
