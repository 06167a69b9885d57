"""Documents to check: the examples of schemas/, and thousands derived from them by rule."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from worker.contract.schema_files import DEAD_LETTER_HEADERS, OUTCOME, SEND_REQUEST

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
SCHEMA_OF_FOLDER = {
    "valid": SEND_REQUEST,
    "invalid": SEND_REQUEST,
    "outcome": OUTCOME,
    "dead-letter-headers": DEAD_LETTER_HEADERS,
}
_REMOVED = object()
_REPLACEMENTS: tuple[Any, ...] = (
    _REMOVED,
    None,
    0,
    1.5,
    True,
    "",
    "x",
    "é" * 1001,
    [],
    {},
    ["x"],
    [{}] * 14,
)


def examples(folder: str) -> dict[str, Any]:
    """Give the examples of one folder by name, as they stand in their files."""
    files = sorted((EXAMPLES / folder).glob("*.json"))
    return {file.stem: json.loads(file.read_text()) for file in files}


def example_documents() -> Iterator[tuple[str, str, Any]]:
    """Give every example as (name, id of its schema, document)."""
    for folder, schema_id in SCHEMA_OF_FOLDER.items():
        for name, example in examples(folder).items():
            document = example["request"] if folder == "invalid" else example
            yield f"{folder}/{name}", schema_id, document


def a_request(**fields: Any) -> dict[str, Any]:
    """Build a valid text request; a field given as None is left out."""
    request = {
        "id": "crm-2026-000123",
        "account_id": "17841405822304914",
        "recipient": {"id": "6789012345"},
        "message": {"text": "Your order is on its way."},
        **fields,
    }
    return {name: value for name, value in request.items() if value is not None}


def variants(document: Any) -> Iterator[Any]:
    """Give the document with each part, one at a time, removed, replaced or added to."""
    for path in _paths(document):
        for value in _REPLACEMENTS if path else ():
            yield _with(document, path, value)
        if isinstance(_at(document, path), dict):
            yield _with(document, (*path, "surprise"), 1)


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    steps: list[Any] = list(value) if isinstance(value, dict) else []
    if isinstance(value, list):
        steps = list(range(len(value)))
    for step in steps:
        yield from _paths(value[step], (*path, step))


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def _with(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    parent = _at(changed, path[:-1])
    if value is _REMOVED:
        del parent[path[-1]]
    else:
        parent[path[-1]] = copy.deepcopy(value)
    return changed
