"""One of many equal lines goes through per period, and says how many it stands for."""

from worker.telemetry.sparse import PERIOD_S, Sparse


class HandClock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def test_first_line_goes_through_and_its_repetitions_do_not() -> None:
    sparse = Sparse(now=HandClock())
    assert [sparse.times("a") for _ in range(4)] == [1, 0, 0, 0]
    assert sparse.times("b") == 1


def test_line_after_the_period_says_how_often_it_came() -> None:
    clock = HandClock()
    sparse = Sparse(now=clock)
    for _ in range(4):
        sparse.times("a")
    clock.time = PERIOD_S
    assert [sparse.times("a"), sparse.times("a")] == [4, 0]


def test_endless_variety_takes_no_endless_memory() -> None:
    sparse = Sparse(now=HandClock())
    assert all(sparse.times(number) == 1 for number in range(10_000))
    assert len(sparse._seen) <= 200
