"""Calls at the same time: at most so many, and no more ask for a slot than could use one now."""

import asyncio
from collections import deque

# Calls that ask for a slot or are about to leave. Each takes a fraction of a millisecond until its
# first byte goes, a new connection more: with many more of them most would leave their slots unused
# behind each other, ask again, and in the end none would leave at all.
LEAVING = 32


class Places:
    """`most` places, each with one request at a time, in the order in which they are asked for."""

    def __init__(self, most: int) -> None:
        self.free = most
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def acquire(self, *, is_urgent: bool) -> None:
        """Wait for one; the urgent go first: they have a slot."""
        if self.free:
            self.free -= 1
            return
        if self._loop is None:
            # Once: Python 3.11 asks the kernel for its process id to answer this.
            self._loop = asyncio.get_running_loop()
        handed: asyncio.Future[None] = self._loop.create_future()
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
        self.free += 1


class Permits:
    """For `most` calls under way at once, of which `leaving` have not left yet."""

    def __init__(self, most: int, *, leaving: int = LEAVING) -> None:
        self.calls = Places(most)
        self.door = Places(leaving)


class Permit:
    """One request's permit: a place among the calls, and one at the door until its call has left.

    A request takes it before it asks the gate, and gives it back for as long as it waits for
    anything but the API. Asked for without one, a slot would often have passed when one was free.
    `is_waiting` while there is no place for it.
    """

    __slots__ = ("_is_at_door", "_is_held", "_permits", "is_waiting")

    def __init__(self, permits: Permits) -> None:
        self._permits = permits
        self._is_held = False
        self._is_at_door = False
        self.is_waiting = False

    async def take(self, *, is_urgent: bool = False) -> None:
        """Have it, and be at the door; nothing to do for who is."""
        self.is_waiting = True
        if not self._is_held:
            await self._permits.calls.acquire(is_urgent=is_urgent)
            self._is_held = True
        if not self._is_at_door:
            await self._permits.door.acquire(is_urgent=is_urgent)
            self._is_at_door = True
        self.is_waiting = False

    def leave_door(self) -> None:
        """Let others to the door: the call has left, or there is something to wait for first."""
        if self._is_at_door:
            self._is_at_door = False
            self._permits.door.release()

    def give_back(self) -> None:
        """Let others have it; nothing to do for who has none."""
        self.leave_door()
        if self._is_held:
            self._is_held = False
            self._permits.calls.release()
