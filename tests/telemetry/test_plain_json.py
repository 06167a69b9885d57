"""Rendering never raises, whatever is logged, and never shows the inside of our own values."""

import datetime
import uuid
from collections import UserDict
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.support.builders import TEXT, TOKEN, a_delivery, a_request, an_account
from worker.core.secret import Secret
from worker.telemetry.plain_json import as_json


def written(value: object) -> Any:
    return orjson.loads(as_json({"value": value}))["value"]


class Colour(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Odd(Enum):
    PAIR = (1, 2)


class Word(str):
    __slots__ = ()


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class BrokenError(OSError):
    def __str__(self) -> str:
        raise RuntimeError("no")


class BrokenMapping(UserDict[str, object]):
    def items(self) -> Any:
        raise RuntimeError("no")


@dataclass
class Holder:
    token: str


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, None),
        (2**64 - 1, 2**64 - 1),
        (2**70, hex(2**70)),
        (-(2**63) - 1, hex(-(2**63) - 1)),
        (float("nan"), None),
        ("\ud800 half", "\\ud800 half"),
        (["\udfff"], ["\\udfff"]),
        ({"\ud800": 1}, {"\\ud800": 1}),
        ({1: {2: 3}}, {"1": {"2": 3}}),
        (b"the body", "<8 bytes>"),
        (bytearray(3), "<3 bytes>"),
        (Path("/etc/igsend"), "/etc/igsend"),
        (Colour.RED, "red"),
        (Number.ONE, 1),
        (Odd.PAIR, [1, 2]),
        (Word("a word"), "a word"),
        ({"set"}, ["set"]),
        (UserDict({"a": 1}), {"a": 1}),
        (datetime.date(2026, 11, 22), "2026-11-22"),
        (uuid.UUID(int=1), str(uuid.UUID(int=1))),
        (Broken(), "<unprintable: RuntimeError>"),
        (BrokenError(), "BrokenError"),
        (ConnectionRefusedError(111, "Connection refused"), None),
        (ValueError("a whole message"), "ValueError"),
        (1j, "1j"),
    ],
)
def test_any_value_is_written_somehow(value: object, shown: object) -> None:
    if isinstance(value, ConnectionRefusedError):
        shown = "ConnectionRefusedError: [Errno 111] Connection refused"
    assert written(value) == shown


def test_integer_of_ten_thousand_digits_is_written() -> None:
    assert str(written(10**10_000)).startswith("0x")


def test_value_that_contains_itself_is_written() -> None:
    circle: dict[str, object] = {}
    circle["again"] = [circle]
    assert "again" in written(circle)


def test_deep_nesting_is_written() -> None:
    deep: object = "end"
    for _ in range(2000):
        deep = [deep]
    assert isinstance(written(deep), list)


def test_value_that_breaks_while_it_is_read_leaves_a_line_that_says_so() -> None:
    line = orjson.loads(as_json({"value": BrokenMapping(a=1), "half": "\ud800"}))
    assert line == {"event": "a log line could not be written as JSON", "level": "error"}


@pytest.mark.parametrize(
    "value",
    [
        Secret(TOKEN),
        SecretStr(TOKEN),
        an_account(),
        [an_account()],
        Holder(TOKEN),
        {"nested": {"token": Secret(TOKEN)}},
        f"Bearer {TOKEN}",
        # A value that cannot be written at once takes the second way.
        ["\ud800", Secret(TOKEN), an_account()],
    ],
)
def test_token_is_never_written(value: object) -> None:
    assert TOKEN.encode() not in as_json({"value": value})


@pytest.mark.parametrize(
    "value",
    [
        a_request(),
        a_delivery(TEXT.encode()),
        [a_request(), 2**70],
        # Named tuples hold what producers wrote too.
        a_delivery(headers={"note": TEXT}),
        ["\ud800", a_delivery(headers={"note": TEXT})],
    ],
)
def test_message_text_is_never_written(value: object) -> None:
    assert TEXT.encode() not in as_json({"value": value})


@given(
    st.dictionaries(
        st.text(),
        st.recursive(
            st.none()
            | st.integers()
            | st.floats()
            | st.text(st.characters())
            | st.binary()
            | st.complex_numbers(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
            ),
        ),
        max_size=4,
    )
)
def test_every_mapping_becomes_one_line_of_json(values: dict[str, object]) -> None:
    line = as_json(values)
    assert b"\n" not in line
    assert isinstance(orjson.loads(line), dict)
