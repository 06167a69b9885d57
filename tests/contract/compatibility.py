"""What a change to the schemas of v1 would break: for producers, and for readers of events.

Compares rule by rule. A rule that moved elsewhere is not found again: then the corpus has to tell.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_MOST = ("maxLength", "maxItems", "maxProperties", "maximum")
_LEAST = ("minLength", "minItems", "minProperties", "minimum")
# What may only stay as it is, or go.
_FIXED = ("pattern", "format", "const", "not")


def narrowings(then: Any, now: Any, where: str = "") -> Iterator[str]:
    """Name every place where a request that was valid `then` may not be valid `now`."""
    if isinstance(then, list) and isinstance(now, list):
        for index, (old, new) in enumerate(zip(then, now, strict=False)):
            yield from narrowings(old, new, f"{where}/{index}")
    if not isinstance(then, dict) or not isinstance(now, dict):
        return
    yield from (f"{where}/{keyword}" for keyword in _narrower(then, now))
    for keyword in then.keys() & now.keys():
        if keyword not in ("if", "not"):
            yield from narrowings(then[keyword], now[keyword], f"{where}/{keyword}")


def _narrower(then: Schema, now: Schema) -> Iterator[str]:
    yield from (k for k in _MOST if k in now and now[k] < then.get(k, float("inf")))
    yield from (k for k in _LEAST if k in now and now[k] > then.get(k, float("-inf")))
    yield from (k for k in _FIXED if k in now and now[k] != then.get(k, now))
    if "enum" in now and not _values(then.get("enum", ["anything else"])) <= _values(now["enum"]):
        yield "enum"
    if "type" in now and not _types(then) <= _types(now):
        yield "type"
    if isinstance(now.get("required"), list) and not set(now["required"]) <= set(
        then.get("required", ())
    ):
        yield "required"
    if now.get("additionalProperties") is False:
        if then.get("additionalProperties", True) is not False:
            yield "additionalProperties"
        gone = then.get("properties", {}).keys() - now.get("properties", {}).keys()
        yield from (f"properties/{name}" for name in sorted(gone))


def surprises(then: Schema, now: Schema, where: str = "") -> Iterator[str]:
    """Name what a reader of events could rely on `then` and cannot `now`.

    A `reason` may be a new one: README and schema tell readers to go by `status`.
    """
    if not set(then.get("required", ())) <= set(now.get("required", ())):
        yield f"{where}/required"
    for name, old in then.get("properties", {}).items():
        new, place = now.get("properties", {}).get(name), f"{where}/{name}"
        if new is None:
            yield place
            continue
        if not _types(new) <= _types(old):
            yield f"{place}/type"
        if new.get("const") != old.get("const"):
            yield f"{place}/const"
        if name != "reason" and not _values(new.get("enum", ())) <= _values(old.get("enum", ())):
            yield f"{place}/enum"
        yield from surprises(old, new, place)


def _values(enum: Any) -> set[str]:
    return {repr(value) for value in enum}


def _types(schema: Schema) -> set[str]:
    every = ["string", "integer", "number", "boolean", "array", "object", "null"]
    given = schema.get("type", every)
    return {given} if isinstance(given, str) else set(given)
