"""Calls at the same time: at most so many, and no more ask for a slot than could use one now."""

import asyncio
from collections import deque


class Permits:
    """`most` permits, each with one request at a time, in the order in which they are asked for.

    A request takes one before it asks the gate, and gives it back for as long as it waits for
    anything but the API. Asked for without one, a slot would often have passed when one was free.
    """

    def __init__(self, most: int) -> None:
        self._free = most
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    @property
    def free(self) -> int:
        """How many nobody has."""
        return self._free

    async def acquire(self, *, is_urgent: bool) -> None:
        """Wait for one; the urgent go first: they have a slot."""
        if self._free:
            self._free -= 1
            return
        handed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._urgent if is_urgent else self._others).append(handed)
        try:
            await handed
        except asyncio.CancelledError:
            if handed.done() and not handed.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Hand it to the next, who need not compete with newcomers for it."""
        for waiting in (self._urgent, self._others):
            while waiting:
                handed = waiting.popleft()
                if not handed.done():
                    handed.set_result(None)
                    return
        self._free += 1


class Permit:
    """One request's permit, whether it has it just now or not."""

    __slots__ = ("_is_held", "_permits")

    def __init__(self, permits: Permits) -> None:
        self._permits = permits
        self._is_held = False

    async def take(self, *, is_urgent: bool = False) -> None:
        """Have it; nothing to do for who has it."""
        if not self._is_held:
            await self._permits.acquire(is_urgent=is_urgent)
            self._is_held = True

    def give_back(self) -> None:
        """Let others have it; nothing to do for who has none."""
        if self._is_held:
            self._is_held = False
            self._permits.release()
