"""The window checker finds what a slow and obvious one finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replicas.windows import Allowed, Violation, check, not_by_a_stall, share

TIMES = st.lists(st.integers(0, 60).map(lambda tick: tick / 4), max_size=40)


def test_calls_exactly_at_the_limit_are_no_violation() -> None:
    found = check([0.0, 0.5, 1.25], Allowed(2, 1.0))
    assert (found.violations, found.worst) == ((), 2)


def test_both_ends_of_a_window_belong_to_it() -> None:
    found = check([0.0, 0.5, 1.0], Allowed(2, 1.0))
    assert (found.violations, found.worst) == ((Violation(0.0, 0.0),), 3)


def test_a_window_across_two_full_seconds_is_seen() -> None:
    found = check([0.5, 0.75, 1.0, 1.25], Allowed(2, 1.0))
    assert found.violations == (Violation(0.5, 0.5), Violation(0.75, 0.5))
    assert found.worst == 4


@given(times=TIMES, calls=st.integers(1, 6))
def test_it_agrees_with_counting_every_window(times: list[float], calls: int) -> None:
    counts = {start: sum(start <= t <= start + 2.0 for t in times) for start in times}
    found = check(times, Allowed(calls, 2.0))
    assert found.worst == max(counts.values(), default=0)
    full = {start for start, count in counts.items() if count > calls}
    # Of calls at the same moment, the last ones see fewer of the others in their window.
    assert {violation.start for violation in found.violations} == full


def test_the_order_of_the_times_does_not_matter() -> None:
    assert check([3.0, 1.0, 2.0], Allowed(2, 1.0)) == check([1.0, 2.0, 3.0], Allowed(2, 1.0))


@pytest.mark.parametrize(
    ("times", "expected"),
    [([], 0.0), ([0.0, 1.0, 2.0, 3.0], 0.5), ([0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 4.0], 0.75)],
)
def test_the_share_counts_what_lies_in_the_interval(times: list[float], expected: float) -> None:
    assert share(times, Allowed(2, 1.0), start=0.0, length_s=4.0) == expected


STALLS = [(1.001, 0.05), (5.0, 0.2), (9.5, 0.2)]


@pytest.mark.parametrize(
    ("violation", "why"),
    [
        (Violation(1.0, 0.06), "the stall was shorter than what is too much"),
        (Violation(4.99, 0.1), "it came before the stall had ended"),
        (Violation(5.1, 0.1), "it came long after the stall"),
    ],
)
def test_a_violation_that_no_stall_of_the_observer_can_have_made_stays(
    violation: Violation, why: str
) -> None:
    assert not_by_a_stall([violation], STALLS) == [violation], why


def test_a_violation_right_after_a_stall_that_is_long_enough_is_left_out() -> None:
    assert not_by_a_stall([Violation(1.0, 0.04), Violation(5.004, 0.15)], STALLS) == []
