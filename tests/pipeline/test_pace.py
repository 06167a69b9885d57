"""Paced turns: close together while each is quick, further apart when they take longer."""

import asyncio

import pytest

from tests.support.fakes import FakeClock
from worker.pipeline.pace import Pace


async def turns(pace: Pace, clock: FakeClock, number: int, *, each_takes_s: float) -> None:
    for _ in range(number):
        async with pace.turn():
            clock.time += each_takes_s


async def test_quick_turns_follow_each_other_at_once() -> None:
    clock = FakeClock()
    pace, start = Pace(clock), clock.now()
    await turns(pace, clock, 100, each_takes_s=0.001)
    assert clock.now() - start == pytest.approx(0.1, abs=0.001)
    assert pace.interval_s == 0


async def test_slow_turns_become_few_and_quick_ones_many_again() -> None:
    clock = FakeClock()
    pace = Pace(clock)
    await turns(pace, clock, 1, each_takes_s=0.001)
    await turns(pace, clock, 50, each_takes_s=0.030)
    assert pace.interval_s == 0.040
    await turns(pace, clock, 100, each_takes_s=0.001)
    assert pace.interval_s == 0


async def test_a_broker_that_is_always_slow_is_no_reason_to_wait() -> None:
    clock = FakeClock()
    pace = Pace(clock)
    await turns(pace, clock, 1, each_takes_s=0.005)
    await turns(pace, clock, 3000, each_takes_s=0.030)
    assert pace.interval_s == 0


async def test_turns_at_the_same_time_are_spread_out() -> None:
    clock = FakeClock()
    pace = Pace(clock)
    await turns(pace, clock, 1, each_takes_s=0.001)
    await turns(pace, clock, 50, each_takes_s=0.030)

    async def one() -> None:
        async with pace.turn():
            pass

    start = clock.now()
    await asyncio.gather(*(one() for _ in range(3)))
    assert clock.now() - start > 2 * 0.040
