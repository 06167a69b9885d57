"""The fuzzer's targets hold for what hypothesis comes up with, and for the examples."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.corpus import EXAMPLES
from tests.fuzz import targets


@given(st.binary(max_size=300))
def test_any_body(data: bytes) -> None:
    targets.body(data)


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.json")), ids=lambda path: path.name)
def test_every_example_is_a_body(path: Path) -> None:
    targets.body(path.read_bytes())


@given(st.binary(max_size=300), st.integers(0, 0xFFFF))
def test_any_content_header(data: bytes, flags: int) -> None:
    targets.content_header(b"\x00\x3c\x00\x00" + bytes(8) + flags.to_bytes(2) + data)


def test_a_header_value_that_is_longer_than_its_table() -> None:
    table = b"\x00\x00\x00\x08" + b"\x01aS\x00\x00\x00\x09" + b"123456789"
    targets.content_header(b"\x00\x3c\x00\x00" + bytes(8) + b"\x20\x00" + table)


@given(st.binary(max_size=300))
def test_any_bytes_of_a_socket(data: bytes) -> None:
    targets.frames(data)


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(0, 255))
def test_frames_however_they_are_cut(payloads: list[bytes], cut: int) -> None:
    whole = b"".join(
        b"\x03\x00\x01" + len(payload).to_bytes(4) + payload + b"\xce" for payload in payloads
    )
    targets.frames(bytes((cut,)) + whole)
