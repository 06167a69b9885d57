"""Finds, reads and compiles the JSON Schemas, in an installed wheel as in a checkout."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import orjson
from jsonschema_rs import Draft202012Validator, Registry

SEND_REQUEST = "urn:igsend:send-request:v1"
OUTCOME = "urn:igsend:outcome:v1"
DEAD_LETTER_HEADERS = "urn:igsend:dead-letter-headers:v1"

_MARK = "send-request.v1.json"
_EXAMPLES = "examples"


class SchemasMissing(Exception):
    """The installation is incomplete: no schema files where they belong."""


def schema_directory() -> Traversable:
    """Give the folder of the schemas; raises SchemasMissing when there is none.

    A wheel carries them inside the package; a checkout (also an editable install) has them at
    the top, next to the package.
    """
    inside_wheel = files("worker.contract") / "schemas"
    checkout = Path(__file__).resolve().parents[2] / "schemas"
    return first_with_schemas([inside_wheel, checkout])


def first_with_schemas(places: Sequence[Traversable]) -> Traversable:
    """Give the first place that holds them; raises SchemasMissing with the places looked at."""
    for place in places:
        if (place / _MARK).is_file():
            return place
    raise SchemasMissing(
        f"no {_MARK} in {' or '.join(map(str, places))}: install igsend again from a complete "
        "wheel, or run it from a complete checkout"
    )


@cache
def schemas() -> Mapping[str, dict[str, Any]]:
    """Give every schema by its `$id`."""
    found = (orjson.loads(file.read_bytes()) for file in _schema_files(schema_directory()))
    return {schema["$id"]: schema for schema in found}


@cache
def compiled(schema_id: str) -> Draft202012Validator:
    """Compile one schema with everything it refers to; KeyError for an unknown id."""
    return compiled_from(schemas(), schema_id)


def compiled_from(those: Mapping[str, dict[str, Any]], schema_id: str) -> Draft202012Validator:
    """Compile one of those schemas.

    `format` is checked, as Ajv does with ajv-formats; references are never fetched.
    """
    return Draft202012Validator(
        those[schema_id],
        registry=Registry(list(those.items())),
        validate_formats=True,
        offline=True,
    )


def rule_at(keyword_location: str) -> dict[str, Any]:
    """Give the schema that holds the keyword at `<$id>#<JSON Pointer>`."""
    schema_id, _, pointer = keyword_location.partition("#")
    rule: Any = schemas()[schema_id]
    for token in pointer.split("/")[1:-1]:
        step = token.replace("~1", "/").replace("~0", "~")
        rule = rule[int(step)] if isinstance(rule, list) else rule[step]
    # The keyword itself may sit in a list of rules (allOf/0); only objects hold keywords.
    return rule if isinstance(rule, dict) else {}


def _schema_files(directory: Traversable) -> Iterator[Traversable]:
    for entry in sorted(directory.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name != _EXAMPLES:
            yield from _schema_files(entry)
        elif entry.name.endswith(".json"):
            yield entry
