"""Reads the fields of a call's JSON one by one; whatever is not as documented is refused.

Names of places appear in the refusals, values never do.
"""

import re
from typing import Any

from worker.sandbox.refusal import GraphRefusal

_NUMERIC_ID = re.compile(r"[0-9]{1,32}")
_LONGEST_NAME_SHOWN = 60


def the_object(value: Any, where: str) -> dict[str, Any]:
    """Insist on a JSON object."""
    if not isinstance(value, dict):
        raise GraphRefusal(100, detail=f"{where} must be an object")
    return value


def the_list(value: Any, where: str, *, most: int) -> list[Any]:
    """Insist on a list of one to `most` entries."""
    if not isinstance(value, list):
        raise GraphRefusal(100, detail=f"{where} must be a list")
    if not 1 <= len(value) <= most:
        raise GraphRefusal(100, detail=f"{where} must have 1 to {most} entries")
    return value


def the_text(
    holder: dict[str, Any], name: str, where: str, *, most: int | None = None, empty: int | None
) -> str:
    """Insist on a string that is not blank and has at most `most` characters.

    `empty` is the subcode for a missing or blank one.
    """
    value = holder.get(name)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise GraphRefusal(100, empty, detail=f"{where}.{name} must not be empty")
    if not isinstance(value, str):
        raise GraphRefusal(100, detail=f"{where}.{name} must be a string")
    if most is not None and len(value) > most:
        raise GraphRefusal(100, detail=f"{where}.{name} must have at most {most} characters")
    return value


def the_numeric_id(value: Any, where: str, *, mismatch: int | None = None) -> str:
    """Insist on an id: a string of digits. `mismatch` is the subcode for another string."""
    if not isinstance(value, str):
        raise GraphRefusal(100, detail=f"{where} must be a string")
    if not _NUMERIC_ID.fullmatch(value):
        raise GraphRefusal(100, mismatch, detail=f"{where} must be a numeric id")
    return value


def only(holder: dict[str, Any], where: str, *allowed: str) -> None:
    """Refuse every key that is not in `allowed`."""
    stray = sorted(holder.keys() - set(allowed))
    if stray:
        names = ", ".join(name[:_LONGEST_NAME_SHOWN] for name in stray[:5])
        raise GraphRefusal(100, detail=f"unexpected key in {where}: {names}")
