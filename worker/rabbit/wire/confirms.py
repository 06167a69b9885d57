"""Confirmed publishing on one channel."""

import asyncio
import secrets

from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelInvalidStateError

from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.frames import (
    ACK,
    HEADER,
    METHOD,
    NACK,
    RETURN,
    method_of,
    publish_frames,
    route_of,
    settled_of,
)
from worker.rabbit.wire.properties import Header, read_properties


class Unroutable(Exception):
    """A mandatory message that no queue is bound for."""


class Nacked(Exception):
    """The broker did not take the message: a queue is full or unavailable."""


class Confirms:
    """Publishes on a channel in confirm mode; nothing else may publish on it."""

    def __init__(self, wire: Wire, channel: AbstractChannel) -> None:
        self.wire = wire
        self.channel = channel
        self._number = channel.number
        self._largest = wire.largest_frame
        self._last = 0
        self._waiting: dict[int, asyncio.Future[None]] = {}
        # Ours to know again: a returned message comes back with the id it was published with.
        self._nonce = secrets.token_hex(8)
        self._returned: set[str] = set()
        self._given_ids: dict[int, str] = {}
        self._is_returning = False
        self._lost: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        wire.splitter.attach(self._number, self._take)
        channel.closing.add_done_callback(self._closed)

    @property
    def count(self) -> int:
        """How many messages were published."""
        return self._last

    @property
    def is_waiting(self) -> bool:
        """Whether any of them is not confirmed yet."""
        return bool(self._waiting)

    @property
    def is_closed(self) -> bool:
        return self._lost is not None or self.channel.is_closed

    def publish(
        self,
        exchange: str,
        routing_key: str,
        header: Header,
        body: bytes,
        *,
        is_mandatory: bool,
        message_id: str | None = None,
    ) -> asyncio.Future[None]:
        """Publish at once; what it gives is done when the broker has confirmed, without a timeout.

        It may fail with Unroutable, Nacked, or why the channel closed: an AMQPError or a
        ConnectionError. Raises ChannelInvalidStateError on a closed channel, ValueError for a name
        or key over 255 bytes.

        `message_id` is fresh unless given; of two under way with one id, a returned one cannot be
        told from the other.
        """
        if self.is_closed:
            raise ChannelInvalidStateError("the channel is closed")
        route = route_of(exchange, routing_key, is_mandatory=is_mandatory)
        tag = self._last = self._last + 1
        if message_id is not None:
            self._given_ids[tag] = message_id
        content = header.encode(message_id=self._id(tag), size=len(body))
        confirmed = self._waiting[tag] = self._loop.create_future()
        self.wire.writer.write(
            publish_frames(self._number, route, content, body, largest=self._largest)
        )
        return confirmed

    def _id(self, tag: int) -> str:
        return self._given_ids.get(tag) or f"{self._nonce}-{tag}"

    def _take(self, kind: int, payload: bytes) -> bool:
        if kind != METHOD:
            if self._is_returning and kind == HEADER:
                self._returned.add(read_properties(payload).message_id or "")
            return self._is_returning
        method = method_of(payload)
        self._is_returning = method == RETURN
        if method in (ACK, NACK):
            last, is_all = settled_of(payload)
            self._settle(self._up_to(last) if is_all else [last], is_taken=method == ACK)
            return True
        return self._is_returning

    def _settle(self, tags: list[int], *, is_taken: bool) -> None:
        for tag in tags:
            confirmed = self._waiting.pop(tag, None)
            is_returned = bool(self._returned) and self._was_returned(tag)
            self._given_ids.pop(tag, None)
            if confirmed is None or confirmed.done():
                continue
            if is_returned:
                confirmed.set_exception(Unroutable())
            elif is_taken:
                confirmed.set_result(None)
            else:
                confirmed.set_exception(Nacked())

    def _was_returned(self, tag: int) -> bool:
        message_id = self._id(tag)
        if message_id not in self._returned:
            return False
        self._returned.remove(message_id)
        return True

    def _up_to(self, last: int) -> list[int]:
        tags = []
        for tag in self._waiting:
            if tag > last:
                break
            tags.append(tag)
        return tags

    def _closed(self, closing: asyncio.Future[object]) -> None:
        error = None if closing.cancelled() else closing.exception()
        self._lost = (
            error if isinstance(error, Exception) else ConnectionError("the channel closed")
        )
        self.wire.splitter.detach(self._number, self._take)
        waiting, self._waiting = self._waiting, {}
        for confirmed in waiting.values():
            if not confirmed.done():
                confirmed.set_exception(self._lost)
