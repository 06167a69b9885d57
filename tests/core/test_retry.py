"""Waits between attempts: bounded, growing, jittered over their whole length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.retry import SHORTEST_DELAY_S, RetryPolicy

JITTERS = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 10_000), JITTERS, st.floats(0.1, 900), st.floats(1, 86400))
def test_every_wait_is_between_a_second_and_the_longest(
    attempt: int, jitter: float, base_s: float, longest_s: float
) -> None:
    delay_s = RetryPolicy(8, base_s, longest_s).delay_s(attempt, jitter=jitter)
    assert SHORTEST_DELAY_S <= delay_s <= longest_s


@pytest.mark.parametrize(
    ("attempt", "ceiling_s"), [(1, 2.0), (2, 6.0), (3, 18.0), (6, 486.0), (7, 900.0), (99, 900.0)]
)
def test_ceiling_triples_with_each_attempt_up_to_a_quarter_of_an_hour(
    attempt: int, ceiling_s: float
) -> None:
    policy = RetryPolicy()
    assert policy.delay_s(attempt, jitter=0.75) == max(1.0, 0.75 * ceiling_s)
    assert policy.delay_s(attempt, jitter=0.0) == SHORTEST_DELAY_S


@given(st.integers(1, 100), JITTERS, JITTERS)
def test_larger_sample_never_waits_shorter(attempt: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    policy = RetryPolicy()
    assert policy.delay_s(attempt, jitter=low) <= policy.delay_s(attempt, jitter=high)


def test_attempts_are_used_up_at_their_number() -> None:
    assert [RetryPolicy(3).is_used_up(attempt) for attempt in (1, 2, 3, 4)] == [
        False,
        False,
        True,
        True,
    ]
