"""Which letters are meant: the same filters for every command."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from worker.core.kind import Kind
from worker.core.reason import Reason
from worker.dead.letter import Letter

_AGO = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d|w)")
_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_CODE = re.compile(r"(\d+)(?:/(\d+))?")

Code = tuple[int, int | None]
Where = tuple[tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Selection:
    """Letters that match every filter given; several values of one filter are alternatives.

    `since` and `until` (unix seconds) are about when the letter died; one that does not say when
    matches neither. `where` compares a value in the body with its JSON text, or text as it is.
    """

    accounts: frozenset[str] = frozenset()
    codes: frozenset[Code] = frozenset()
    reasons: frozenset[Reason] = frozenset()
    ids: frozenset[str] = frozenset()
    kinds: frozenset[Kind] = frozenset()
    since: float | None = None
    until: float | None = None
    where: tuple[Where, ...] = ()

    @property
    def is_everything(self) -> bool:
        return self == Selection()

    def matches(self, letter: Letter, kinds_of: Callable[[Letter], frozenset[Kind]]) -> bool:
        """Tell whether the letter is meant; `kinds_of` reads what its parts are."""
        return (
            (not self.accounts or letter.account_id in self.accounts)
            and (not self.ids or letter.id in self.ids)
            and (not self.reasons or letter.reason in self.reasons)
            and (not self.codes or not self.codes.isdisjoint(_codes_of(letter)))
            and self._died_in_time(letter)
            and all(_is_at(letter.document, path, value) for path, value in self.where)
            and (not self.kinds or not self.kinds.isdisjoint(kinds_of(letter)))
        )

    def _died_in_time(self, letter: Letter) -> bool:
        if self.since is None and self.until is None:
            return True
        at = letter.died_at
        return (
            at is not None
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )


def code_from(text: str) -> Code:
    """Read `190` or `190/463`. Raises ValueError that says the form."""
    found = _CODE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no error code; write 190, or 190/463 with its subcode")
    return int(found[1]), None if found[2] is None else int(found[2])


def moment_from(text: str, *, now: float) -> float:
    """Read `2h`, `3d` (ago), or a date and time. Raises ValueError that says the form."""
    ago = _AGO.fullmatch(text.strip())
    if ago is not None:
        return now - float(ago[1]) * _UNITS_S[ago[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(
            f"{text!r} is no moment; write 30m, 2h or 3d (ago), or 2026-11-22T10:00:00Z"
        )
    return moment.timestamp()


def where_from(text: str) -> Where:
    """Read `metadata.campaign=spring`. Raises ValueError that says the form."""
    path, is_given, value = text.partition("=")
    names = tuple(path.split("."))
    if not is_given or not all(names):
        raise ValueError(
            f"{text!r} is no condition; write a path in the body, = and a value, for example "
            "metadata.campaign=spring"
        )
    return names, value


def _codes_of(letter: Letter) -> frozenset[Code]:
    """Every way to name the letter's error: by its code, and by code and subcode."""
    if letter.code is None:
        return frozenset()
    return frozenset({(letter.code, None), (letter.code, letter.subcode)})


def _is_at(document: Mapping[str, Any], path: tuple[str, ...], wanted: str) -> bool:
    value: Any = document
    for name in path:
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return False
    return wanted == (value if isinstance(value, str) else orjson.dumps(value).decode())
