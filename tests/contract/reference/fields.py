"""From a JSON Schema to rows for a reader: field, type, limits, meaning."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from worker.contract.schema_files import schemas

Schema = dict[str, Any]


class Row(NamedTuple):
    """One line of a table, in Markdown."""

    field: str
    type: str
    limits: str
    meaning: str


class _Rule(NamedTuple):
    """A rule with what it refers to; `file_id` is where its own references start from."""

    schema: Schema
    file_id: str
    section: str | None


def rows_of(schema_id: str) -> Iterator[Row]:
    """Give the fields of a schema, or of one within it (`<$id>#/$defs/<name>`)."""
    file_id, _, pointer = schema_id.partition("#/$defs/")
    schema = schemas()[file_id]
    yield from _rows(schema["$defs"][pointer] if pointer else schema, file_id)


def rows_of_values(fields: dict[str, Schema]) -> Iterator[Row]:
    """Give rows for headers or properties that refer to nothing."""
    yield from _rows({"properties": fields}, "")


def anchor(heading: str) -> str:
    """Name a heading as a link does."""
    kept = (each for each in heading.lower() if each.isalnum() or each in " -")
    return "#" + "".join(kept).replace(" ", "-")


def _rows(schema: Schema, file_id: str, before: str = "") -> Iterator[Row]:
    for name, field in schema.get("properties", {}).items():
        if field.get("not") == {} and "title" in field:
            continue
        rule = _resolved(field, file_id)
        limits = "; ".join([*_need_of(name, schema), *_limits(rule.schema)])
        yield Row(f"`{before}{name}`", _type(rule), limits, rule.schema["description"])
        if rule.section is None:
            yield from _inside(rule, before + name)


def _need_of(name: str, schema: Schema) -> Iterator[str]:
    """Say whether, or on what condition, the field has to be there."""
    condition = schema.get("if", {})
    if name in schema.get("required", ()):
        yield "required"
    elif name in _required(schema.get("then")):
        yield from (
            f"required if `{other}` is `{rule['const']}`"
            for other, rule in condition["properties"].items()
        )
    elif name in _required(schema.get("else")):
        yield from (f"required without `{other}`" for other in condition["required"])


def _required(branch: Any) -> Any:
    return branch.get("required", ()) if isinstance(branch, dict) else ()


def _inside(rule: _Rule, name: str) -> Iterator[Row]:
    if "properties" in rule.schema:
        yield from _rows(rule.schema, rule.file_id, f"{name}.")
    if "items" in rule.schema:
        items = _resolved(rule.schema["items"], rule.file_id)
        if items.section is None:
            yield from _rows(items.schema, items.file_id, f"{name}[].")


def _resolved(rule: Schema, file_id: str) -> _Rule:
    if isinstance(rule.get("then"), dict) and "items" in rule["then"]:
        rule = {**rule["then"], **rule}
    if "$ref" not in rule:
        return _Rule(rule, file_id, None)
    target_id, _, pointer = rule["$ref"].partition("#/$defs/")
    target_id = target_id or file_id
    target = schemas()[target_id]
    section = None if pointer else target["title"]
    found = _resolved(target["$defs"][pointer] if pointer else target, target_id)
    # What is said where it is used goes before what is said of it in general.
    own = {keyword: value for keyword, value in rule.items() if keyword != "$ref"}
    return _Rule({**found.schema, **own}, found.file_id, section)


def _type(rule: _Rule) -> str:
    given = rule.schema.get("type", "")
    names = [given] if isinstance(given, str) else given
    text = " or ".join(names) or "string"
    if rule.section is not None:
        return _link(rule.section)
    items = rule.schema.get("items")
    of = _resolved(items, rule.file_id) if items else None
    if of is not None and of.section is not None:
        return f"array of {_link(of.section)}"
    return text


def _link(section: str) -> str:
    return f"[{section}]({anchor(section)})"


def _limits(schema: Schema) -> Iterator[str]:
    if schema.get("not") == {}:
        yield "left out"
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    if values:
        yield ", ".join(f"`{_json(value)}`" for value in values)
    elif "pattern" in schema:
        yield schema["title"]
    elif schema.get("format"):
        yield "RFC 3339"
    if "pattern" not in schema:
        yield from _range(schema, "Length", "character")
    yield from _range(schema, "Items", "item")
    if "minimum" in schema:
        to = f" to {schema['maximum']}" if "maximum" in schema else ""
        yield f"from {schema['minimum']}{to}"
    if "default" in schema:
        yield f"default `{_json(schema['default'])}`"


def _range(schema: Schema, what: str, unit: str) -> Iterator[str]:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if most is not None:
        yield f"{least} to {most} {unit}s" if least else f"at most {most} {unit}s"
    elif least is not None:
        yield f"at least {least} {unit}{'' if least == 1 else 's'}"


def _json(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else {None: "null", True: "true", False: "false"}.get(value, str(value))
    )
