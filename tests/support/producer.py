"""A producer as any service may be: an AMQP client that knows the exchanges and the schemas."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from tests.support.nodes import Broker
from tests.support.waiting import DEADLINE_S


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What lay in a dead-letter queue."""

    body: bytes
    headers: Mapping[str, Any]


class Producer:
    """Publishes, and receives every outcome on a queue of its own."""

    def __init__(self, channel: AbstractChannel, prefix: str) -> None:
        self._channel = channel
        self._prefix = prefix
        self._arrived: dict[str, asyncio.Future[dict[str, Any]]] = {}

    def take(self, message: AbstractIncomingMessage) -> None:
        """Keep an outcome by its correlation id."""
        arrived = self._of(str(message.correlation_id))
        if not arrived.done():
            arrived.set_result(json.loads(message.body))

    def _of(self, key: str) -> asyncio.Future[dict[str, Any]]:
        if key not in self._arrived:
            self._arrived[key] = asyncio.get_running_loop().create_future()
        return self._arrived[key]

    async def publish(
        self,
        request: Mapping[str, Any] | bytes,
        *,
        lane: Literal["requests", "bulk"] = "requests",
        **properties: Any,
    ) -> str:
        """Publish a request, or any bytes, with confirm; give the key of its outcome."""
        body = request if isinstance(request, bytes) else json.dumps(request).encode()
        account_id = "" if isinstance(request, bytes) else str(request.get("account_id", ""))
        key = secrets.token_hex(8)
        exchange = await self._channel.get_exchange(f"{self._prefix}.{lane}", ensure=False)
        message = aio_pika.Message(
            body,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            correlation_id=key,
            **properties,
        )
        await exchange.publish(message, routing_key=account_id)
        return key

    async def outcome(self, key: str) -> dict[str, Any]:
        """Wait for the outcome of what `publish` gave the key of."""
        async with asyncio.timeout(DEADLINE_S):
            return await self._of(key)

    async def outcome_of(
        self, request: Mapping[str, Any] | bytes, **properties: Any
    ) -> dict[str, Any]:
        """Publish and wait for the outcome."""
        return await self.outcome(await self.publish(request, **properties))

    async def dead_letters(self, reason: str) -> list[DeadLetter]:
        """Take everything out of a dead-letter queue."""
        queue = await self._channel.get_queue(f"{self._prefix}.dead.{reason}", ensure=False)
        letters = []
        while (letter := await queue.get(fail=False)) is not None:
            await letter.ack()
            letters.append(DeadLetter(letter.body, dict(letter.headers)))
        return letters


@asynccontextmanager
async def a_producer(broker: Broker) -> AsyncIterator[Producer]:
    """Connect, and listen to outcomes before anything is published."""
    async with await aio_pika.connect(broker.amqp_url) as connection:
        channel = await connection.channel(on_return_raises=True)
        producer = Producer(channel, broker.prefix)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(f"{broker.prefix}.outcomes", routing_key="#")

        async def take(message: AbstractIncomingMessage) -> None:
            producer.take(message)

        await queue.consume(take, no_ack=True)
        yield producer
