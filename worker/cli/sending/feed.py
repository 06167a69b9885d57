"""Lines for the event loop: read in a thread, because a pipe may have nothing for hours."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncIterator, Iterator

from worker.cli.lines import Line

# Read ahead, at most.
AHEAD = 1000
# A timer of the loop is late by a moment; so much may be made up for, and no more.
LATE_S = 0.1


class Feed:
    """Iterates over the lines, no faster than `rate` a second, until it is told to stop."""

    def __init__(self, lines: Iterator[Line], *, rate: float | None) -> None:
        self._lines = lines
        self._interval_s = 0.0 if rate is None else 1 / rate
        self._loop = asyncio.get_running_loop()
        self._next_at = self._loop.time()
        self._read: queue.Queue[Line | Exception | None] = queue.Queue(AHEAD)
        self._woken = asyncio.Event()
        self._is_waiting = False
        self._is_stopped = False
        # A daemon: nobody can wake a thread that waits for its standard input.
        threading.Thread(target=self._work, name="igsend-reader", daemon=True).start()

    def stop(self) -> None:
        """Give no more, also to who waits for the next already."""
        self._is_stopped = True
        self._woken.set()

    async def __aiter__(self) -> AsyncIterator[Line]:
        while (item := await self._next()) is not None:
            if isinstance(item, Exception):
                raise item
            await self._pace()
            if self._is_stopped:
                return
            yield item

    def _work(self) -> None:
        end: Exception | None = None
        try:
            for line in self._lines:
                self._put(line)
        except Exception as error:  # told to who iterates
            end = error
        self._put(end)

    def _put(self, item: Line | Exception | None) -> None:
        self._read.put(item)
        if self._is_waiting:
            # The command may have ended meanwhile, and the loop with it.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._woken.set)

    async def _next(self) -> Line | Exception | None:
        while not self._is_stopped:
            with contextlib.suppress(queue.Empty):
                return self._read.get_nowait()
            self._woken.clear()
            # In this order: what is put between the two is seen here, all later ones wake.
            self._is_waiting = True
            if self._read.empty():
                await self._woken.wait()
            self._is_waiting = False
        return None

    async def _pace(self) -> None:
        """Keep the distance; a pause is not made up for by a burst."""
        if not self._interval_s:
            return
        while not self._is_stopped and (left_s := self._next_at - self._loop.time()) > 0:
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._woken.wait()
        self._next_at = max(self._next_at, self._loop.time() - LATE_S) + self._interval_s
