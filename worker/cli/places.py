"""Finds where in a JSON text the value of a JSON Pointer stands."""

import json
import re
from dataclasses import dataclass

import orjson

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(r"[^\[\]{},\s]+")
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """A line and a column of a text, both from 1."""

    line: int
    column: int


def place_of(body: bytes, pointer: str) -> Place:
    """Find the value, the deepest of those around it that is there, or where it is no JSON."""
    text = body.decode("utf-8", "replace")
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return Place(error.lineno, error.colno)
    at = _end(_SPACE, text, 0)
    for token in pointer.split("/")[1:]:
        found = _child(text, at, token.replace("~1", "/").replace("~0", "~"))
        if found is None:
            break
        at = found
    return _place(text, at)


def _child(text: str, at: int, name: str) -> int | None:
    """Find a member of the object that begins here by its name, or an item by its number."""
    kind, number = text[at], 0
    at = _end(_SPACE, text, at + 1)
    while kind in "{[" and text[at] not in "}]":
        key = str(number)
        if kind == "{":
            end = _end(_STRING, text, at)
            key = json.loads(text[at:end])
            at = _end(_SPACE, text, _end(_SPACE, text, end) + 1)
        if key == name:
            return at
        number += 1
        at = _end(_SPACE, text, _end_of_value(text, at))
        if text[at] == ",":
            at = _end(_SPACE, text, at + 1)
    return None


def _end_of_value(text: str, at: int) -> int:
    if text[at] not in "{[":
        return _end(_STRING if text[at] == '"' else _SCALAR, text, at)
    depth = 0
    for token in _TOKEN.finditer(text, at):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    raise AssertionError("it is JSON: what opens closes")


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found is not None, "it is JSON"
    return found.end()


def _place(text: str, at: int) -> Place:
    return Place(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at))
