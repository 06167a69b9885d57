"""One operator at a time per dead-letter queue: two scans at once would mix up its order.

The lock is an exclusive queue: the broker gives it up with the connection, however that ends. It
may do so before the dead-letter queue has taken back what the connection held: rest.py waits for
that.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import ChannelLockedResource, ChannelNotFoundEntity

from worker.rabbit.wire.closing import close

RPC_TIMEOUT_S = 30.0
_ASK_AGAIN_S = 0.2


class Locked(Exception):
    """Somebody else is at work on the queue."""


class QueueMissing(Exception):
    """There is no such queue."""


@asynccontextmanager
async def the_lock(
    connection: AbstractConnection,
    queue: str,
    *,
    wait_s: float,
    on_wait: Callable[[], None],
) -> AsyncIterator[None]:
    """Be the only one at the queue.

    Raises Locked when somebody else is there for longer than `wait_s` seconds.
    """
    lock = f"{queue}.lock"
    loop = asyncio.get_running_loop()
    end, has_told = loop.time() + wait_s, False
    while not await _has_locked(connection, lock):
        if loop.time() >= end:
            raise Locked(lock)
        if not has_told:
            has_told = True
            on_wait()
        await asyncio.sleep(_ASK_AGAIN_S)
    yield
    async with _a_channel(connection) as channel:
        await channel.queue_delete(lock, timeout=RPC_TIMEOUT_S)


async def count(connection: AbstractConnection, queue: str) -> int:
    """Count the letters that nobody holds. Raises QueueMissing."""
    async with _a_channel(connection) as channel:
        try:
            found = await channel.queue_declare(queue, passive=True, timeout=RPC_TIMEOUT_S)
        except ChannelNotFoundEntity:
            raise QueueMissing(queue) from None
    return found.message_count or 0


async def _has_locked(connection: AbstractConnection, lock: str) -> bool:
    async with _a_channel(connection) as channel:
        try:
            await channel.queue_declare(lock, exclusive=True, timeout=RPC_TIMEOUT_S)
        except ChannelLockedResource:
            return False
    return True


@asynccontextmanager
async def _a_channel(connection: AbstractConnection) -> AsyncIterator[AbstractChannel]:
    """A channel of its own: what the broker refuses costs the channel."""
    channel = await connection.channel(publisher_confirms=False)
    try:
        yield channel
    finally:
        await close(channel)
