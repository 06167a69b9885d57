"""Outcomes to the producers' own queues, through the default exchange (`reply_to`)."""

import asyncio

from aiormq.channel import Channel
from aiormq.exceptions import ChannelAccessRefused, DeliveryError, PublishError
from pamqp.commands import Basic

from worker.rabbit.confirmed import (
    ConfirmedPublishing,
    Message,
    PublishObserver,
    confirm,
    confirming_channel,
    describe_refusal,
)
from worker.rabbit.link import CONNECTION_ERRORS, describe, is_own_cancellation

# A lost connection is worth another try; the outcomes exchange has the event in any case.
MOST_TRIES = 3


class Replies:
    """Publishes on a channel of its own.

    Without permission for the default exchange the broker closes the channel; that must cost
    nobody else anything.
    """

    def __init__(self, publishing: ConfirmedPublishing, observer: PublishObserver) -> None:
        self._publishing = publishing
        self._observer = observer
        self._channel: Channel | None = None
        self._opening = asyncio.Lock()

    async def reply(self, reply_to: str, body: bytes, properties: Basic.Properties) -> None:
        """Publish to one producer; what it does not get is reported and dropped."""
        message = Message("", reply_to, body, properties)
        lost = ""
        for _ in range(MOST_TRIES):
            try:
                await confirm(await self._open(), message)
            except PublishError:
                lost = "the producer's queue is gone"
                break
            except DeliveryError as refused:
                lost = describe_refusal(refused)
                break
            except (ChannelAccessRefused, ValueError) as refused:
                lost = describe(refused)
                break
            except CONNECTION_ERRORS as error:
                lost = describe(error)
            except asyncio.CancelledError:
                if is_own_cancellation():
                    raise
                lost = "the channel closed"
            else:
                return
            properties.message_id = None
        self._observer.reply_dropped(detail=lost)

    async def _open(self) -> Channel:
        async with self._opening:
            connection = await self._publishing.connection()
            channel = self._channel
            if channel is None or channel.is_closed or channel.connection is not connection:
                self._channel = channel = await confirming_channel(connection)
        return channel
