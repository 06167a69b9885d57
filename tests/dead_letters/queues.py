"""What lies in a queue, in order, byte for byte: read by emptying it, or while it fills."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import urlsplit

from tests.support.pacing import beside
from tests.support.raw_amqp import RawAmqp, RawAmqpError, RawMessage, short, table_entries
from tests.support.waiting import eventually

_CONSUMED, _DELIVERED = (60, 21), (60, 60)
_DECLARED = (50, 11)
# Quorum queues add these to whatever is taken from them, in place of what the letter claims.
_COUNTS = (b"x-delivery-count", b"x-acquired-count")
_NO_MORE = (asyncio.IncompleteReadError, ConnectionError)


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that was taken, when (unix seconds), and a digest of all its bytes."""

    message: RawMessage
    at: float

    @property
    def id(self) -> str:
        return str(json.loads(self.message.body)["id"])

    @property
    def digest(self) -> bytes:
        return digest_of(self.message)


def digest_of(message: RawMessage) -> bytes:
    """Tell messages apart by body, properties and headers.

    Not by the order of the headers: RabbitMQ sorts them when it adds one of its own.
    """
    digest = blake2b(message.body, digest_size=16)
    for name, value in sorted(message.properties.items()):
        if name == "headers":
            for key, entry in sorted(table_entries(value).items()):
                if key not in _COUNTS:
                    digest.update(short(key) + entry)
        else:
            digest.update(name.encode() + value)
    return digest.digest()


class Taker(RawAmqp):
    """Takes everything that comes into one queue; `taken` grows."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self.taken: list[Taken] = []

    async def open(self, url: str) -> None:
        await self._open(url)

    async def state(self, queue: str) -> tuple[int, int]:
        """Ask how many are ready, and how many consumers there are."""
        self._call(1, 50, 10, b"\x00\x00" + short(queue) + b"\x01" + bytes(4))
        answer, payload = await self._method()
        if answer != _DECLARED:
            raise RawAmqpError(f"{answer}: {payload[4:200]!r}")
        start = 5 + payload[4]
        return int.from_bytes(payload[start : start + 4]), int.from_bytes(payload[start + 4 :])

    async def consume(self, queue: str) -> None:
        """Take from now on; nothing is put back."""
        # no_ack is the second bit.
        arguments = b"\x00\x00" + short(queue) + short("") + b"\x02" + bytes(4)
        self._call(1, 60, 20, arguments)
        await self._expect(_CONSUMED)

    async def hear(self) -> None:
        """Take until the connection ends."""
        try:
            while True:
                await self._expect(_DELIVERED)
                self.taken.append(Taken(await self._content(), time.time()))
        except _NO_MORE:
            return


@asynccontextmanager
async def a_taker(url: str) -> AsyncIterator[Taker]:
    """Connect."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 5672)
    taker = Taker(reader, writer)
    try:
        await taker.open(url)
        yield taker
    finally:
        writer.transport.abort()


@asynccontextmanager
async def taking(url: str, queue: str) -> AsyncIterator[Taker]:
    """Take what comes into a queue while the block runs."""
    async with a_taker(url) as taker:
        await taker.consume(queue)
        async with beside(taker.hear()):
            yield taker


async def ready(url: str, queue: str) -> int:
    """Count what is ready in a queue, once nobody consumes it any more."""
    count = 0

    async def is_left_alone() -> bool:
        nonlocal count
        count, consumers = await taker.state(queue)
        return consumers == 0

    async with a_taker(url) as taker:
        await eventually(is_left_alone)
    return count


async def emptied(url: str, queue: str, *, within_s: float = 120.0) -> list[Taken]:
    """Take everything that is ready in a queue, in order."""
    count = await ready(url, queue)
    async with taking(url, queue) as taker:
        await eventually(lambda: len(taker.taken) >= count, within_s=within_s)
        return taker.taken
