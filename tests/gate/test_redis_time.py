"""Slots are in Redis's time: a late reply must not move them, a clock that was set must."""

import pytest

from tests.support.fakes import FakeClock
from worker.gate.redis.redis_time import RedisTime


def replied(
    time: RedisTime, clock: FakeClock, *, ahead_s: float, there_s: float, back_s: float
) -> None:
    """Make a call whose way there and back takes so long."""
    asked_at = clock.time
    clock.time += there_s
    moment = clock.time - ahead_s
    clock.time += back_s
    time.note(moment, asked_at=asked_at)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_quickest_reply_tells_and_slow_ones_change_nothing(clock: FakeClock) -> None:
    time = RedisTime(clock)
    replied(time, clock, ahead_s=5, there_s=0.4, back_s=0.1)
    replied(time, clock, ahead_s=5, there_s=0.001, back_s=0.001)
    for _ in range(10):
        replied(time, clock, ahead_s=5, there_s=0.001, back_s=2.0)
        replied(time, clock, ahead_s=5, there_s=2.0, back_s=0.001)
    assert time.here(100.0) == pytest.approx(105.0, abs=0.005)
    assert time.there(105.0) == pytest.approx(100.0, abs=0.005)


@pytest.mark.parametrize("step_s", [-60.0, -0.5, 0.5, 60.0])
def test_clock_that_was_set_is_noticed_by_the_next_reply(clock: FakeClock, step_s: float) -> None:
    time = RedisTime(clock)
    replied(time, clock, ahead_s=5, there_s=0.001, back_s=0.001)
    clock.time += step_s
    replied(time, clock, ahead_s=5 + step_s, there_s=0.001, back_s=0.001)
    assert time.here(100.0) == pytest.approx(105.0 + step_s, abs=0.005)


def test_clocks_that_drift_apart_are_followed(clock: FakeClock) -> None:
    time = RedisTime(clock)
    ahead_s = 5.0
    for _ in range(1000):
        clock.time += 10
        ahead_s += 10 * 2e-5
        replied(time, clock, ahead_s=ahead_s, there_s=0.001, back_s=0.001)
    assert time.here(100.0) == pytest.approx(100.0 + ahead_s, abs=0.005)
