"""Exceptions as text without what they quote: a library's error may carry a whole message."""

import sys
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any

_MOST_FRAMES = 30
_MOST_CAUSES = 5


def name_of(error: BaseException) -> str:
    """Name the error; with its text only where that comes from the operating system."""
    name = type(error).__name__
    if not isinstance(error, OSError):
        return name
    try:
        return f"{name}: {error}"
    except Exception:  # a subclass with a broken __str__
        return name


def stack_of(error: BaseException) -> str:
    """Say where it was raised and what caused it, one place a line, innermost last."""
    return "\n".join(line for cause in _causes(error) for line in _lines(cause))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what led to it, the latest first; the chain may be a circle."""
    for _ in range(_MOST_CAUSES):
        if error is None:
            return
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _lines(error: BaseException) -> Iterator[str]:
    yield name_of(error)
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions[:_MOST_CAUSES]:
            yield from (f"  | {line}" for line in _lines(part))
    for frame in traceback.extract_tb(error.__traceback__)[-_MOST_FRAMES:]:
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"


def add_exception(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Turn `exc_info`, in any form that logging allows, into the text `exception`."""
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    if isinstance(given, tuple):
        given = given[1]
    if isinstance(given, BaseException):
        event["exception"] = stack_of(given)
    return event
