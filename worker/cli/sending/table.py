"""A table as CSV: its rows one by one, each with the lines it stands on."""

import codecs
import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from worker.cli.failure import UsageFailed

_BOMS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# Comma first: the most frequent wins, and the first of equals.
_DELIMITERS = ",;\t|"
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_CHUNK = 64 * 1024
_NAMED = {"tab": "\t", "\\t": "\t"}


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its first line, its cells by column (None if they are too few or too many)."""

    line: int
    cells: Mapping[str, str] | None
    problem: str | None
    raw: bytes


class Table:
    """Reads a file that can be read again. Raises UsageFailed for what is no table at all."""

    def __init__(
        self, file: BinaryIO, name: str, *, delimiter: str | None, encoding: str | None
    ) -> None:
        self._file = file
        self._name = name
        start = file.read(4)
        found = next((each for bom, each in _BOMS.items() if start.startswith(bom)), "utf-8")
        self._encoding = found if encoding is None else _encoding(encoding, found)
        self._delimiter = _delimiter(delimiter) if delimiter else self._sniffed()
        self.header = b""
        self.columns = self._columns()

    def rows(self) -> Iterator[Row]:
        """Give the rows behind the header, from the beginning each time."""
        records = self._records()
        next(records)
        for line, cells, raw in records:
            if not any(cells):
                continue
            if len(cells) != len(self.columns):
                problem = f"has {len(cells)} cells; the header has {len(self.columns)}"
                yield Row(line, None, problem, raw)
            else:
                stripped = (cell.strip() for cell in cells)
                yield Row(line, dict(zip(self.columns, stripped, strict=True)), None, raw)

    def _columns(self) -> list[str]:
        first = next(self._records(), None)
        if first is None:
            raise UsageFailed(f"{self._name} is empty; its first line must name the columns")
        _, cells, self.header = first
        names = [cell.strip() for cell in cells]
        if twice := sorted({name for name in names if name and names.count(name) > 1}):
            raise UsageFailed(f"{self._name}: the header names {', '.join(twice)} more than once")
        return names

    def _records(self) -> Iterator[tuple[int, list[str], bytes]]:
        lines: list[str] = []
        self._file.seek(0)

        def tapped() -> Iterator[str]:
            for line in self._lines():
                lines.append(line)
                yield line

        reader = csv.reader(tapped(), delimiter=self._delimiter, strict=True)
        begins = 1
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise UsageFailed(
                    f"{self._name}, line {begins}: is not CSV: {error}; look at its quotes"
                ) from None
            if cells is None:
                return
            if cells:
                yield begins, cells, self._bytes("".join(lines))
            begins = reader.line_num + 1
            lines.clear()

    def _lines(self) -> Iterator[str]:
        """Decode line by line, to know where it fails; UTF-16 cannot be cut before."""
        if self._encoding.startswith(("utf-16", "utf-32")):
            yield from self._wide_lines()
            return
        for number, line in enumerate(self._file, start=1):
            try:
                yield line.decode(self._encoding if number == 1 else self._plain)
            except UnicodeDecodeError as error:
                raise UsageFailed(
                    f"{self._name}, line {number}: byte {error.start + 1} is not "
                    f"{self._encoding.upper()}; name its encoding, "
                    "like --encoding cp1252 for a file of Excel"
                ) from None

    def _wide_lines(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder(self._encoding)()
        rest, chunk = "", b"begin"
        try:
            while chunk:
                chunk = self._file.read(_CHUNK)
                *lines, rest = (rest + decoder.decode(chunk, final=not chunk)).split("\n")
                yield from (f"{line}\n" for line in lines)
        except UnicodeDecodeError as error:
            raise UsageFailed(f"{self._name} is not {self._encoding}: {error.reason}") from None
        if rest:
            yield rest

    @property
    def _plain(self) -> str:
        return "utf-8" if self._encoding == "utf-8-sig" else self._encoding

    def _bytes(self, text: str) -> bytes:
        """Write it as it was; what was UTF-16 becomes UTF-8, whose lines can be copied."""
        return text.encode("utf-8" if self._encoding.startswith("utf-") else self._encoding)

    def _sniffed(self) -> str:
        self._file.seek(0)
        header = _QUOTED.sub("", next(iter(self._lines()), ""))
        return max(_DELIMITERS, key=header.count)


def _encoding(given: str, found: str) -> str:
    try:
        "".encode(given)
        name = codecs.lookup(given).name
    except LookupError:
        raise UsageFailed(f"--encoding: Python knows no {given!r} for text") from None
    return name if found == "utf-8" else found  # the mark at its beginning knows better


def _delimiter(given: str) -> str:
    delimiter = _NAMED.get(given, given)
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise UsageFailed(f"--delimiter: {given!r} is not one character, or tab")
    return delimiter
