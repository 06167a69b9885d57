"""A replay travels in headers and comes back; what somebody else wrote there is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.problem import Problem
from worker.core.replay import (
    BATCH,
    COUNT,
    DOUBT,
    OPERATOR,
    REPLAY_OF,
    Doubt,
    Replay,
    replay_from,
)

REPLAY = Replay("20261123T101500-7f3a", 2, "ada", "order-1~2", Doubt.VERIFY)
NAMES = st.sampled_from([BATCH, COUNT, OPERATOR, REPLAY_OF, DOUBT])
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()


@pytest.mark.parametrize("doubt", [None, *Doubt])
@pytest.mark.parametrize("replay_of", [None, "order-1"])
def test_replay_comes_back_from_its_own_headers(doubt: Doubt | None, replay_of: str | None) -> None:
    replay = Replay("20261123T101500-7f3a", 1, "Ada Łovelace", replay_of, doubt)
    assert replay_from({"other": 1, **replay.headers()}) == replay


def test_headers_without_a_replay_are_none() -> None:
    assert replay_from({"x-igsend-attempts": 3}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (BATCH, None),
        (BATCH, ""),
        (BATCH, "b" * 65),
        (BATCH, 7),
        (COUNT, None),
        (COUNT, 0),
        (COUNT, True),
        (COUNT, "1"),
        (COUNT, 1_000_001),
        (OPERATOR, None),
        (OPERATOR, "ж" * 33),
        (OPERATOR, b"ada"),
        (REPLAY_OF, ""),
        (REPLAY_OF, "with space"),
        (REPLAY_OF, "i" * 129),
        (REPLAY_OF, 5),
        (DOUBT, "perhaps"),
        (DOUBT, 1),
    ],
)
def test_what_we_never_write_is_a_problem_that_names_the_header(name: str, value: object) -> None:
    headers = {n: v for n, v in {**REPLAY.headers(), name: value}.items() if v is not None}
    read = replay_from(headers)
    assert isinstance(read, Problem)
    assert name in read.message


@given(st.dictionaries(NAMES, VALUES, max_size=5))
def test_any_values_end_in_a_replay_or_in_a_problem(headers: dict[str, object]) -> None:
    read = replay_from(headers)
    if isinstance(read, Replay):
        assert replay_from(read.headers()) == read
    elif read is None:
        assert headers == {}
    else:
        assert "x-igsend-replay-" in read.message


def test_copies_of_one_replay_have_their_run_in_common() -> None:
    assert REPLAY.run == REPLAY.settled.run
    assert REPLAY.settled.doubt is None
    assert REPLAY.run != Replay("20261123T101500-7f3a", 3, "ada").run
