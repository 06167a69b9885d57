"""Stopping: what has not begun is handed back, what is under way may finish, then is cut."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Drain:
    """Shared by the steps; `begin` and `cut` are called once, in this order."""

    def __init__(self) -> None:
        self.is_draining = False
        self._calls: set[asyncio.Timeout] = set()
        self._is_cut = False

    def begin(self) -> None:
        """Let nothing new begin."""
        self.is_draining = True

    def cut(self) -> None:
        """End the calls still under way; each sees a TimeoutError and becomes unknown."""
        self._is_cut = True
        now = asyncio.get_running_loop().time()
        for call in self._calls:
            call.reschedule(now)

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Wrap one call to the API; raises TimeoutError when it is cut."""
        async with asyncio.timeout(0 if self._is_cut else None) as call:
            self._calls.add(call)
            try:
                yield
            finally:
                self._calls.discard(call)
