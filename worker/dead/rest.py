"""Tells when all letters lie in their queue, and nobody holds any.

A channel that has closed, or whose process was killed, is gone for its client before the queue has
taken back its letters. A consumer that holds letters counts as one until then, also when it was
cancelled (RabbitMQ 3.10, 4.0, 4.3); whoever reads before that reads in another order.
"""

import asyncio

from aiormq.abc import AbstractConnection
from aiormq.exceptions import ChannelNotFoundEntity

from worker.dead.lock import RPC_TIMEOUT_S, QueueMissing
from worker.rabbit.wire.closing import close

_LOOK_AGAIN_S = 0.02
_PATIENCE_S = 20.0


class InUse(Exception):
    """Somebody who does not use this tool takes letters from the queue."""


async def count_at_rest(
    connection: AbstractConnection, queue: str, *, patience_s: float = _PATIENCE_S
) -> int:
    """Count the letters once nobody holds any. Raises QueueMissing, or InUse."""
    channel = await connection.channel(publisher_confirms=False)
    loop = asyncio.get_running_loop()
    end = loop.time() + patience_s
    while True:
        try:
            found = await channel.queue_declare(queue, passive=True, timeout=RPC_TIMEOUT_S)
        except ChannelNotFoundEntity:
            raise QueueMissing(queue) from None
        if not found.consumer_count:
            break
        if loop.time() > end:
            raise InUse(
                f"somebody else reads {queue} ({found.consumer_count} consumers): a shovel, or a "
                "program of your own. End that first"
            )
        await asyncio.sleep(_LOOK_AGAIN_S)
    await close(channel)
    return found.message_count or 0
