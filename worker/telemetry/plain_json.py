"""Any values to one line of JSON. Never raises, and never shows the inside of our own objects.

The JSON writer refuses unknown types, integers beyond 64 bits and half surrogate pairs, and it
would write a dataclass field by field, secrets and message texts included.
"""

from collections.abc import Mapping
from dataclasses import is_dataclass
from pathlib import PurePath

import orjson

from worker.core.secret import Secret
from worker.telemetry.exception_text import name_of
from worker.telemetry.redaction import masked

_LONGEST_SHOWN = 200
_DEEPEST = 8
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
_UNWRITABLE = b'{"event":"a log line could not be written as JSON","level":"error"}'


def as_json(values: Mapping[str, object]) -> bytes:
    """Write the values as one line, without its end, with everything secret masked."""
    try:
        line = orjson.dumps(values, default=shown, option=_OPTIONS)
    except TypeError:
        line = _anyhow(values)
    return masked(line)


def _anyhow(values: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(plain(values), option=_OPTIONS)
    except Exception:  # a value that breaks while it is looked at must not end what logs it
        return _UNWRITABLE


def shown(value: object) -> object:
    """Give something writable in place of a value that JSON does not know."""
    match value:
        case Secret() | PurePath():
            return _writable(str(value))
        case _ if is_dataclass(value) or hasattr(value, "_fields"):
            # Requests and deliveries hold message text.
            return f"<{type(value).__name__}>"
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case BaseException():
            return _writable(name_of(value))
        case str() | int():
            return plain(value)
        case Mapping():
            return dict(value)
        case list() | tuple() | set() | frozenset():
            return list(value)
        case _:
            return _described(value)


def plain(value: object, *, depth: int = 0) -> object:
    """Copy a value into what any writer accepts: text, numbers, lists and objects."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return _writable(str(value))
    if isinstance(value, int):
        return _number(int(value))
    if depth == _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {
            _writable(str(name)): plain(inner, depth=depth + 1) for name, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields"):
        return [plain(inner, depth=depth + 1) for inner in value]
    return shown(value)


def _number(value: int) -> int | str:
    # Hexadecimal: Python refuses to write very long integers in decimal.
    return value if -(2**63) <= value < 2**64 else hex(value)[:_LONGEST_SHOWN]


def _described(value: object) -> str:
    try:
        text = repr(value)
    except Exception as broken:  # a __repr__ of somebody else's
        return f"<unprintable: {type(broken).__name__}>"
    return _writable(text)[:_LONGEST_SHOWN]


def _writable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
