"""The schema files are themselves in order: well-formed, complete, described, all in use."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.contract.corpus import EXAMPLES
from worker.contract.schema_files import (
    DEAD_LETTER_HEADERS,
    OUTCOME,
    SEND_REQUEST,
    SchemasMissing,
    compiled,
    first_with_schemas,
    rule_at,
    schema_directory,
    schemas,
)

_FOLDER = EXAMPLES.parent
_ENTRY_POINTS = (SEND_REQUEST, OUTCOME, DEAD_LETTER_HEADERS)


def _rules(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for child in children:
            yield from _rules(child)


def _references(schema: dict[str, Any]) -> list[str]:
    own = schema["$id"]
    found = [rule["$ref"] for rule in _rules(schema) if isinstance(rule.get("$ref"), str)]
    return [own + reference if reference.startswith("#") else reference for reference in found]


@pytest.mark.parametrize("schema_id", schemas())
def test_schema_is_valid_against_the_2020_12_metaschema(schema_id: str) -> None:
    schema = schemas()[schema_id]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(schema)


@pytest.mark.parametrize("schema_id", schemas())
def test_every_reference_in_the_schema_resolves(schema_id: str) -> None:
    for reference in _references(schemas()[schema_id]):
        target, _, fragment = reference.partition("#")
        assert target in schemas(), reference
        assert rule_at(f"{target}#{fragment}/keyword"), reference


def _defined_fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Give the properties that a schema defines; those in an `if` are only asked for."""
    if isinstance(value, list):
        for child in value:
            yield from _defined_fields(child)
    if isinstance(value, dict):
        for keyword, child in value.items():
            if keyword == "properties":
                yield from child.items()
                yield from _defined_fields(list(child.values()))
            elif keyword != "if":
                yield from _defined_fields(child)


@pytest.mark.parametrize("schema_id", schemas())
def test_every_property_that_the_schema_defines_is_described(schema_id: str) -> None:
    schema = schemas()[schema_id]
    assert schema["title"]
    assert schema["description"]
    undescribed = [name for name, field in _defined_fields(schema) if not field.get("description")]
    assert undescribed == []


def test_every_schema_is_reached_from_an_entry_point() -> None:
    reached: set[str] = set()
    waiting = list(_ENTRY_POINTS)
    while waiting:
        schema_id = waiting.pop()
        if schema_id not in reached:
            reached.add(schema_id)
            waiting += [ref.partition("#")[0] for ref in _references(schemas()[schema_id])]
    assert reached == set(schemas())


def test_the_readme_names_every_schema_file() -> None:
    readme = (_FOLDER / "README.md").read_text()
    files = [path for path in _FOLDER.rglob("*.json") if EXAMPLES not in path.parents]
    assert len(files) == len(schemas())
    for file in files:
        assert f"`{file.relative_to(_FOLDER)}`" in readme


def test_no_schema_offers_alternatives_whose_errors_would_be_vague() -> None:
    for schema in schemas().values():
        for rule in _rules(schema):
            assert not {"oneOf", "anyOf"} & rule.keys(), schema["$id"]


def test_patterns_use_only_what_all_engines_read_alike() -> None:
    patterns = [
        rule["pattern"]
        for schema in schemas().values()
        for rule in _rules(schema)
        if isinstance(rule.get("pattern"), str)
    ]
    assert len(patterns) >= 8
    for pattern in patterns:
        # Shorthand classes differ on non-ASCII text; unanchored patterns match inside.
        assert not re.search(r"\\[dDwWsSbBpP]", pattern), pattern
        assert pattern.startswith("^"), pattern
        assert pattern.endswith("$"), pattern


def test_schemas_are_found_in_the_first_place_that_has_them(tmp_path: Path) -> None:
    wheel, checkout = tmp_path / "wheel", tmp_path / "checkout"
    wheel.mkdir()
    checkout.mkdir()
    (checkout / "send-request.v1.json").write_text("{}")
    assert first_with_schemas([wheel, checkout]) == checkout
    (wheel / "send-request.v1.json").write_text("{}")
    assert first_with_schemas([wheel, checkout]) == wheel


def test_missing_schemas_are_an_error_that_says_where_they_were_sought(tmp_path: Path) -> None:
    with pytest.raises(SchemasMissing, match=re.escape(str(tmp_path))):
        first_with_schemas([tmp_path])


def test_this_checkout_finds_its_schemas() -> None:
    assert (schema_directory() / "outcome.v1.json").is_file()
    assert compiled(OUTCOME) is compiled(OUTCOME)
