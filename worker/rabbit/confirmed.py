"""Confirmed publishing over one supervised connection: a message is repeated until it is taken."""

import asyncio
from typing import NamedTuple, Protocol

from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity

from worker.rabbit.link import (
    CONNECTION_ERRORS,
    closed,
    describe,
    heed_cancellation,
    is_own_cancellation,
)
from worker.rabbit.wire.confirms import Confirms, Nacked, Unroutable
from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.properties import Header

# Without a publish for so long, the probe is published.
PROBE_AFTER_S = 1.0
# After a refused publish (no route, or a nack) the same would happen at once again.
REFUSED_PAUSE_S = 2.0


class PublishObserver(Protocol):
    """Told when a publish has to be repeated, and when a reply has nobody to go to."""

    def publish_repeated(self, exchange: str, *, detail: str) -> None: ...

    def reply_dropped(self, *, detail: str) -> None: ...


class Message(NamedTuple):
    """What is to be published; `is_mandatory` makes a missing route a refusal."""

    exchange: str
    routing_key: str
    body: bytes
    header: Header
    is_mandatory: bool = True


class ConfirmedPublishing:
    """Publishes until the broker has confirmed; says which messages it does not take now.

    An exchange that is missing or forbidden costs the channel, and with it the confirms of all
    others in flight. From then on it is tried by one message at a time, on a channel apart.
    """

    def __init__(self, observer: PublishObserver, *, probe: Message | None = None) -> None:
        self._observer = observer
        self._probe = probe
        self._wire: Wire | None = None
        self._confirms: Confirms | None = None
        self._ready = asyncio.Event()
        self._refused: dict[tuple[str, str], None] = {}
        self._harmful: dict[str, asyncio.Lock] = {}

    @property
    def trouble(self) -> str | None:
        """What the broker does not take now, in one sentence."""
        if not self._refused:
            return None
        exchange, routing_key = next(iter(self._refused))
        more = f", and others ({len(self._refused)} in all)" if len(self._refused) > 1 else ""
        return f"RabbitMQ does not take messages for {exchange} ({routing_key}){more}"

    async def use(self, wire: Wire) -> None:
        """Publish over this connection until it is gone; a channel that closes is replaced."""
        while not wire.is_closed:
            confirms = await open_confirms(wire)
            heed_cancellation()
            self._wire, self._confirms = wire, confirms
            self._ready.set()
            try:
                await self._until_closed(wire, confirms)
            finally:
                self._ready.clear()
                self._wire = self._confirms = None

    async def _until_closed(self, wire: Wire, confirms: Confirms) -> None:
        """Publish the probe whenever nothing else was: a broker that takes no messages says so
        only to those who publish.
        """
        closing = (confirms.channel.closing, wire.connection.closing)
        while not any(future.done() for future in closing):
            count = confirms.count
            await asyncio.wait(closing, timeout=PROBE_AFTER_S, return_when=asyncio.FIRST_COMPLETED)
            is_idle = confirms.count == count and not confirms.is_waiting
            if self._probe is not None and is_idle and not confirms.is_closed:
                _publish(confirms, self._probe).add_done_callback(_read)
        await closed(*closing)

    async def wire(self) -> Wire:
        """Wait for a connection that publishes now."""
        while self._wire is None:
            await self._ready.wait()
        return self._wire

    async def publish(self, message: Message) -> None:
        """Return when the broker has the message safely; waits for that as long as it takes."""
        while not await self._publish_in_turn(message):
            continue
        self._refused.pop((message.exchange, message.routing_key), None)

    def begin(self, message: Message) -> asyncio.Future[None] | None:
        """Publish once, at once; None when the broker cannot be had at this moment.

        What it gives fails as a publish of `Confirms` does; nothing is repeated.
        """
        confirms = self._confirms
        if confirms is None or confirms.is_closed or message.exchange in self._harmful:
            return None
        return _publish(confirms, message)

    async def _publish_in_turn(self, message: Message) -> bool:
        turn = self._harmful.get(message.exchange)
        if turn is None:
            return await self._try(message)
        async with turn:
            is_harmful = message.exchange in self._harmful
            is_taken = await self._try(message, apart=is_harmful)
            if is_taken and is_harmful:
                del self._harmful[message.exchange]
        return is_taken

    async def _try(self, message: Message, *, apart: bool = False) -> bool:
        """Publish once; after a refusal that would happen at once again, pause."""
        wire = await self.wire()
        shared = self._confirms
        assert shared is not None, "a connection that publishes has a channel"
        try:
            if apart:
                await _confirm_apart(wire, message)
            else:
                await confirm(shared, message)
        except (Unroutable, Nacked) as refused:
            await self._pause(message, describe_refusal(refused))
        except (ChannelNotFoundEntity, ChannelAccessRefused) as closing:
            # Every publish in flight on the channel gets this error; it names one exchange.
            if f"'{message.exchange}'" in describe(closing):
                self._harmful.setdefault(message.exchange, asyncio.Lock())
                await self._pause(message, describe(closing))
            else:
                await self._gone(message, shared, describe(closing))
        except CONNECTION_ERRORS as error:
            await self._gone(message, shared, describe(error))
        except asyncio.CancelledError:
            if is_own_cancellation():
                raise
            await self._gone(message, shared, "the channel closed")
        else:
            return True
        return False

    async def _pause(self, message: Message, detail: str) -> None:
        self._refused[message.exchange, message.routing_key] = None
        self._observer.publish_repeated(message.exchange, detail=detail)
        await asyncio.sleep(REFUSED_PAUSE_S)

    async def _gone(self, message: Message, confirms: Confirms, detail: str) -> None:
        """Let `use` notice that the channel is closed before it is tried again."""
        self._observer.publish_repeated(message.exchange, detail=detail)
        if self._confirms is confirms:
            self._ready.clear()
            self._wire = self._confirms = None
            await confirms.channel.close()


async def open_confirms(wire: Wire) -> Confirms:
    """Open a channel of its own that confirms publishes and raises on returned ones."""
    return Confirms(wire, await wire.connection.channel(publisher_confirms=True))


async def confirm(confirms: Confirms, message: Message) -> None:
    """Publish, and return when the broker has confirmed.

    Without a timeout: during a memory alarm the broker takes a timed-out publish all the same
    when the alarm clears, and every repetition would be one message more.
    """
    await _publish(confirms, message)


def _read(probed: asyncio.Future[None]) -> None:
    """Take the exception as read: the channel or the connection says the same."""
    if not probed.cancelled():
        probed.exception()


def _publish(confirms: Confirms, message: Message) -> asyncio.Future[None]:
    return confirms.publish(
        message.exchange,
        message.routing_key,
        message.header,
        message.body,
        is_mandatory=message.is_mandatory,
    )


async def _confirm_apart(wire: Wire, message: Message) -> None:
    confirms = await open_confirms(wire)
    try:
        await confirm(confirms, message)
    finally:
        await confirms.channel.close()


def describe_refusal(refused: Unroutable | Nacked) -> str:
    """Say why the broker refused."""
    if isinstance(refused, Unroutable):
        return "no queue is bound for it; run `igsend topology declare`"
    return "the broker refused it (a queue is full or unavailable)"
