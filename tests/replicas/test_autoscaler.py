"""The simulated autoscaler decides as a HorizontalPodAutoscaler documents it."""

import pytest

from tests.replicas.autoscaler import Autoscaler


def decisions(*metrics: float, current: int = 1, every_s: float = 15.0) -> list[int]:
    """Follow a row of looks, with what was decided each time."""
    autoscaler, decided = Autoscaler(target=100, most=6, stabilization_s=30), []
    for number, metric in enumerate(metrics):
        current = autoscaler.decide(metric, current=current, now=number * every_s)
        decided.append(current)
    return decided


@pytest.mark.parametrize(
    ("metrics", "decided"),
    [
        ((0, 0), [1, 1]),
        ((101,), [1]),
        ((109,), [1]),
        ((111,), [2]),
        ((450,), [5]),
        ((10_000,), [6]),
        ((300, 310, 280), [3, 3, 3]),
        ((400, 0, 0, 0, 0, 0), [4, 4, 3, 2, 1, 1]),
        ((400, 0, 400, 0, 0, 0), [4, 4, 4, 4, 3, 2]),
    ],
)
def test_it_goes_up_at_once_and_down_slowly(metrics: tuple[float, ...], decided: list[int]) -> None:
    assert decisions(*metrics) == decided
