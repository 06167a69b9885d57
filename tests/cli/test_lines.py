"""Requests are cut out of whatever they come in: lines, arrays, documents, broken or not."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

from worker.cli.json_values import LONGEST
from worker.cli.lines import Line, requests_in

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def lines_of(given: bytes) -> list[Line]:
    return list(requests_in(io.BytesIO(given)))


def found(given: bytes) -> list[tuple[int, bytes]]:
    return [(line.number, line.body) for line in lines_of(given)]


CASES: dict[bytes, list[tuple[int, bytes]]] = {
    b"": [],
    b"\n \n": [],
    b"null": [(1, b"null")],
    b'\n{"a":1}\n\n{"b":2}\n': [(2, b'{"a":1}'), (4, b'{"b":2}')],
    b'{"a":1}\r\n{"b":2}\r\n': [(1, b'{"a":1}'), (2, b'{"b":2}')],
    b'{\n"a":1\n}\n{\n"b":2}\n': [(1, b'{\n"a":1\n}'), (4, b'{\n"b":2}')],
    b'[{"a":1},\n {"b":[1,\n2]} ]\n': [(1, b'{"a":1}'), (2, b'{"b":[1,\n2]}')],
    b"[]": [],
    b'[1, "]", []]': [(1, b"1"), (1, b'"]"'), (1, b"[]")],
    b'[{"a":"x]\\"}"}, {"b":2}]': [(1, b'{"a":"x]\\"}"}'), (1, b'{"b":2}')],
    b'{"id": "x", "messages": [\n{"text":"a"}\n]}': [
        (1, b'{"id": "x", "messages": [\n{"text":"a"}\n]}')
    ],
    b'\xef\xbb\xbf{\n"a":1}\n': [(1, b'\xef\xbb\xbf{\n"a":1}')],
    # Broken lines spoil themselves, also the first.
    b'{oops\n{"a":1}\n': [(1, b"{oops"), (2, b'{"a":1}')],
    b'{oops\n\n{also\n{"a":1}\n': [(1, b"{oops"), (3, b"{also"), (4, b'{"a":1}')],
    b'"text"\n{"a":1}': [(1, b'"text"'), (2, b'{"a":1}')],
    b'{"a":1}}\n{"b":1}': [(1, b'{"a":1}}'), (2, b'{"b":1}')],
    b'{\n"a":\n"x': [(1, b'{\n"a":\n"x')],
}


@pytest.mark.parametrize("given", CASES, ids=repr)
def test_requests_are_found_with_the_lines_they_begin_on(given: bytes) -> None:
    assert found(given) == CASES[given]


def test_array_that_is_not_closed_is_told_behind_what_it_holds() -> None:
    *whole, last = lines_of(b'[{"a":1},\n{"b":2}\n')
    assert [line.body for line in whole] == [b'{"a":1}', b'{"b":2}']
    assert last.problem == "the array that begins on line 1 is not closed"


def test_value_that_never_ends_is_not_read_for_ever() -> None:
    (line,) = lines_of(b'[{"a":"' + b"x" * (LONGEST + 100_000))
    assert line.problem is not None
    assert "a quote or a bracket is missing" in line.problem


@pytest.mark.parametrize("indent", [None, 1])
def test_what_is_found_is_the_same_for_every_way_of_writing_it(indent: int | None) -> None:
    documents = [{"id": str(n), "text": 'x"]}\\' * 9, "n": [n, {"a": None}]} for n in range(3000)]
    given = json.dumps(documents, indent=indent).encode()
    lines = lines_of(given)
    assert [json.loads(line.body) for line in lines] == documents
    assert [line.number for line in lines] == [
        given[: line.position].count(b"\n") - line.body.count(b"\n") + 1 for line in lines
    ]


class Endless(io.RawIOBase):
    """A file of a great many requests, made while it is read."""

    def __init__(self, begin: bytes, each: bytes, end: bytes, count: int) -> None:
        self._pieces = self._all(begin, each, end, count)
        self._rest = b""

    def _all(self, begin: bytes, each: bytes, end: bytes, count: int) -> Iterator[bytes]:
        yield begin
        for _ in range(count):
            yield each
        yield end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        target = memoryview(buffer)
        while len(self._rest) < len(target) and (piece := next(self._pieces, None)) is not None:
            self._rest += piece
        size = min(len(target), len(self._rest))
        target[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


@pytest.mark.parametrize(
    ("begin", "each", "end"),
    [
        (b"", b'{"text":"%s"}\n' % (b"x" * 400), b""),
        (b"[0", b',{"text":"%s"}' % (b"x" * 400), b"]"),
    ],
    ids=["lines", "an array on one line"],
)
def test_file_is_not_held_in_memory(begin: bytes, each: bytes, end: bytes) -> None:
    raw: io.RawIOBase = Endless(begin, each, end, 50_000)  # 20 MB
    file = io.BufferedReader(cast(io.FileIO, raw))
    tracemalloc.start()
    count = sum(1 for _ in requests_in(file))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count >= 50_000
    assert most < 5_000_000


def test_line_can_be_given_again_as_one_line() -> None:
    (line,) = lines_of(b'{\n"a":\r\n1\n}')
    assert line.again() == b'{ "a":  1 }'
