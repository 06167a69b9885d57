"""Judges receive times against a limit, strictly: every sliding window, both its ends included.

Knows nothing of the worker's own arithmetic, so that it cannot share a mistake with it.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# After a stall, what has piled up is seen one after the other; the stall itself is noted by a
# timer, which may come after some of that.
_SEEN_WITHIN_S = 0.005
_CLOCKS_APART_S = 0.002


@dataclass(frozen=True, slots=True)
class Allowed:
    """At most `calls` in any `period_s` seconds."""

    calls: int
    period_s: float

    @property
    def per_s(self) -> float:
        return self.calls / self.period_s

    def __str__(self) -> str:
        return f"{self.calls}/{self.period_s:g}s"


@dataclass(frozen=True, slots=True)
class Violation:
    """A window that holds too many: its first call came at `start`.

    Had that call come `excess_s` earlier, the window would have been within the limit.
    """

    start: float
    excess_s: float


@dataclass(frozen=True, slots=True)
class WindowCheck:
    """What came of one account's bucket; `worst` is the most calls that any window held."""

    calls: int
    worst: int
    violations: tuple[Violation, ...]


def check(times: Iterable[float], allowed: Allowed) -> WindowCheck:
    """Look at the windows that begin with a call: no other window holds more than one of them."""
    ordered = sorted(times)
    worst, violations, end = 0, [], 0
    for first, start in enumerate(ordered):
        while end < len(ordered) and ordered[end] - start <= allowed.period_s:
            end += 1
        worst = max(worst, end - first)
        if end - first > allowed.calls:
            one_too_many = ordered[first + allowed.calls]
            violations.append(Violation(start, allowed.period_s - (one_too_many - start)))
    return WindowCheck(len(ordered), worst, tuple(violations))


def share(times: Iterable[float], allowed: Allowed, *, start: float, length_s: float) -> float:
    """Say how much of what was allowed in `length_s` from `start` was used; 1.0 is all of it."""
    ordered = sorted(times)
    within = bisect_left(ordered, start + length_s) - bisect_left(ordered, start)
    return within / (allowed.per_s * length_s)


def not_by_a_stall(
    violations: Iterable[Violation], stalls: Sequence[tuple[float, float]]
) -> list[Violation]:
    """Leave out what a stall of the observer itself explains.

    Calls that arrive while the observer stalls are all seen at its end. If the first call of a
    window was seen right after a stall longer than the excess, it may have come in time. `stalls`
    are (end, length) in the order of their ends.
    """
    ends = [end for end, _ in stalls]

    def may_have_come_earlier(violation: Violation) -> bool:
        first = bisect_left(ends, violation.start - _SEEN_WITHIN_S)
        last = bisect_right(ends, violation.start + _CLOCKS_APART_S)
        return any(length > violation.excess_s for _, length in stalls[first:last])

    return [each for each in violations if not may_have_come_earlier(each)]
