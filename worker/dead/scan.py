"""Reads a dead-letter queue from its head without changing it; what is not acked goes back.

A quorum queue takes returned letters back behind those that were returned before and not taken
again. So a scan takes all letters there are before it gives any back, however few of them are
wanted: then their order is what it was. It is one channel with a consumer for each window of
letters; when the channel closes, or its process dies, the queue takes the letters back consumer
by consumer, and up to 32 of them in the order of their tags (tried on RabbitMQ 3.10, 4.0 and 4.3;
with more, the order is lost on 3.10). Up to `SMALLEST_WINDOW` letters are taken at one stroke, up
to `MOST_ON_THE_WAY` within a few milliseconds, and a scan that is killed cannot change their order.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Generic, TypeVar

from aiormq.abc import AbstractChannel, DeliveredMessage

from worker.dead.rest import count_at_rest
from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.deliveries import Deliveries, Incoming

RPC_TIMEOUT_S = 30.0
MOST_WINDOWS = 30
SMALLEST_WINDOW = 20_000
LARGEST_WINDOW = 65_535
MOST_LETTERS = MOST_WINDOWS * LARGEST_WINDOW
# The broker keeps in memory what it has handed out and we have not read.
MOST_ON_THE_WAY = 300_000
# A queue that has been told to be longer gives nothing for so long: somebody else took the rest.
SILENCE_S = 15.0

Picked = TypeVar("Picked")


class ScanBroken(Exception):
    """The broker ended the scan: the queue was deleted, or the channel closed."""


@dataclass(slots=True)
class Window(Generic[Picked]):
    """What was picked of `wanted` letters in a row. `ack` takes one out of the queue for good."""

    tag: str
    wanted: int
    picked: list[tuple[Incoming, Picked]] = field(default_factory=list)
    seen: int = 0
    is_full: asyncio.Event = field(default_factory=asyncio.Event)

    def ack(self, message: Incoming) -> None:
        message.receipt.ack()


class Scan(Generic[Picked]):
    """One pass over the first `total` letters; `pick` gives None for those of no interest."""

    def __init__(
        self,
        wire: Wire,
        channel: AbstractChannel,
        queue: str,
        *,
        total: int,
        pick: Callable[[Incoming], Picked | None],
    ) -> None:
        self._wire = wire
        self._channel = channel
        self._queue = queue
        self._untaken = min(total, MOST_LETTERS)
        self._size = min(LARGEST_WINDOW, max(SMALLEST_WINDOW, ceil(self._untaken / MOST_WINDOWS)))
        self._pick = pick
        self._number = 0
        self._windows: deque[Window[Picked]] = deque()
        self._by_tag: dict[str, Window[Picked]] = {}
        self._is_broken = False
        Deliveries(wire, channel, self._take)
        channel.on_consumer_cancel_callbacks.add(self._broken)
        channel.closing.add_done_callback(self._broken)

    async def windows(self) -> AsyncGenerator[Window[Picked], None]:
        """Give window after window, in order. Raises ScanBroken."""
        await self._take_more()
        while self._windows:
            yield await self._next()

    async def acks_are_taken(self) -> None:
        """Wait until the broker has every ack: it answers what comes after them."""
        await asyncio.sleep(0)
        await self._channel.basic_qos(prefetch_count=1, timeout=RPC_TIMEOUT_S)

    async def take_the_rest(self) -> None:
        """Take what is left, unread, so that all goes back in order."""
        while self._untaken and not self._is_broken:
            await self._take_more()
            if self._windows:
                await self._next()

    async def _next(self) -> Window[Picked]:
        window = self._windows[0]
        await self._filled(window)
        # Or each ack would bring one more letter, out of its order.
        await self._channel.basic_cancel(window.tag, timeout=RPC_TIMEOUT_S)
        self._windows.popleft()
        del self._by_tag[window.tag]
        if window.seen < window.wanted:
            self._untaken = 0
        await self._take_more()
        self._hold_back()
        return window

    async def _take_more(self) -> None:
        """Have the broker hand out as many letters as may be on the way."""
        while self._untaken and self._on_the_way + self._size <= MOST_ON_THE_WAY:
            # Tags sort by their numbers: in that order the broker takes letters back.
            window: Window[Picked] = Window(f"{self._number:04d}", min(self._untaken, self._size))
            self._number += 1
            self._untaken -= window.wanted
            self._windows.append(window)
            self._by_tag[window.tag] = window
            await self._channel.basic_qos(prefetch_count=window.wanted, timeout=RPC_TIMEOUT_S)
            await self._channel.basic_consume(
                self._queue, _not_by_aiormq, consumer_tag=window.tag, timeout=RPC_TIMEOUT_S
            )

    @property
    def _on_the_way(self) -> int:
        return sum(window.wanted - window.seen for window in self._windows)

    def _hold_back(self) -> None:
        """Read no further while a whole window waits: what is picked is kept in memory."""
        is_waiting = bool(self._windows) and self._windows[0].is_full.is_set()
        self._wire.hold_back(is_held=is_waiting)

    async def _filled(self, window: Window[Picked]) -> None:
        self._wire.hold_back(is_held=False)
        seen = -1
        while not window.is_full.is_set() and seen != window.seen:
            seen = window.seen
            try:
                async with asyncio.timeout(SILENCE_S):
                    await window.is_full.wait()
            except TimeoutError:
                continue
        if self._is_broken:
            raise ScanBroken(f"RabbitMQ ended the reading of {self._queue}: was it deleted?")

    def _take(self, message: Incoming) -> None:
        window = self._by_tag[message.deliver.consumer]
        window.seen += 1
        picked = self._pick(message)
        if picked is not None:
            window.picked.append((message, picked))
        if window.seen >= window.wanted:
            window.is_full.set()
            if window is not self._windows[0]:
                self._hold_back()

    def _broken(self, _: object) -> None:
        self._is_broken = True
        for window in self._windows:
            window.is_full.set()


async def _not_by_aiormq(_: DeliveredMessage) -> None:
    raise AssertionError("deliveries of this channel take the short way")


@asynccontextmanager
async def a_scan(
    wire: Wire, queue: str, *, total: int, pick: Callable[[Incoming], Picked | None]
) -> AsyncIterator[Scan[Picked]]:
    """Scan on a channel of its own; when it closes, all that is not acked is where it was.

    Raises QueueMissing, and InUse.
    """
    # What the scan before this one held comes to the head, and late: nobody may read meanwhile.
    await count_at_rest(wire.connection, queue)
    channel = await wire.connection.channel(publisher_confirms=False)
    scan = Scan(wire, channel, queue, total=total, pick=pick)
    try:
        yield scan
        await scan.take_the_rest()
    finally:
        wire.hold_back(is_held=False)
        # Acks go out with the end of this turn of the loop, and in front of the close.
        await asyncio.sleep(0)
        await channel.close()
