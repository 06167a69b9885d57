"""How late the event loop is: everything else in the process is at least as late."""

import asyncio
import time
from collections.abc import Awaitable, Callable

TICK_S = 0.5


class LoopLag:
    """Sleeps in short steps and measures by how much each overran."""

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`now` counts seconds from any origin."""
        self._now = now
        self._sleep = sleep
        self._last_tick = now()

    async def run(self, record: Callable[[float], None]) -> None:
        """Tick until cancelled; `record` gets each lag in seconds."""
        while True:
            due = self._now() + TICK_S
            await self._sleep(TICK_S)
            self._last_tick = self._now()
            record(max(0.0, self._last_tick - due))

    def tick_age_s(self) -> float:
        """Say how long ago the last tick was; before the first one, since the start."""
        return self._now() - self._last_tick
