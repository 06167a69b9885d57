"""Time that jumps to whatever is due next: an hour passes as fast as its events can be played."""

import asyncio
import selectors
from collections.abc import Callable

from tests.support.fakes import START

# What a turn of the loop takes. It must take something: for asyncio, what is due at this very
# moment is not due yet. Unix seconds are exact to a quarter of a microsecond.
_TURN_S = 1e-6


class _Jumping(selectors.SelectSelector):
    """Never waits: where a loop would sleep, time moves on instead."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits, and for nothing that could happen"
            self._jump(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is unix seconds of its own; nothing in it may wait for a socket."""

    def __init__(self) -> None:
        self._virtual_now = START
        super().__init__(_Jumping(self._jump))

    def time(self) -> float:
        return self._virtual_now

    def _jump(self, seconds: float) -> None:
        self._virtual_now += seconds + _TURN_S


async def lapse(seconds: float) -> None:
    """Let time pass that nobody has to wait for."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop), "only there it costs nothing"
    over = asyncio.Event()
    timer = loop.call_later(max(0.0, seconds), over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()


class LoopClock:
    """Implements the Clock port on the time of a loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return self._loop.time()

    async def sleep_until(self, moment: float) -> None:
        await lapse(moment - self._loop.time())

    def jitter(self) -> float:
        return 0.5
