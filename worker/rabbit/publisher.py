"""Confirmed publishing that waits through lost connections and never gives a message up."""

import asyncio
from collections.abc import Sequence
from typing import Literal, Protocol

import orjson
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.channel import Channel
from aiormq.exceptions import DeliveryError, PublishError
from pamqp.commands import Basic

from worker.core.dead_letter import dead_letter_headers
from worker.core.delivery import Delivery
from worker.core.outcome import Dead
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import Progress
from worker.core.request import Identity
from worker.ports import Clock
from worker.rabbit.link import CONNECTION_ERRORS, closed, describe, is_own_cancellation
from worker.rabbit.message import properties_for
from worker.rabbit.names import LONGEST_DELAY_S, Names, delay_route

# After a refused publish (no route, or a nack) the same would happen at once again.
REFUSED_PAUSE_S = 2.0


class PublishObserver(Protocol):
    """Told when a publish has to be repeated, and when a reply has nobody to go to."""

    def publish_repeated(self, exchange: str, *, detail: str) -> None: ...

    def reply_dropped(self, *, detail: str) -> None: ...


class RabbitPublisher:
    """Implements the Publisher port on its own connection.

    A publish has no timeout of its own: during a memory alarm the broker takes a timed-out
    publish all the same when the alarm clears, and every repetition would be one message more.
    Heartbeats notice a dead broker; then, and only then, a publish is repeated, and the ledger
    absorbs the twin.
    """

    def __init__(
        self,
        names: Names,
        clock: Clock,
        *,
        outcomes: Literal["all", "failures", "none"],
        observer: PublishObserver,
    ) -> None:
        self._names = names
        self._clock = clock
        self._outcomes = outcomes
        self._observer = observer
        self._channel: Channel | None = None
        self._reply_channel: AbstractChannel | None = None
        self._connection: AbstractConnection | None = None
        self._ready = asyncio.Event()
        self.trouble: str | None = None

    async def use(self, connection: AbstractConnection) -> None:
        """Publish over this connection until it, or the channel, is gone."""
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        assert isinstance(channel, Channel), "the library's own channel"
        self._connection, self._channel, self._reply_channel = connection, channel, None
        self._ready.set()
        try:
            await closed(channel.closing, connection.closing)
        finally:
            self._ready.clear()
            self._connection = self._channel = self._reply_channel = None

    async def park(self, delivery: Delivery, progress: Progress, *, delay_s: float) -> None:
        # Longer waits than the levels can express come back in between and are parked again.
        whole_s = min(LONGEST_DELAY_S, max(1, round(delay_s)))
        exchange, key = delay_route(self._names, delivery.queue, delay_s=whole_s)
        properties = properties_for(delivery, progress.headers())
        await self._publish(exchange, key, delivery.body, properties)

    async def bury(self, delivery: Delivery, dead: Dead, identity: Identity) -> None:
        headers = dead_letter_headers(delivery, dead, identity, now=self._clock.now())
        properties = properties_for(delivery, headers)
        await self._publish(self._names.dead, dead.reason.value, delivery.body, properties)

    async def announce(self, event: OutcomeEvent, deliveries: Sequence[Delivery]) -> None:
        body = orjson.dumps(event.document())
        if self._is_wanted(event):
            origin = deliveries[0].properties
            properties = _event_properties(origin.correlation_id, deliveries[0])
            # Not mandatory: that nobody listens to outcomes is no fault.
            await self._publish(
                self._names.outcomes, event.routing_key, body, properties, mandatory=False
            )
        addresses = {d.reply_address: d for d in deliveries if d.reply_address is not None}
        for (reply_to, correlation_id), delivery in addresses.items():
            await self._reply(reply_to, body, _event_properties(correlation_id, delivery))

    def _is_wanted(self, event: OutcomeEvent) -> bool:
        if self._outcomes == "failures":
            return event.status is not Status.SENT
        return self._outcomes == "all"

    async def _publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        properties: Basic.Properties,
        *,
        mandatory: bool = True,
    ) -> None:
        while True:
            await self._ready.wait()
            channel = self._channel
            if channel is None:
                continue
            try:
                await channel.basic_publish(
                    body,
                    exchange=exchange,
                    routing_key=routing_key,
                    properties=properties,
                    mandatory=mandatory,
                    wait=False,
                )
            except (PublishError, DeliveryError) as refused:
                self.trouble = f"RabbitMQ does not take messages for {exchange} ({routing_key})"
                self._observer.publish_repeated(exchange, detail=describe_refusal(refused))
                await asyncio.sleep(REFUSED_PAUSE_S)
            except CONNECTION_ERRORS as error:
                self._observer.publish_repeated(exchange, detail=describe(error))
                await self._gone(channel)
            except asyncio.CancelledError:
                if is_own_cancellation():
                    raise
                self._observer.publish_repeated(exchange, detail="the channel closed")
                await self._gone(channel)
            else:
                self.trouble = None
                return
            # The next try is another publish: a fresh message id keeps returns apart.
            properties.message_id = None

    async def _gone(self, channel: Channel) -> None:
        """Let the link notice that the channel is closed before it is tried again."""
        if self._channel is channel:
            self._ready.clear()
            await channel.close()

    async def _reply(self, reply_to: str, body: bytes, properties: Basic.Properties) -> None:
        """Publish to a producer's own queue. One try: the outcomes exchange has the event too.

        On a channel of its own: without permission for the default exchange the broker closes
        the channel.
        """
        try:
            channel = await self._open_reply_channel()
            await channel.basic_publish(
                body, exchange="", routing_key=reply_to, properties=properties, mandatory=True
            )
        except PublishError:
            self._observer.reply_dropped(detail="the producer's queue is gone")
        except DeliveryError as refused:
            self._observer.reply_dropped(detail=describe_refusal(refused))
        except (*CONNECTION_ERRORS, ValueError) as error:
            self._observer.reply_dropped(detail=describe(error))
        except asyncio.CancelledError:
            if is_own_cancellation():
                raise
            self._observer.reply_dropped(detail="the channel closed")

    async def _open_reply_channel(self) -> AbstractChannel:
        await self._ready.wait()
        if self._reply_channel is None or self._reply_channel.is_closed:
            connection = self._connection
            if connection is None:
                raise ConnectionError("the publish connection closed")
            self._reply_channel = await connection.channel(
                publisher_confirms=True, on_return_raises=True
            )
        return self._reply_channel


def describe_refusal(refused: PublishError | DeliveryError) -> str:
    """Say why the broker refused, without the message that the library's error carries."""
    if isinstance(refused, PublishError):
        return "no queue is bound for it; run `igsend topology declare`"
    return "the broker refused it (a queue is full or unavailable)"


def _event_properties(correlation_id: str | None, delivery: Delivery) -> Basic.Properties:
    trace = delivery.properties.headers.get("traceparent")
    return Basic.Properties(
        content_type="application/json",
        correlation_id=correlation_id,
        delivery_mode=2,
        message_type="igsend.outcome.v1",
        app_id="igsend",
        headers={"traceparent": trace} if isinstance(trace, str) else None,
    )
