"""Outcomes to the producers' own queues, through the default exchange (`reply_to`)."""

import asyncio

from aiormq.exceptions import ChannelAccessRefused

from worker.rabbit.confirmed import (
    ConfirmedPublishing,
    Message,
    PublishObserver,
    confirm,
    describe_refusal,
    open_confirms,
)
from worker.rabbit.link import CONNECTION_ERRORS, describe, is_own_cancellation
from worker.rabbit.wire.confirms import Confirms, Nacked, Unroutable
from worker.rabbit.wire.properties import Header

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
        self._confirms: Confirms | None = None
        self._opening = asyncio.Lock()

    async def reply(self, reply_to: str, body: bytes, header: Header) -> None:
        """Publish to one producer; what it does not get is reported and dropped."""
        message = Message("", reply_to, body, header)
        lost = ""
        for _ in range(MOST_TRIES):
            try:
                await confirm(await self._open(), message)
            except Unroutable:
                lost = "the producer's queue is gone"
                break
            except Nacked as refused:
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
        self._observer.reply_dropped(detail=lost)

    async def _open(self) -> Confirms:
        async with self._opening:
            wire = await self._publishing.wire()
            confirms = self._confirms
            if confirms is None or confirms.is_closed or confirms.wire is not wire:
                self._confirms = confirms = await open_confirms(wire)
        return confirms
