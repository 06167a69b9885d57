"""A request with placeholders for the columns of a table: `{{column}}`, `{{column|otherwise}}`."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import orjson

from worker.cli.failure import UsageFailed
from worker.contract.decode import decode
from worker.core.problem import Problem

# `\{{` is no placeholder but two braces.
_PLACEHOLDER = re.compile(r"\\\{\{|\{\{([^{}|]*)(?:\|([^{}]*))?\}\}")
_ID_LENGTH = 32
_UNKNOWN_FIELD = ("is not a known field", "has an unknown field")
_BOM = b"\xef\xbb\xbf"


class RowIncomplete(Exception):
    """A row lacks what the template needs of it. The text is for a person."""


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Stands for the cell of a column; `otherwise` for one that is empty."""

    column: str
    otherwise: str | None


Piece = str | Placeholder


class Template:
    """Fills rows into the string values of a JSON request; nothing in a cell can break the JSON."""

    def __init__(self, document: dict[str, Any], name: str) -> None:
        self.name = name
        self._document = {key: _compiled(value, f"/{key}", name) for key, value in document.items()}
        self.columns = {each.column for each in _placeholders(self._document)}
        self._needed = sorted(
            {each.column for each in _placeholders(self._document) if each.otherwise is None}
        )
        if "id" in document and not any(_placeholders(self._document["id"])):
            raise UsageFailed(
                f"{name}: /id has no placeholder, so that every row would have the same id; put a "
                'column into it, like "spring-{{customer}}", or leave it out: then igsend makes '
                "one of what the row says"
            )
        self.has_id = "id" in document

    @classmethod
    def read(cls, path: Path) -> "Template":
        """Read it; raises UsageFailed that says what is wrong."""
        try:
            document = decode(path.read_bytes().removeprefix(_BOM))
        except OSError as error:
            raise UsageFailed(f"cannot read {path}: {error.strerror}") from None
        if isinstance(document, list):
            raise UsageFailed(f"{path}: {document[0].message}")
        return cls(document, str(path))

    def check_columns(self, columns: Iterable[str], source: str) -> None:
        """Raise UsageFailed when a placeholder has no column."""
        known = list(columns)
        unknown = sorted(self.columns - set(known))
        if not unknown:
            return
        said = []
        for name in unknown:
            near = get_close_matches(name, known, n=1)
            said.append(f"{{{{{name}}}}}" + (f" (did you mean {{{{{near[0]}}}}}?)" if near else ""))
        raise UsageFailed(
            f"{self.name}: {source} has no column for {', '.join(said)}; its columns are "
            f"{', '.join(known)}"
        )

    def fill(self, row: Mapping[str, str]) -> dict[str, Any]:
        """Give the request of a row. Raises RowIncomplete for empty cells that it needs."""
        if missing := [column for column in self._needed if not row[column]]:
            raise RowIncomplete(
                f"the cell of {', '.join(missing)} is empty; fill it, or give the template what to "
                f"say otherwise: {{{{{missing[0]}|…}}}}"
            )
        document: dict[str, Any] = _filled(self._document, row)
        if not self.has_id:
            said = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
            document = {"id": f"row-{hashlib.sha256(said).hexdigest()[:_ID_LENGTH]}", **document}
        return document

    def is_to_blame(self, problem: Problem) -> bool:
        """Whether what is wrong stands in the template itself, whatever the row says."""
        if problem.message.startswith(_UNKNOWN_FIELD):
            return True  # names are never of a row
        value: Any = self._document
        for token in problem.pointer.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and name in value:
                value = value[name]
            elif isinstance(value, list) and name.isdigit() and int(name) < len(value):
                value = value[int(name)]
            else:
                return True  # missing
        return not any(_placeholders(value))


def _compiled(value: Any, pointer: str, name: str) -> Any:
    """Cut strings with placeholders into tuples of pieces; all else stays as it is."""
    if isinstance(value, dict):
        for key in value:
            if "{{" in key:
                raise UsageFailed(f"{name}: {pointer}: placeholders go into values, not into names")
        return {key: _compiled(child, f"{pointer}/{key}", name) for key, child in value.items()}
    if isinstance(value, list):
        return [_compiled(child, f"{pointer}/{n}", name) for n, child in enumerate(value)]
    if isinstance(value, str) and "{{" in value:
        return _pieces(value, pointer, name)
    return value


def _pieces(text: str, pointer: str, name: str) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    at = 0
    for found in _PLACEHOLDER.finditer(text):
        pieces.append(_literal(text[at : found.start()], pointer, name))
        at = found.end()
        if found[1] is None:
            pieces.append("{{")
        elif not found[1].strip():
            raise UsageFailed(f"{name}: {pointer}: the placeholder {found[0]} names no column")
        else:
            otherwise = None if found[2] is None else found[2].strip()
            pieces.append(Placeholder(found[1].strip(), otherwise))
    pieces.append(_literal(text[at:], pointer, name))
    return tuple(piece for piece in pieces if piece != "")


def _literal(text: str, pointer: str, name: str) -> str:
    if "{{" in text:
        raise UsageFailed(
            f"{name}: {pointer}: a placeholder is not closed; write {{{{column}}}}, or "
            "\\\\{{ for two braces"
        )
    return text


def _placeholders(value: Any) -> Iterator[Placeholder]:
    if isinstance(value, Placeholder):
        yield value
    elif isinstance(value, dict | list | tuple):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _placeholders(child)


def _filled(value: Any, row: Mapping[str, str]) -> Any:
    if isinstance(value, tuple):
        return "".join(
            piece if isinstance(piece, str) else row[piece.column] or piece.otherwise or ""
            for piece in value
        )
    if isinstance(value, dict):
        return {key: _filled(child, row) for key, child in value.items()}
    if isinstance(value, list):
        return [_filled(child, row) for child in value]
    return value
