"""Bytes of a call to its JSON object, strictly: UTF-8, no duplicate keys, no NaN, no surrogates."""

import json
from typing import Any, NoReturn

from worker.sandbox.refusal import GraphRefusal

LARGEST_BODY_BYTES = 256 * 1024


class _NotStrictJson(ValueError):
    """JSON that some readers would take and others not."""


def read_body(raw: bytes, *, content_type: str) -> dict[str, Any]:
    """Give the object; raises GraphRefusal 100 that says what is wrong with the bytes."""
    if content_type != "application/json":
        raise GraphRefusal(100, detail="Content-Type must be application/json")
    try:
        body = json.loads(
            raw.decode(), object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
    except UnicodeDecodeError:
        raise GraphRefusal(100, detail="the body is not UTF-8") from None
    except _NotStrictJson as error:
        raise GraphRefusal(100, detail=f"the body is not JSON: {error}") from None
    except (ValueError, RecursionError):
        raise GraphRefusal(100, detail="the body is not JSON") from None
    if not isinstance(body, dict):
        raise GraphRefusal(100, detail="the body must be a JSON object")
    if b"\\ud" in raw.lower() and _has_surrogate(body):
        raise GraphRefusal(100, detail="a text holds half of a surrogate pair, which is no UTF-8")
    return body


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _NotStrictJson("a key appears twice in one object")
    return result


def _no_constant(name: str) -> NoReturn:
    raise _NotStrictJson(f"{name} is no JSON number")


def _has_surrogate(body: dict[str, Any]) -> bool:
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
