"""Consuming the intake queues, and settling what came from them."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage
from aiormq.exceptions import ChannelInvalidStateError

from worker.core.delivery import Delivery, Lane
from worker.rabbit.link import CONNECTION_ERRORS, closed
from worker.rabbit.message import delivery_of

RPC_TIMEOUT_S = 30.0


class Intake:
    """Hands each delivery to `submit`; the broker never waits for what that starts.

    The AMQP library cancels its own handler tasks when a channel closes, so nothing is sent
    from them: `submit` only takes the delivery over.
    """

    def __init__(
        self,
        queues: dict[str, Lane],
        *,
        prefetch: int,
        submit: Callable[[Delivery], None],
        prepare: Callable[[AbstractConnection], Awaitable[None]],
    ) -> None:
        self._queues = queues
        self._prefetch = prefetch
        self._submit = submit
        self._prepare = prepare
        self._channel: AbstractChannel | None = None
        self._tags: dict[str, str] = {}
        self._is_stopping = False

    @property
    def expected(self) -> int:
        """How many consumers there should be."""
        return 0 if self._is_stopping else len(self._queues)

    @property
    def registered(self) -> int:
        """How many consumers the broker has registered for this worker now."""
        return len(self._tags)

    async def use(self, connection: AbstractConnection) -> None:
        """Consume until the channel, or any one consumer, is gone."""
        await self._prepare(connection)
        channel = await connection.channel(publisher_confirms=False)
        cancelled: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        channel.on_consumer_cancel_callbacks.add(partial(_note_cancel, cancelled))
        self._channel = channel
        try:
            # Per consumer, not `global`: quorum queues refuse that with a closed connection.
            await channel.basic_qos(prefetch_count=self._prefetch, timeout=RPC_TIMEOUT_S)
            for queue, lane in self._queues.items():
                if not self._is_stopping:
                    await self._consume(channel, queue, lane)
            if self._is_stopping:
                await self.stop()
            await closed(channel.closing, connection.closing, cancelled)
        finally:
            self._channel = None
            self._tags.clear()

    async def _consume(self, channel: AbstractChannel, queue: str, lane: Lane) -> None:
        answer = await channel.basic_consume(
            queue, partial(self._on_message, queue, lane), timeout=RPC_TIMEOUT_S
        )
        assert answer.consumer_tag is not None, "ConsumeOk names its consumer"
        self._tags[queue] = answer.consumer_tag

    async def _on_message(self, queue: str, lane: Lane, message: DeliveredMessage) -> None:
        self._submit(delivery_of(message, queue=queue, lane=lane))

    async def stop(self) -> None:
        """Take no more deliveries; those in hand can still be settled."""
        self._is_stopping = True
        channel, tags = self._channel, list(self._tags.values())
        if channel is None:
            return
        for tag in tags:
            try:
                await channel.basic_cancel(tag, nowait=True, timeout=RPC_TIMEOUT_S)
            except CONNECTION_ERRORS:
                # The channel went first: the broker has taken everything back already.
                return
        self._tags.clear()


def _note_cancel(cancelled: asyncio.Future[object], _: object) -> None:
    if not cancelled.done():
        cancelled.set_result(None)


class RabbitReceipts:
    """Implements the Receipts port: settles a delivery on the channel it came from.

    When that channel is dead its tags are void and the broker delivers again; the ledger, not
    the ack, is what keeps a message from being sent twice.
    """

    async def ack(self, delivery: Delivery) -> None:
        channel, tag = _receipt(delivery)
        if channel is not None and not channel.is_closed:
            await _settling(channel.basic_ack(tag, wait=False))

    async def hand_back(self, delivery: Delivery) -> None:
        # nack, not reject: from RabbitMQ 4.3 on only reject counts towards the delivery limit.
        channel, tag = _receipt(delivery)
        if channel is not None and not channel.is_closed:
            await _settling(channel.basic_nack(tag, requeue=True, wait=False))


def _receipt(delivery: Delivery) -> tuple[AbstractChannel | None, int]:
    message = delivery.receipt
    assert isinstance(message, DeliveredMessage), "this adapter's own deliveries"
    return message.channel, message.delivery_tag or 0


async def _settling(settled: Awaitable[None]) -> None:
    try:
        await settled
    except ChannelInvalidStateError:
        # Closed in this very moment: the same as closed before.
        return
