"""Requests from a file or standard input: one JSON document, an array, or JSON lines.

None of them is read whole: a million lines take no more memory than one.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import BinaryIO

import orjson

from worker.cli.failure import UsageFailed
from worker.cli.json_values import JsonValues

_BOM = b"\xef\xbb\xbf"
# An array of all requests may be one line; its beginning is enough to know that.
_LONGEST_START = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """One request as given: the line it starts on, and its bytes.

    `problem` says why there is no request in it. `position` is how far its source was read, in the
    unit of the source's length. `original` is what the user wrote, if that is not the body.
    """

    number: int
    body: bytes
    position: int = 0
    problem: str | None = None
    original: bytes | None = None

    def again(self) -> bytes:
        """Give it as a line of a file that can be mended and read again."""
        if self.original is not None:
            return self.original
        return self.body.replace(b"\r", b" ").replace(b"\n", b" ")


def read_requests(source: str) -> Iterator[Line]:
    """Read FILE, or standard input for `-`; raises UsageFailed when it cannot be read.

    JSON lines are taken one by one, so that one broken line spoils only itself.
    """
    with opened(source) as file:
        yield from requests_in(file)


@contextmanager
def opened(source: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input; whatever cannot be read of it is a UsageFailed."""
    try:
        # Not sys.stdin: a thread that waits in it would break the end of the process.
        with open(0 if source == "-" else source, "rb", closefd=source != "-") as file:
            yield file
    except OSError as error:
        raise UsageFailed(f"cannot read {source}: {error.strerror}") from None


def requests_in(file: BinaryIO) -> Iterator[Line]:
    """Tell by its beginning whether the file holds lines or values over several of them."""
    skipped, number = 0, 1
    while first := file.readline(_LONGEST_START):
        if first.strip():
            break
        skipped += len(first)
        number += 1
    start = first.strip().removeprefix(_BOM)[:1]
    if start not in (b"{", b"[") or (start == b"{" and _is_object(first)):
        yield from _by_line(chain([first], file), number, skipped)
        return
    second = _next_line(file) if start == b"{" else b""
    if _are_lines(first, second.lstrip(b"\r\n")):
        yield from _by_line(chain([first], BytesIO(second), file), number, skipped)
        return
    for value in JsonValues(file, first + second, line=number, position=skipped):
        yield Line(value.line, value.body, value.position, value.problem)


def _next_line(file: BinaryIO) -> bytes:
    """Give the next line that holds something, behind the empty ones before it."""
    found = b""
    while line := file.readline(_LONGEST_START):
        found += line
        if line.strip():
            break
    return found


def _are_lines(first: bytes, second: bytes) -> bool:
    """Tell JSON lines whose first is broken from a document over several lines."""
    end = first.rstrip()[-1:]
    return (_is_object(second) and end != b"[") or (second[:1] == b"{" and end not in b"[{,:")


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _by_line(lines: Iterable[bytes], number: int, position: int) -> Iterator[Line]:
    for at, line in enumerate(lines, start=number):
        position += len(line)
        if line.strip():
            yield Line(at, line.strip(), position)
