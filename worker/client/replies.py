"""The queue on which a client hears how its own requests ended."""

import asyncio
import logging
from collections.abc import Callable

from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity

from worker.client.errors import CannotConnect
from worker.client.outcome import Outcome
from worker.rabbit.link import (
    CLOSE_TIMEOUT_S,
    CONNECTION_ERRORS,
    closed,
    describe,
    heed_cancellation,
)
from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.deliveries import Deliveries, Incoming, cancelled_by_broker

_log = logging.getLogger("igsend.client")

RPC_TIMEOUT_S = 30.0
# Without a consumer for so long the broker deletes the queue: its client is gone.
EXPIRES_MS = 30 * 60 * 1000
PREFETCH = 500


class Replies:
    """A queue that the broker has named, so that no permission but for `amq.gen-*` is needed.

    It is not exclusive, and durable: what comes while the connection is lost waits in it.
    """

    def __init__(
        self, on_outcome: Callable[[Outcome], None], *, on_lost: Callable[[], None]
    ) -> None:
        self._on_outcome = on_outcome
        self._on_lost = on_lost
        self.name: str | None = None
        self._refusal = "no connection"
        self._channel: AbstractChannel | None = None
        self._named = asyncio.Event()

    async def until_named(self, *, timeout_s: float) -> str:
        """Wait until there is a queue, and give its name. Raises CannotConnect."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.name is None:
                    await self._named.wait()
        except TimeoutError:
            raise CannotConnect(
                f"RabbitMQ gave the client no queue for replies within {timeout_s:g} s "
                f"({self._refusal}); its user needs configure, write and read permission for "
                "amq.gen-.*, or use Client(…, listens=False)"
            ) from None
        return self.name

    async def use(self, wire: Wire) -> None:
        """Hear over this connection until it is gone."""
        channel = await wire.connection.channel(publisher_confirms=False)
        Deliveries(wire, channel, self._take)
        cancelled = cancelled_by_broker(channel)
        await channel.basic_qos(prefetch_count=PREFETCH, timeout=RPC_TIMEOUT_S)
        try:
            if self.name is None:
                self.name = await self._declare(channel)
            # The consumer's tag is its queue's name.
            await channel.basic_consume(
                self.name, not_by_aiormq, consumer_tag=self.name, timeout=RPC_TIMEOUT_S
            )
        except ChannelNotFoundEntity:
            _log.warning("RabbitMQ has lost the queue of replies; outcomes under way are not heard")
            self.name = None
            self._named.clear()
            # A crash takes a queue that was only just declared with it.
            self._on_lost()
            return
        except ChannelAccessRefused as refused:
            self._refusal, self.name = describe(refused), None
            raise
        heed_cancellation()
        self._channel = channel
        self._named.set()
        try:
            await closed(channel.closing, wire.connection.closing, cancelled)
        finally:
            self._channel = None

    async def delete(self) -> None:
        """Have the broker forget the queue, if it can be asked now; else it expires."""
        if self._channel is None or self.name is None:
            return
        try:
            # In this order: aiormq warns of a consumer that loses its queue.
            await self._channel.basic_cancel(self.name, timeout=CLOSE_TIMEOUT_S)
            await self._channel.queue_delete(self.name, timeout=CLOSE_TIMEOUT_S)
        except CONNECTION_ERRORS as error:
            _log.info("the queue of replies is left to expire: %s", describe(error))

    async def _declare(self, channel: AbstractChannel) -> str:
        declared = await channel.queue_declare(
            "", durable=True, arguments={"x-expires": EXPIRES_MS}, timeout=RPC_TIMEOUT_S
        )
        assert declared.queue is not None, "the broker gives it a name"
        return declared.queue

    def _take(self, message: Incoming) -> None:
        outcome = read_outcome(message)
        message.receipt.ack()
        if outcome is not None:
            self._on_outcome(outcome)


def read_outcome(message: Incoming) -> Outcome | None:
    """Read an outcome; None, and a word in the log, for whatever else lies in the queue."""
    try:
        return Outcome.read(message.body)
    except ValueError as error:
        _log.warning("skipped a message that is no outcome event: %s", error)
        return None


async def not_by_aiormq(_: object) -> None:
    raise AssertionError("deliveries of this channel take the short way")
