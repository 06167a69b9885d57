"""Reads a dead-letter queue from its head without changing it; what is not acked goes back.

A scan is one channel. Its letters are taken in windows, each by a consumer of its own that is
cancelled when it has what it asked for. When the channel closes, or its process dies, a quorum
queue takes the letters back consumer by consumer, and up to 32 of them in the order of their tags:
that is the order in which they lay (tried on RabbitMQ 3.10, 4.0 and 4.3, with SIGKILL; with more
than 32 the order is lost on 3.10). A window whose letters are all acked does not count.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import Generic, TypeVar

from aiormq.abc import AbstractChannel, DeliveredMessage

from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.deliveries import Deliveries, Incoming

RPC_TIMEOUT_S = 30.0
MOST_WINDOWS = 30
LARGEST_WINDOW = 65_535
SMALLEST_WINDOW = 2_000
MOST_LETTERS = MOST_WINDOWS * LARGEST_WINDOW
# A queue that has been told to be longer gives nothing for so long: somebody else took the rest.
SILENCE_S = 15.0

Picked = TypeVar("Picked")


class ScanBroken(Exception):
    """The broker ended the scan: the queue was deleted, or the channel closed."""


@dataclass(slots=True)
class Window(Generic[Picked]):
    """What was picked of one window, in order. `ack` takes a letter out of the queue for good."""

    picked: list[tuple[Incoming, Picked]] = field(default_factory=list)
    seen: int = 0
    acked: int = 0

    def ack(self, message: Incoming) -> None:
        message.receipt.ack()
        self.acked += 1


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
        self._channel = channel
        self._queue = queue
        self._left = min(total, MOST_LETTERS)
        self._pick = pick
        self._held = 0
        self._number = 0
        self._window: Window[Picked] = Window()
        self._wanted = 0
        self._full = asyncio.Event()
        self._is_cancelled = False
        Deliveries(wire, channel, self._take)
        channel.on_consumer_cancel_callbacks.add(self._cancelled)
        channel.closing.add_done_callback(self._cancelled)

    async def windows(
        self, *, first: int = SMALLEST_WINDOW
    ) -> AsyncGenerator[Window[Picked], None]:
        """Give window after window; letters that are not acked by then stay with the scan.

        `first` is the size of windows as long as all letters are acked. Raises ScanBroken.
        """
        while self._left > 0:
            window = await self._next(min(self._left, self._size(first)))
            if not window.seen:
                return
            yield window
            self._left -= window.seen
            self._held += window.acked < window.seen

    def _size(self, first: int) -> int:
        """As small as it may be: what is picked of a window is kept in memory."""
        spread = ceil(self._left / (MOST_WINDOWS - self._held))
        return min(LARGEST_WINDOW, max(first, spread) if self._held else first)

    async def _next(self, size: int) -> Window[Picked]:
        self._window, self._wanted = Window(), size
        self._full.clear()
        # Tags sort by their numbers: that decides in which order the broker takes letters back.
        tag = f"{self._number:04d}"
        self._number += 1
        await self._channel.basic_qos(prefetch_count=size, timeout=RPC_TIMEOUT_S)
        await self._channel.basic_consume(
            self._queue, _not_by_aiormq, consumer_tag=tag, timeout=RPC_TIMEOUT_S
        )
        await self._filled()
        # Or each ack would bring one more letter, out of its order.
        await self._channel.basic_cancel(tag, timeout=RPC_TIMEOUT_S)
        return self._window

    async def _filled(self) -> None:
        seen = -1
        while not self._full.is_set() and seen != self._window.seen:
            seen = self._window.seen
            try:
                async with asyncio.timeout(SILENCE_S):
                    await self._full.wait()
            except TimeoutError:
                continue
        if self._is_cancelled:
            raise ScanBroken(f"RabbitMQ ended the reading of {self._queue}: was it deleted?")

    def _take(self, message: Incoming) -> None:
        self._window.seen += 1
        picked = self._pick(message)
        if picked is not None:
            self._window.picked.append((message, picked))
        if self._window.seen >= self._wanted:
            self._full.set()

    def _cancelled(self, _: object) -> None:
        self._is_cancelled = True
        self._full.set()


async def _not_by_aiormq(_: DeliveredMessage) -> None:
    raise AssertionError("deliveries of this channel take the short way")


@asynccontextmanager
async def a_scan(
    wire: Wire, queue: str, *, total: int, pick: Callable[[Incoming], Picked | None]
) -> AsyncIterator[Scan[Picked]]:
    """Scan on a channel of its own; when it closes, all that is not acked is where it was."""
    channel = await wire.connection.channel(publisher_confirms=False)
    try:
        yield Scan(wire, channel, queue, total=total, pick=pick)
    finally:
        # Acks go out with the end of this turn of the loop, and in front of the close.
        await asyncio.sleep(0)
        await channel.close()
