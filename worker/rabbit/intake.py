"""Consuming the intake queues, and settling what came from them."""

from collections.abc import Awaitable, Callable

from aiormq.abc import AbstractChannel, AbstractConnection, DeliveredMessage

from worker.core.delivery import Delivery, Lane
from worker.rabbit.link import CONNECTION_ERRORS, closed, heed_cancellation
from worker.rabbit.message import delivery_of
from worker.rabbit.mover import Mover
from worker.rabbit.names import Names
from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.deliveries import Deliveries, Incoming, Receipt, cancelled_by_broker

RPC_TIMEOUT_S = 30.0


class Intake:
    """Hands each delivery to `submit`; the broker never waits for what that starts.

    The AMQP library cancels its own handler tasks when a channel closes, so nothing is sent
    from them: `submit` only takes the delivery over.
    """

    def __init__(
        self,
        names: Names,
        *,
        prefetch: int,
        submit: Callable[[Delivery], None],
        prepare: Callable[[AbstractConnection], Awaitable[None]],
        mover: Mover | None = None,
    ) -> None:
        self._queues = names.intake
        self._requests = names.requests
        self._prefetch = prefetch
        self._submit = submit
        self._prepare = prepare
        self._mover = mover
        self._channel: AbstractChannel | None = None
        self._tags: set[str] = set()
        self._is_stopping = False

    @property
    def expected(self) -> int:
        """How many consumers there should be."""
        return 0 if self._is_stopping else len(self._queues)

    @property
    def registered(self) -> int:
        """How many consumers the broker has registered for this worker now."""
        return len(self._tags)

    async def use(self, wire: Wire) -> None:
        """Consume until the channel, or any one consumer, is gone."""
        connection = wire.connection
        await self._prepare(connection)
        channel = await connection.channel(publisher_confirms=False)
        Deliveries(wire, channel, self._on_message)
        cancelled = cancelled_by_broker(channel)
        self._channel = channel
        try:
            # Per consumer, not `global`: quorum queues refuse that with a closed connection.
            await channel.basic_qos(prefetch_count=self._prefetch, timeout=RPC_TIMEOUT_S)
            for queue in self._queues:
                if not self._is_stopping:
                    await self._consume(channel, queue)
            if self._is_stopping:
                await self.stop()
            heed_cancellation()
            await closed(channel.closing, connection.closing, cancelled)
        finally:
            self._channel = None
            self._tags.clear()

    async def _consume(self, channel: AbstractChannel, queue: str) -> None:
        # The consumer's tag is its queue's name: a delivery says by it where it comes from.
        await channel.basic_consume(
            queue, _not_by_aiormq, consumer_tag=queue, timeout=RPC_TIMEOUT_S
        )
        self._tags.add(queue)

    def _on_message(self, message: Incoming) -> None:
        is_bulk = self._queues[message.deliver.consumer] is Lane.BULK
        if is_bulk or not (self._mover and self._mover.moves(message, otherwise=self._accept)):
            self._accept(message)

    def _accept(self, message: Incoming) -> None:
        queue = message.deliver.consumer
        lane = self._queues[queue]
        self._submit(delivery_of(message, queue=queue, lane=lane, requests=self._requests))

    async def stop(self) -> None:
        """Take no more deliveries; those in hand can still be settled."""
        self._is_stopping = True
        channel, tags = self._channel, list(self._tags)
        if channel is None:
            return
        for tag in tags:
            try:
                await channel.basic_cancel(tag, nowait=True, timeout=RPC_TIMEOUT_S)
            except CONNECTION_ERRORS:
                # The channel went first: the broker has taken everything back already.
                return
        self._tags.clear()


async def _not_by_aiormq(_: DeliveredMessage) -> None:
    raise AssertionError("deliveries of this channel take the short way")


class RabbitReceipts:
    """Implements the Receipts port: settles a delivery on the channel it came from.

    When that channel is dead its tags are void and the broker delivers again; the ledger, not
    the ack, is what keeps a message from being sent twice.
    """

    async def ack(self, delivery: Delivery) -> None:
        _receipt(delivery).ack()

    async def hand_back(self, delivery: Delivery) -> None:
        _receipt(delivery).requeue()


def _receipt(delivery: Delivery) -> Receipt:
    assert isinstance(delivery.receipt, Receipt), "this adapter's own deliveries"
    return delivery.receipt
