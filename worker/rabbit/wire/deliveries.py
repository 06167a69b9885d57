"""Deliveries of one channel, from their frames to whole messages."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from aiormq.abc import AbstractChannel

from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.frames import (
    BODY,
    DELIVER,
    HEADER,
    METHOD,
    Deliver,
    ack_frame,
    deliver_of,
    method_of,
    requeue_frame,
)
from worker.rabbit.wire.properties import body_size


class Receipt(NamedTuple):
    """Settles one delivery on the channel it came from.

    When that channel is gone its tags are void, and the broker delivers again.
    """

    deliveries: "Deliveries"
    tag: int

    def ack(self) -> None:
        """Tell the broker that it may forget the message."""
        self.deliveries.settle(ack_frame, self.tag)

    def requeue(self) -> None:
        """Give the message back. By nack: since RabbitMQ 4.3 only a reject counts as a failure."""
        self.deliveries.settle(requeue_frame, self.tag)


class Incoming(NamedTuple):
    """One message as the broker delivered it; `header` is its content header."""

    deliver: Deliver
    header: bytes
    body: bytes
    receipt: Receipt


def cancelled_by_broker(channel: AbstractChannel) -> asyncio.Future[object]:
    """Give what is done when the broker ends a consumer of the channel: its queue has gone."""
    cancelled: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def note(_: object) -> None:
        if not cancelled.done():
            cancelled.set_result(None)

    channel.on_consumer_cancel_callbacks.add(note)
    return cancelled


class Deliveries:
    """Takes the message frames of a channel that consumes, and hands over whole messages.

    `on_message` is called from the socket's reader: it must not raise, and return at once.
    """

    def __init__(
        self, wire: Wire, channel: AbstractChannel, on_message: Callable[[Incoming], None]
    ) -> None:
        self._wire = wire
        self._channel = channel
        self._on_message = on_message
        self._deliver: Deliver | None = None
        self._header = b""
        self._body: list[bytes] = []
        self._missing = 0
        wire.splitter.attach(channel.number, self._take)
        channel.closing.add_done_callback(self._closed)

    def settle(self, frame: Callable[[int, int], bytes], tag: int) -> None:
        """Write a settling frame, unless the channel is gone."""
        if not self._channel.is_closed:
            self._wire.writer.write(frame(self._channel.number, tag))

    def _closed(self, _: object) -> None:
        self._wire.splitter.detach(self._channel.number, self._take)

    def _take(self, kind: int, payload: bytes) -> bool:
        if kind == METHOD:
            if method_of(payload) != DELIVER:
                return False
            self._deliver = deliver_of(payload)
            return True
        deliver = self._deliver
        if deliver is None:
            return False
        if kind == HEADER:
            self._header, self._body, self._missing = payload, [], body_size(payload)
        elif kind == BODY:
            self._body.append(payload)
            self._missing -= len(payload)
        if self._missing <= 0:
            self._deliver = None
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._on_message(Incoming(deliver, self._header, body, Receipt(self, deliver.tag)))
        return True
