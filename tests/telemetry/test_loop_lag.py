"""The lag is what a step overran, and the age of the last tick tells a stuck loop."""

import pytest

from worker.telemetry.loop_lag import TICK_S, LoopLag


class SlowLoop:
    """A clock whose sleeps overrun by the given amounts; then it is over."""

    def __init__(self, *overruns: float) -> None:
        self.time = 100.0
        self._overruns = list(overruns)

    def now(self) -> float:
        return self.time

    async def sleep(self, delay_s: float) -> None:
        if not self._overruns:
            raise EOFError
        self.time += delay_s + self._overruns.pop(0)


async def test_each_overrun_is_recorded() -> None:
    loop, lags = SlowLoop(0.0, 0.25, 2.0), list[float]()
    with pytest.raises(EOFError):
        await LoopLag(now=loop.now, sleep=loop.sleep).run(lags.append)
    assert lags == [0.0, 0.25, 2.0]


async def test_sleep_that_ends_early_is_no_lag() -> None:
    loop, lags = SlowLoop(-0.01), list[float]()
    with pytest.raises(EOFError):
        await LoopLag(now=loop.now, sleep=loop.sleep).run(lags.append)
    assert lags == [0.0]


async def test_age_counts_from_the_last_tick_or_from_the_start() -> None:
    loop = SlowLoop(1.0)
    lag = LoopLag(now=loop.now, sleep=loop.sleep)
    loop.time += 7
    assert lag.tick_age_s() == 7
    with pytest.raises(EOFError):
        await lag.run(lambda _: None)
    assert lag.tick_age_s() == 0
    loop.time += TICK_S
    assert lag.tick_age_s() == TICK_S
