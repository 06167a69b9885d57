"""Requests from a file or standard input: one JSON document, an array, or JSON lines."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from worker.cli.failure import UsageFailed


@dataclass(frozen=True, slots=True)
class Line:
    """One request as given: the line it starts on, and its bytes."""

    number: int
    body: bytes


def read_requests(source: str) -> Iterator[Line]:
    """Read FILE, or standard input for `-`; raises UsageFailed when it cannot be read.

    A file that is one JSON document holds one request, or several in an array; everything else
    is taken line by line, so that one broken line spoils only itself.
    """
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise UsageFailed(f"cannot read {source}: {error.strerror}") from None
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        yield from _by_line(data)
        return
    if isinstance(document, list):
        for request in document:
            yield Line(1, orjson.dumps(request))
    else:
        yield Line(1, data.strip())


def _by_line(data: bytes) -> Iterator[Line]:
    lines = [line for line in enumerate(data.split(b"\n"), start=1) if line[1].strip()]
    if lines and all(not line.strip().startswith(b"{") for _, line in lines[1:]):
        # A single document over several lines that is broken somewhere.
        yield Line(lines[0][0], data)
        return
    for number, line in lines:
        yield Line(number, line.strip())
