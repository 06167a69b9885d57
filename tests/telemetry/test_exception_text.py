"""Exceptions are told by type and place; a chain or a group of them is told whole."""

import sys

from tests.support.builders import TEXT
from worker.telemetry.exception_text import add_exception, stack_of


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def chained() -> Exception:
    try:
        try:
            raise KeyError(TEXT)
        except KeyError as cause:
            raise RuntimeError(TEXT) from cause
    except RuntimeError as error:
        return error


def test_causes_are_told_without_their_texts() -> None:
    stack = stack_of(chained())
    assert stack.index("RuntimeError") < stack.index("KeyError")
    assert "in chained" in stack
    assert TEXT not in stack


def test_suppressed_context_is_not_told() -> None:
    error = RuntimeError()
    error.__context__ = KeyError(1)
    assert "KeyError" in stack_of(error)
    error.__suppress_context__ = True
    assert "KeyError" not in stack_of(error)


def test_each_member_of_a_group_is_told() -> None:
    group = ExceptionGroup("several", [raised(ValueError(TEXT)), raised(TypeError(TEXT))])
    stack = stack_of(raised(group))
    assert "ValueError" in stack
    assert "TypeError" in stack
    assert TEXT not in stack


def test_chain_that_is_a_circle_ends() -> None:
    one, two = ValueError(), TypeError()
    one.__cause__, two.__cause__ = two, one
    assert stack_of(one).count("ValueError") < 5


def test_every_form_of_exc_info_that_logging_allows_is_understood() -> None:
    error = raised(ValueError())
    for given in (error, (ValueError, error, error.__traceback__)):
        assert "ValueError" in add_exception(None, "", {"exc_info": given})["exception"]
    try:
        raise error
    except ValueError:
        assert sys.exc_info()[1] is error
        assert "ValueError" in add_exception(None, "", {"exc_info": True})["exception"]


def test_no_exception_leaves_no_trace() -> None:
    for given in (None, False, True, (None, None, None)):
        assert add_exception(None, "", {"exc_info": given}) == {}
    assert add_exception(None, "", {"event": "a"}) == {"event": "a"}
