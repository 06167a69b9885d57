"""Hears every outcome through a durable queue, also over restarts of the broker."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aiormq.abc import FieldTable

from tests.replicas.witness import Witness
from tests.support.pacing import beside, until
from tests.support.waiting import eventually
from worker.rabbit.link import CONNECTION_ERRORS, is_own_cancellation
from worker.rabbit.names import Names

_AGAIN_AFTER_S = 0.5
_LISTENS_FOR_S = 24 * 3600.0
_PREFETCH = 500


class Ear(Witness):
    """A witness that takes nothing for new that was only delivered to it again."""

    def __init__(self) -> None:
        super().__init__()
        self._heard_ids: set[str | None] = set()

    async def take(self, message: AbstractIncomingMessage) -> None:
        if message.message_id not in self._heard_ids:
            self._heard_ids.add(message.message_id)
            await self.hear(message)
        await message.ack()


@asynccontextmanager
async def an_ear(amqp_url: str, names: Names) -> AsyncIterator[Ear]:
    """Listen from now on to all accounts."""
    ear = Ear()
    queue = f"{names.prefix}.chaos.heard"
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        arguments: FieldTable = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
        declared = await channel.declare_queue(queue, durable=True, arguments=arguments)
        await declared.bind(names.outcomes, "#")
    async with beside(_listen(amqp_url, queue, ear)):
        yield ear


async def _listen(amqp_url: str, queue: str, ear: Ear) -> None:
    while True:
        try:
            async with await aio_pika.connect(amqp_url) as connection:
                channel = await connection.channel()
                await channel.set_qos(_PREFETCH)
                await (await channel.get_queue(queue, ensure=False)).consume(ear.take)
                await _closed(connection, channel)
        except CONNECTION_ERRORS:
            pass  # the broker is away just now; asked again until it is back
        except asyncio.CancelledError:
            if is_own_cancellation():
                raise
        await until(time.time() + _AGAIN_AFTER_S)


async def _closed(connection: AbstractConnection, channel: AbstractChannel) -> None:
    """Either may be closed without the other."""
    await eventually(lambda: connection.is_closed or channel.is_closed, within_s=_LISTENS_FOR_S)
