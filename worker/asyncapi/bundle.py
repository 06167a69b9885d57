"""The JSON Schemas in one piece, with references that stay within an AsyncAPI document.

What they use means the same in draft 07, on which AsyncAPI's own schemas build, except a rule next
to a `$ref`: such rules are put beside it.
"""

from collections.abc import Iterator
from typing import Any

from worker.contract.schema_files import schemas

_FAMILY = "urn:igsend:"
_WHOLE_FILE = frozenset({"$schema", "$id", "$defs"})


def reference_to(schema_id: str) -> dict[str, str]:
    """Refer to a schema by its `$id`, or to one within it (`<$id>#/$defs/<name>`)."""
    return {"$ref": f"#/components/schemas/{_name_of(schema_id)}"}


def bundle_of(*schema_ids: str) -> dict[str, Any]:
    """Give these schemas and all that they refer to, by name."""
    bundled: dict[str, Any] = {}
    waiting = list(schema_ids)
    while waiting:
        schema_id = waiting.pop(0)
        if _name_of(schema_id) not in bundled:
            schema = _schema_of(schema_id)
            bundled[_name_of(schema_id)] = _rewritten(schema, within=schema_id.partition("#")[0])
            waiting += _references(schema, within=schema_id.partition("#")[0])
    return dict(sorted(bundled.items()))


def _schema_of(schema_id: str) -> dict[str, Any]:
    file_id, _, pointer = schema_id.partition("#")
    schema = schemas()[file_id]
    if pointer:
        definition: dict[str, Any] = schema["$defs"][pointer.removeprefix("/$defs/")]
        return definition
    kept = {keyword: rule for keyword, rule in schema.items() if keyword not in _WHOLE_FILE}
    return {"x-schema-id": file_id, **kept}


def _name_of(schema_id: str) -> str:
    """Name a component: `message.image.v1`, and `message.image.v1.attachment` within it."""
    name = schema_id.removeprefix(_FAMILY).replace("#/$defs/", ".")
    return name.replace(":", ".")


def _absolute(reference: str, *, within: str) -> str:
    return within + reference if reference.startswith("#") else reference


def _rewritten(rule: Any, *, within: str) -> Any:
    if isinstance(rule, list):
        return [_rewritten(each, within=within) for each in rule]
    if not isinstance(rule, dict):
        return rule
    others = {
        keyword: _rewritten(each, within=within)
        for keyword, each in rule.items()
        if keyword != "$ref"
    }
    if "$ref" not in rule:
        return others
    reference = reference_to(_absolute(rule["$ref"], within=within))
    return {**others, "allOf": [reference, *others.get("allOf", ())]} if others else reference


def _references(rule: Any, *, within: str) -> Iterator[str]:
    if isinstance(rule, dict) and "$ref" in rule:
        yield _absolute(rule["$ref"], within=within)
    children = rule.values() if isinstance(rule, dict) else rule
    if isinstance(rule, dict | list):
        for child in children:
            yield from _references(child, within=within)
