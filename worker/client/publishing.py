"""Publishes on whatever connection there is at the moment."""

import asyncio

from worker.rabbit.confirmed import Message, open_confirms
from worker.rabbit.link import closed, heed_cancellation
from worker.rabbit.wire.confirms import Confirms
from worker.rabbit.wire.connection import Wire


class Publishing:
    """The channel that publishes. `era` counts the channels: what was not confirmed on the last
    one may or may not have arrived.
    """

    def __init__(self) -> None:
        self.era = 0
        self._confirms: Confirms | None = None
        self._ready = asyncio.Event()

    async def use(self, wire: Wire) -> None:
        """Publish over this connection until it is gone; a channel that closes is replaced."""
        while not wire.is_closed:
            confirms = await open_confirms(wire)
            heed_cancellation()
            self.era += 1
            self._confirms = confirms
            self._ready.set()
            try:
                await closed(confirms.channel.closing, wire.connection.closing)
            finally:
                self._ready.clear()
                self._confirms = None

    async def ready(self) -> None:
        """Wait until there is a channel."""
        if self._confirms is not None and self._confirms.is_closed:
            # `use` has not noticed yet.
            self._ready.clear()
        await self._ready.wait()

    def begin(self, message: Message) -> asyncio.Future[None] | None:
        """Publish at once; None while there is no channel.

        What it gives is done at the confirm, or fails as a publish of `Confirms` does.
        """
        confirms = self._confirms
        if confirms is None or confirms.is_closed:
            return None
        begun = confirms.publish(
            message.exchange,
            message.routing_key,
            message.header,
            message.body,
            is_mandatory=message.is_mandatory,
        )
        begun.add_done_callback(_read)
        return begun


def _read(begun: asyncio.Future[None]) -> None:
    """Take the exception as read: who waits gets it, and who publishes again need not."""
    if not begun.cancelled():
        begun.exception()
