"""The system's clock and dice."""

import asyncio
import random
import time


class SystemClock:
    """Implements the Clock port."""

    def now(self) -> float:
        return time.time()

    async def sleep_until(self, moment: float) -> None:
        wait_s = moment - time.time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)

    def jitter(self) -> float:
        return random.random()
