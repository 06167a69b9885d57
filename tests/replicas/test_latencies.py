"""Percentiles count what never came as slowest."""

import pytest

from tests.replicas.latencies import latencies


@pytest.mark.parametrize(
    ("values", "p50", "p99", "worst"),
    [
        ([], 0.0, 0.0, 0.0),
        ([3.0], 3.0, 3.0, 3.0),
        ([4.0, 1.0, 3.0, 2.0], 2.0, 4.0, 4.0),
        ([float(n) for n in range(1, 201)], 100.0, 198.0, 200.0),
    ],
)
def test_percentiles_are_values_that_occurred(
    values: list[float], p50: float, p99: float, worst: float
) -> None:
    found = latencies(values)
    assert (found.p50, found.p99, found.worst) == (p50, p99, worst)


def test_what_is_missing_makes_the_slow_end_endless() -> None:
    found = latencies([1.0] * 98, missing=2)
    assert (found.count, found.p50, found.p99) == (100, 1.0, float("inf"))
