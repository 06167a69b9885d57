"""A table and a template: a request for each row. What is wrong with either is said first."""

import shutil
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import orjson

from worker.cli.failure import UsageFailed
from worker.cli.lines import Line, opened
from worker.cli.sending.table import Row, Table
from worker.cli.sending.template import RowIncomplete, Template
from worker.contract.validator import RequestValidator


@dataclass(frozen=True, slots=True)
class Campaign:
    """Rows that may be read; `total` is how many they are."""

    table: Table
    template: Template
    total: int

    def lines(self) -> Iterator[Line]:
        """Give the request of each row, or why it has none."""
        for position, row in enumerate(self.table.rows(), start=1):
            document = _document(row, self.template)
            body, problem = (
                (b"", document) if isinstance(document, str) else (orjson.dumps(document), None)
            )
            yield Line(row.line, body, position, problem, original=row.raw.rstrip(b"\r\n"))


@contextmanager
def opened_campaign(
    source: str, template: Path, *, delimiter: str | None, encoding: str | None
) -> Iterator[Campaign]:
    """Open and check both; raises UsageFailed before anything can be sent."""
    chosen = Template.read(template)
    with _seekable(source) as file:
        name = "standard input" if source == "-" else source
        table = Table(file, name, delimiter=delimiter, encoding=encoding)
        chosen.check_columns(table.columns, name)
        yield Campaign(table, chosen, _checked(table, chosen))


@contextmanager
def _seekable(source: str) -> Iterator[BinaryIO]:
    """The file, which is read more than once; what cannot be is kept in one until then."""
    with opened(source) as given:
        if given.seekable():
            yield given
            return
        with TemporaryFile() as kept:
            shutil.copyfileobj(given, kept)
            kept.seek(0)
            yield kept


def _checked(table: Table, template: Template) -> int:
    """Count the rows, and look for what would be wrong with all of them or is certainly a slip."""
    total, was_tried = 0, False
    ids = array("q")
    for row in table.rows():
        total += 1
        if was_tried and not template.has_id:
            continue
        document = _document(row, template)
        if isinstance(document, str):
            continue
        if not was_tried:
            _check_template(template, document)
            was_tried = True
        # Eight bytes for each: a million rows are not kept.
        ids.append(hash(_key(document)))
    if template.has_id:
        _check_ids(table, template, ids)
    return total


def _check_template(template: Template, document: dict[str, Any]) -> None:
    problems = [p for p in RequestValidator().problems(document) if template.is_to_blame(p)]
    if problems:
        said = "\n".join(f"  {p.pointer or '(the request)'}: {p.message}" for p in problems)
        raise UsageFailed(f"{template.name} gives no valid request:\n{said}")


def _check_ids(table: Table, template: Template, ids: "array[int]") -> None:
    """Refuse rows that share an id and say something else: the second would not be sent."""
    twice, last = set(), None
    for each in sorted(ids):
        if each == last:
            twice.add(each)
        last = each
    if not twice:
        return
    first: dict[str, tuple[int, bytes]] = {}
    for row in table.rows():
        document = _document(row, template)
        if isinstance(document, str) or hash(_key(document)) not in twice:
            continue
        key, body = _key(document), orjson.dumps(document)
        line, earlier = first.setdefault(key, (row.line, body))
        if earlier != body:
            raise UsageFailed(
                f"the rows on lines {line} and {row.line} differ and get the same id "
                f"{document['id']!r}; put a column into the /id of {template.name} that tells "
                "them apart, or leave /id out"
            )


def _key(document: dict[str, Any]) -> str:
    return f"{document.get('account_id')} {document['id']}"


def _document(row: Row, template: Template) -> dict[str, Any] | str:
    """Give the request of a row, or why it has none."""
    if row.cells is None:
        return row.problem or "is no row"
    try:
        return template.fill(row.cells)
    except RowIncomplete as incomplete:
        return str(incomplete)
