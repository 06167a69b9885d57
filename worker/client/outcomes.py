"""A queue of outcomes that a whole service keeps: nothing is missed while it is away."""

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from aiormq.abc import AbstractConnection
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity

from worker.client.errors import ClientError
from worker.client.outcome import Outcome
from worker.client.replies import RPC_TIMEOUT_S, not_by_aiormq, read_outcome
from worker.rabbit.link import closed, describe, heed_cancellation
from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.deliveries import Deliveries, Incoming, Receipt, cancelled_by_broker

_ARGUMENTS = {"x-queue-type": "quorum"}


class Outcomes:
    """An async iterator over the events of a durable queue, at least once each.

    An event is acked when the next one is asked for: what the loop was busy with when it died
    comes again. So does what had come when the connection was lost; `Outcome.id` is the key.
    Ends when its client, or itself, is closed. `async with` waits until the queue is there and
    bound, so that no outcome of what is sent in the block is missed, and closes it with the block.
    """

    def __init__(self, exchange: str, queue: str, *, keys: Sequence[str], prefetch: int) -> None:
        self._exchange = exchange
        self._queue = queue
        self._keys = tuple(keys)
        self._prefetch = prefetch
        self._arrived: asyncio.Queue[tuple[Outcome, Receipt] | ClientError | None] = asyncio.Queue()
        self._last: Receipt | None = None
        self._is_closed = False
        self._is_known = asyncio.Event()
        self._refusal: ClientError | None = None
        # Ends the connection, which holds what came and was not asked for.
        self.on_close: Callable[[], object] = lambda: None

    async def use(self, wire: Wire) -> None:
        """Consume over this connection until it is gone."""
        try:
            await self._declare(wire.connection)
        except ChannelAccessRefused as refused:
            self._refusal = ClientError(
                f"RabbitMQ does not let this user have the queue {self._queue} "
                f"({describe(refused)}); have it declared and bound for you, and give keys=()"
            )
            self._arrived.put_nowait(self._refusal)
            self._is_known.set()
            await closed(wire.connection.closing)
            return
        # What came before cannot be acked any more, and comes again.
        self._last = None
        while not self._arrived.empty():
            self._arrived.get_nowait()
        channel = await wire.connection.channel(publisher_confirms=False)
        Deliveries(wire, channel, self._take)
        cancelled = cancelled_by_broker(channel)
        await channel.basic_qos(prefetch_count=self._prefetch, timeout=RPC_TIMEOUT_S)
        await channel.basic_consume(self._queue, not_by_aiormq, timeout=RPC_TIMEOUT_S)
        heed_cancellation()
        self._is_known.set()
        await closed(channel.closing, wire.connection.closing, cancelled)

    async def _declare(self, connection: AbstractConnection) -> None:
        channel = await connection.channel(publisher_confirms=False)
        try:
            await channel.queue_declare(self._queue, passive=True, timeout=RPC_TIMEOUT_S)
        except ChannelNotFoundEntity:
            channel = await connection.channel(publisher_confirms=False)
            await channel.queue_declare(
                self._queue, durable=True, arguments=dict(_ARGUMENTS), timeout=RPC_TIMEOUT_S
            )
        for key in self._keys:
            await channel.queue_bind(
                self._queue, self._exchange, routing_key=key, timeout=RPC_TIMEOUT_S
            )
        await channel.close()

    def _take(self, message: Incoming) -> None:
        outcome = read_outcome(message)
        if outcome is None:
            message.receipt.ack()
        else:
            self._arrived.put_nowait((outcome, message.receipt))

    async def ready(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109  # its own error
        """Wait until the queue is there and bound: what ends from now on will be told.

        Raises ClientError without permission, or when it is not there in time.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._is_known.wait()
        except TimeoutError:
            raise ClientError(
                f"the queue {self._queue} is not bound to {self._exchange} after {timeout:g} s; "
                "start a worker or run `igsend topology declare` (Client.trouble says more)"
            ) from None
        if self._refusal is not None:
            raise self._refusal

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome:
        """Ack the last event, and wait for the next. Raises ClientError without permission."""
        if self._last is not None:
            self._last.ack()
            self._last = None
        if self._is_closed:
            raise StopAsyncIteration
        arrived = await self._arrived.get()
        if arrived is None:
            raise StopAsyncIteration
        if isinstance(arrived, ClientError):
            raise arrived
        outcome, self._last = arrived
        return outcome

    def close(self) -> None:
        """Take no more; the event in hand is not acked and comes again."""
        self._is_closed = True
        self._arrived.put_nowait(None)
        self.on_close()

    async def __aenter__(self) -> Self:
        """Wait until it is ready. Raises ClientError."""
        try:
            await self.ready()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is None and self._last is not None:
            self._last.ack()
        self.close()
