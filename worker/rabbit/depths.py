"""Looks every second how much is ready in each intake queue, and how many consume it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping

from aiormq.abc import AbstractChannel, AbstractConnection

from worker.core.sendable import Depth
from worker.rabbit.link import CONNECTION_ERRORS, heed_cancellation, is_own_cancellation
from worker.rabbit.wire.connection import Wire

LOOK_EVERY_S = 1.0
# The broker has better to do: with more than nine partitions it is asked less often.
QUESTION_EVERY_S = 0.1
# The broker notes every refusal in its log.
REST_S = 15.0
# A queue whose leader is just being elected does not answer; what was looked at then is too old.
RPC_TIMEOUT_S = 10.0


class Depths:
    """A user of the consume connection, on a channel of its own: no alarm holds that one up."""

    def __init__(
        self, queues: Iterable[str], looked: Callable[[Mapping[str, Depth]], None]
    ) -> None:
        self._queues = tuple(queues)
        self._looked = looked

    async def use(self, wire: Wire) -> None:
        """Look until the connection is gone; tell of no depths at all while none can be had."""
        channel: AbstractChannel | None = None
        try:
            while not wire.is_closed:
                await asyncio.sleep(max(LOOK_EVERY_S, len(self._queues) * QUESTION_EVERY_S))
                channel = await self._look(wire.connection, channel)
                heed_cancellation()
                if channel is None:
                    await asyncio.sleep(REST_S)
        finally:
            self._looked({})

    async def _look(
        self, connection: AbstractConnection, channel: AbstractChannel | None
    ) -> AbstractChannel | None:
        """Look once; give the channel to use next time, None for a new one."""
        try:
            if channel is None or channel.is_closed:
                channel = await connection.channel(publisher_confirms=False, timeout=RPC_TIMEOUT_S)
            self._looked({name: await _depth(channel, name) for name in self._queues})
        except CONNECTION_ERRORS:
            self._looked({})
            return None
        except asyncio.CancelledError:
            if is_own_cancellation():
                raise
            self._looked({})
            return None
        return channel


async def _depth(channel: AbstractChannel, queue: str) -> Depth:
    answer = await channel.queue_declare(queue, passive=True, timeout=RPC_TIMEOUT_S)
    return Depth(answer.message_count or 0, answer.consumer_count or 0)
