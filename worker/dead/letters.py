"""The dead letters of one prefix on one broker: where every command of the tool begins."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Self

from pamqp.common import FieldTable

from worker.clock import SystemClock
from worker.contract.validator import RequestValidator
from worker.core.reason import Reason
from worker.dead.lines import Restored
from worker.dead.lock import count, the_lock
from worker.dead.order import Clerk
from worker.dead.queue import DeadQueue, Means
from worker.dead.rest import count_at_rest
from worker.pipeline.read import Reader
from worker.rabbit.confirmed import describe_refusal, open_confirms
from worker.rabbit.link import CONNECT_TIMEOUT_S
from worker.rabbit.names import Names
from worker.rabbit.wire.confirms import Nacked, Unroutable
from worker.rabbit.wire.connection import Wire, connect

PIPELINED = 256


class NotTaken(Exception):
    """The broker did not take a letter."""


class DeadLetters:
    """Reads on one connection and publishes on another, which a broker may block."""

    def __init__(self, names: Names, *, reading: Wire, publishing: Wire) -> None:
        clock = SystemClock()
        clerk = Clerk(names, Reader(RequestValidator(), clock))
        self._means = Means(names, clerk, reading, publishing, clock.now)

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, names: Names) -> AsyncIterator[Self]:
        """Connect to the broker; raises what aio-pika raises when that fails."""
        properties: FieldTable = {"connection_name": "igsend/dead"}
        reading, wire = await connect(
            url, client_properties=properties, timeout_s=CONNECT_TIMEOUT_S
        )
        async with reading:
            publishing, other = await connect(
                url, client_properties=properties, timeout_s=CONNECT_TIMEOUT_S
            )
            async with publishing:
                yield cls(names, reading=wire, publishing=other)

    def queue_name(self, reason: Reason) -> str:
        return self._means.names.dead_queue(reason)

    async def count(self, reason: Reason) -> int:
        """Count the letters that nobody holds. Raises QueueMissing."""
        return await count(self._means.reading.connection, self.queue_name(reason))

    @asynccontextmanager
    async def at(
        self,
        reason: Reason,
        *,
        wait_s: float = float("inf"),
        on_wait: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[DeadQueue]:
        """Work on one queue while nobody else does; `on_wait` is told when somebody is at it.

        Raises Locked when that takes longer than `wait_s` seconds, QueueMissing, and InUse.
        """
        name = self.queue_name(reason)
        connection = self._means.reading.connection
        async with the_lock(connection, name, wait_s=wait_s, on_wait=on_wait):
            total = await count_at_rest(connection, name)
            yield DeadQueue(reason, self._means, total=total)

    async def restore(
        self, letters: Iterable[Restored], *, on_taken: Callable[[], None] = lambda: None
    ) -> None:
        """Put exported letters behind those of their queues; `on_taken` is told of each, in order.

        Raises NotTaken. Up to PIPELINED letters after the last that was told of may be taken too.
        """
        confirms = await open_confirms(self._means.publishing)
        under_way: deque[asyncio.Future[None]] = deque()
        ids: set[str] = set()
        for letter in letters:
            # Of two with one id under way, the broker's answers could not be told apart.
            if len(under_way) >= PIPELINED or letter.message_id in ids:
                await _all_taken(under_way, on_taken)
                ids.clear()
            # To the queue itself, by the nameless exchange: bindings may be anybody's.
            queue = self.queue_name(letter.reason)
            under_way.append(
                confirms.publish(
                    "",
                    queue,
                    letter.header,
                    letter.body,
                    is_mandatory=True,
                    message_id=letter.message_id,
                )
            )
            ids |= {letter.message_id} if letter.message_id else set()
        await _all_taken(under_way, on_taken)


async def _all_taken(under_way: deque[asyncio.Future[None]], on_taken: Callable[[], None]) -> None:
    refused: Unroutable | Nacked | None = None
    # After a refusal all others: the broker has said of each what it did.
    while under_way:
        try:
            await under_way.popleft()
        except (Unroutable, Nacked) as error:
            refused = refused or error
        else:
            if refused is None:
                on_taken()
    if refused is not None:
        raise NotTaken(describe_refusal(refused))
