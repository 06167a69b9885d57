"""One operator at a time per dead-letter queue: two scans at once would mix up its order."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiormq.abc import AbstractConnection
from aiormq.exceptions import ChannelLockedResource, ChannelNotFoundEntity

RPC_TIMEOUT_S = 30.0
_ASK_AGAIN_S = 0.2
_SETTLED_S = 0.05
_MOST_LOOKS = 40


class Locked(Exception):
    """Somebody else is at work on the queue."""


class QueueMissing(Exception):
    """There is no such queue."""


@asynccontextmanager
async def the_lock(
    connection: AbstractConnection,
    name: str,
    *,
    wait_s: float,
    on_wait: Callable[[], None],
) -> AsyncIterator[None]:
    """Hold an exclusive queue: the broker gives it up with the connection, however that ends.

    Raises Locked when somebody else holds it for longer than `wait_s` seconds.
    """
    loop = asyncio.get_running_loop()
    end, has_told = loop.time() + wait_s, False
    while not await _declared(connection, name):
        if loop.time() >= end:
            raise Locked(name)
        if not has_told:
            has_told = True
            on_wait()
        await asyncio.sleep(_ASK_AGAIN_S)
    try:
        yield
    finally:
        if not connection.is_closed:
            channel = await connection.channel(publisher_confirms=False)
            await channel.queue_delete(name, timeout=RPC_TIMEOUT_S)
            await channel.close()


async def settled_count(connection: AbstractConnection, queue: str) -> int:
    """Count the letters once the broker has taken back what a killed command held.

    Raises QueueMissing.
    """
    count = -1
    for _ in range(_MOST_LOOKS):
        before, count = count, await _count(connection, queue)
        if before == count:
            break
        await asyncio.sleep(_SETTLED_S)
    return count


async def _declared(connection: AbstractConnection, name: str) -> bool:
    channel = await connection.channel(publisher_confirms=False)
    try:
        await channel.queue_declare(name, exclusive=True, timeout=RPC_TIMEOUT_S)
    except ChannelLockedResource:
        return False
    await channel.close()
    return True


async def _count(connection: AbstractConnection, queue: str) -> int:
    channel = await connection.channel(publisher_confirms=False)
    try:
        found = await channel.queue_declare(queue, passive=True, timeout=RPC_TIMEOUT_S)
    except ChannelNotFoundEntity:
        raise QueueMissing(queue) from None
    await channel.close()
    return found.message_count or 0
