"""Writes JSON values as YAML, for people to read: blocks, and quotes only where they are needed."""

import json
import re
from collections.abc import Iterator
from typing import Any

# Texts that no reader, of YAML 1.1 or 1.2, takes for anything but themselves.
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9 _.,/()'-]*[A-Za-z0-9_.,/()'-]|[A-Za-z]")
_PLAIN_KEY = re.compile(r"[$A-Za-z][\w$.-]*", re.ASCII)
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def yaml_of(document: dict[str, Any]) -> str:
    """Write a document of the values that JSON knows."""
    return "".join(f"{line}\n" for line in _block(document))


def _block(value: dict[str, Any] | list[Any]) -> Iterator[str]:
    if isinstance(value, dict):
        for key, child in value.items():
            name = key if _is_plain(_PLAIN_KEY, key) else _quoted(key)
            yield from _entry(f"{name}:", child, indented="  ")
    else:
        for child in value:
            yield from _item(child)


def _entry(head: str, value: Any, *, indented: str) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield head
        yield from (indented + line for line in _block(value))
    else:
        yield f"{head} {_scalar(value)}"


def _item(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        first, *others = _block(value)
        yield f"- {first}"
        yield from (f"  {line}" for line in others)
    else:
        yield f"- {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value if _is_plain(_PLAIN, value) else _quoted(value)
    return json.dumps(value)


def _is_plain(form: re.Pattern[str], text: str) -> bool:
    return form.fullmatch(text) is not None and text.lower() not in _WORDS


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character == "\n":
        return "\\n"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
