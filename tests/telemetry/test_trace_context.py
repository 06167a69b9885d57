"""A trace id is taken from a valid traceparent header and from nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.telemetry.trace_context import trace_id_of

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "value", [f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00", f"01-{TRACE}-{PARENT}-01-more"]
)
def test_valid_header_gives_its_trace_id(value: str) -> None:
    assert trace_id_of({"traceparent": value}) == TRACE


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        7,
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-more",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n",
    ],
)
def test_anything_else_gives_none(value: object) -> None:
    assert trace_id_of({"traceparent": value}) is None


def test_no_header_gives_none() -> None:
    assert trace_id_of({}) is None


@given(st.text())
def test_any_text_is_read_without_an_error(value: str) -> None:
    trace_id = trace_id_of({"traceparent": value})
    assert trace_id is None or len(trace_id) == 32
