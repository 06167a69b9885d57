"""Bytes to a JSON object. Total: any bytes whatever end in a document or in problems."""

import json
import re
from collections import Counter
from typing import Any

import orjson

from worker.core.problem import Problem

LARGEST_BODY = 256 * 1024
DEEPEST_NESTING = 32

# Whole strings, also one that never ends. Possessive, so it never backtracks.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_A_BRACKET = bytes(byte for byte in range(256) if byte not in b"[]{}")
_LOOSE_COLON = re.compile(rb"[ \n\r\t]:")
_OPENING = frozenset(b"[{")
_NOT_NUMBERS = re.compile(r"-?(?:NaN|Infinity)")
_PRINTABLE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

_JSON_NAMES = {
    list: "an array",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def decode(body: bytes) -> dict[str, Any] | list[Problem]:
    """Read one JSON object, or say in one problem why there is none.

    Refuses what JSON readers disagree on (repeated names, NaN, a byte order mark), because
    what the producer's tools see must be what is sent.
    """
    if len(body) > LARGEST_BODY:
        return _refused(
            f"is {len(body)} bytes; a request may take at most {LARGEST_BODY} bytes (256 KiB)"
        )
    if not body.strip():
        return _refused("is empty; send one JSON object")
    if _nests_too_deep(body):
        return _refused(f"nests more than {DEEPEST_NESTING} arrays and objects in each other")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _refused(_why_unreadable(body, error))
    if not isinstance(document, dict):
        return _refused(f"must be one JSON object, not {_JSON_NAMES[type(document)]}")
    if _repeats_a_name(body, document):
        return _refused(_repeated_name(body))
    return document


def _refused(sentence: str) -> list[Problem]:
    return [Problem("", sentence)]


def _nests_too_deep(body: bytes) -> bool:
    """Look before the parser does; linear, and brackets within strings do not count."""
    if body.count(b"{") + body.count(b"[") <= DEEPEST_NESTING:
        return False
    depth = 0
    for bracket in _STRINGS.sub(b"", body).translate(None, delete=_NOT_A_BRACKET):
        depth += 1 if bracket in _OPENING else -1
        if depth > DEEPEST_NESTING:
            return True
    return False


def _why_unreadable(body: bytes, error: orjson.JSONDecodeError) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        return "starts with a byte order mark; send UTF-8 without one"
    try:
        text = body.decode()
    except UnicodeDecodeError as undecodable:
        return f"is not UTF-8: byte {undecodable.start} cannot be read; encode the body as UTF-8"
    place = f"at line {error.lineno}, column {error.colno}"
    if "surrogate" in error.msg:
        return f"holds half of a surrogate pair {place}; check how the text was cut"
    # The parser points behind the sign of -Infinity.
    start = error.pos - 1 if text[error.pos - 1 : error.pos] == "-" else error.pos
    not_a_number = _NOT_NUMBERS.match(text, start)
    if not_a_number:
        return f"holds {not_a_number[0]} {place}, which is not JSON; leave the field out"
    return f"is not JSON: {error.msg} {place}"


def _repeats_a_name(body: bytes, document: dict[str, Any]) -> bool:
    """Compare the colons outside the strings with the members read: one each, or some repeat."""
    members = _count_members(document)
    if not _LOOSE_COLON.search(body) and body.count(b'":') == members:
        # Every name is followed by its colon at once, so there are no more names than that.
        return False
    return _STRINGS.sub(b"", body).count(b":") != members


def _count_members(value: dict[str, Any] | list[Any]) -> int:
    """Count the names in all objects; the nesting is bounded by then."""
    if isinstance(value, dict):
        count, children = len(value), iter(value.values())
    else:
        count, children = 0, iter(value)
    for child in children:
        if type(child) is dict or type(child) is list:
            count += _count_members(child)
    return count


def _repeated_name(body: bytes) -> str:
    repeated: list[str] = []

    def remember(members: list[tuple[str, Any]]) -> None:
        counts = Counter(name for name, _ in members)
        repeated.extend(name for name, count in counts.items() if count > 1)

    json.loads(body, object_pairs_hook=remember)
    # A name that is no plain word may be text of the producer's: it stays out of the sentence.
    shown = next((f' "{name}"' for name in repeated if _PRINTABLE_NAME.fullmatch(name)), "")
    return f"gives the field{shown} more than once in one object; JSON readers disagree on those"
