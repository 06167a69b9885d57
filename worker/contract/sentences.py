"""Turns schema errors into problems: one pointer and one sentence each, never a quoted value.

Producers' texts must not reach logs and headers, so a sentence speaks of types, lengths and
known names only. The title of a rule in the schemas completes "must be …".
"""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from jsonschema_rs import ValidationError, ValidationErrorKind

from worker.contract.pointer import is_plain_name, pointer_to, value_at
from worker.contract.schema_files import rule_at
from worker.contract.unknown_fields import sentence_for_unknown
from worker.core.problem import Problem

_WANTED = {
    "string": "a string in quotes",
    "object": "an object in braces",
    "array": "an array in brackets",
    "boolean": "true or false",
    "null": "null",
    "integer": "a whole number",
    "number": "a number",
}
_UNKNOWN_COMPARED = 30
_GIVEN: dict[type, str] = {
    str: "a string",
    dict: "an object",
    list: "an array",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def problems_of(error: ValidationError, document: Any) -> Iterator[Problem]:
    """Give the problems of one schema error.

    `document` is the request as the producer sent it: sizes are taken from there, since the
    error may come from a shortened copy. A missing field is reported where it should be.
    """
    path, kind = error.instance_path, error.kind
    match kind:
        case ValidationErrorKind.Required():
            yield Problem(pointer_to([*path, kind.property]), "is missing")
        case ValidationErrorKind.AdditionalProperties():
            yield from _unknown_fields(path, kind.unexpected, _rule_of(error))
        case _:
            yield Problem(pointer_to(path), _sentence(error, value_at(document, path)))


def is_about_type(error: ValidationError) -> bool:
    """True when the value is of the wrong type, which makes other complaints about it noise."""
    return isinstance(error.kind, ValidationErrorKind.Type)


def _unknown_fields(
    path: list[str | int], unexpected: list[str], rule: dict[str, Any]
) -> Iterator[Problem]:
    known = [name for name, field in rule["properties"].items() if "not" not in field]
    for index, name in enumerate(unexpected):
        if is_plain_name(name):
            # The search for a similar name is slow, and a hostile request may hold thousands.
            nearby = known if index < _UNKNOWN_COMPARED else ()
            yield Problem(pointer_to([*path, name]), sentence_for_unknown(name, nearby))
        else:
            sentence = f"has an unknown field with an unusual name of {len(name)} characters"
            yield Problem(pointer_to(path), sentence)


def _sentence(error: ValidationError, value: Any) -> str:
    kind, title = error.kind, _title_of(error)
    match kind:
        case ValidationErrorKind.Type():
            return f"must be {_either(_WANTED[name] for name in kind.types)}, not {_given(value)}"
        case ValidationErrorKind.Enum():
            return _one_of(kind.options, value)
        case ValidationErrorKind.MinLength() | ValidationErrorKind.MinItems() if not value:
            return "must not be empty"
        case _ if title:
            return f"must be {title}"
        case ValidationErrorKind.MaxLength():
            return f"is {len(value)} characters long; at most {kind.limit} are allowed"
        case ValidationErrorKind.MaxItems():
            return f"has {len(value)} items; at most {kind.limit} are allowed"
        case _:
            return f"breaks the rule {kind.name!r} of the schema"


def _one_of(options: list[Any], value: Any) -> str:
    names = [str(option) for option in options]
    sentence = f"must be {_either(names)}"
    near = _nearest(value, names)
    return f'{sentence}; did you mean "{near}"?' if near and len(names) > 1 else sentence


def _nearest(value: Any, names: list[str]) -> str | None:
    if not isinstance(value, str) or not is_plain_name(value):
        return None
    by_lower = {name.lower(): name for name in names}
    near = get_close_matches(value.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def _either(names: Iterator[str] | list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def _given(value: Any) -> str:
    return _GIVEN.get(type(value), "a value that JSON does not have")


def _rule_of(error: ValidationError) -> dict[str, Any]:
    return rule_at(error.absolute_keyword_location) if error.absolute_keyword_location else {}


def _title_of(error: ValidationError) -> str | None:
    """Give the title of the broken rule; titles of whole files are headings, no rules."""
    rule = _rule_of(error)
    title: str | None = rule.get("title")
    return None if "$id" in rule else title
