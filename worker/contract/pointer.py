"""JSON Pointers (RFC 6901) for places in a request, written and followed."""

import re
from collections.abc import Iterable
from typing import Any

# A field name that is no plain word may be a producer's text in the wrong place, and would carry
# it into logs and headers; such fields are spoken of at their parent.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.$:-]{1,64}")


def pointer_to(path: Iterable[str | int]) -> str:
    """Write a path as a pointer; the empty path is "", the whole document."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


def value_at(document: Any, path: Iterable[str | int]) -> Any:
    """Follow a path that exists in the document."""
    for step in path:
        document = document[step]
    return document


def is_plain_name(name: str) -> bool:
    """True when the name may be shown in a pointer or a sentence."""
    return _PLAIN_NAME.fullmatch(name) is not None
