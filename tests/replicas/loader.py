"""Publishes tens of thousands of requests within seconds: frames by hand, confirms in batches."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.pacing import beside
from tests.support.raw_amqp import RawAmqp, RawAmqpError, short

_METHOD, _HEADER, _BODY, _END = 1, 2, 3, b"\xce"
_PUBLISH = struct.pack(">HHH", 60, 40, 0)
_CONTENT = struct.pack(">HH", 60, 0)
# content_type, delivery_mode and timestamp, as producers are told to set them.
_PROPERTIES = struct.pack(">H", 0x9040) + short("application/json") + b"\x02"
_MANDATORY = b"\x01"
_CONFIRMED = (60, 80)
_MOST_UNCONFIRMED = 2000
_CHUNK = 100
# The connection asks for no heartbeat, so nothing but answers comes.
_NO_MORE = (asyncio.IncompleteReadError, ConnectionError)


@dataclass(frozen=True, slots=True)
class Letter:
    """One request on its way to an exchange."""

    exchange: str
    routing_key: str
    body: bytes

    def frames(self) -> bytes:
        method = _PUBLISH + short(self.exchange) + short(self.routing_key) + _MANDATORY
        properties = _PROPERTIES + struct.pack(">Q", int(time.time()))
        header = _CONTENT + struct.pack(">Q", len(self.body)) + properties
        return _frame(_METHOD, method) + _frame(_HEADER, header) + _frame(_BODY, self.body)


class Loader(RawAmqp):
    """Publishes without waiting for each confirm, but misses none: all come before `confirmed`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(reader, writer)
        self._published = 0
        # Tags in the order of publishing; a confirm of several takes them off the front.
        self._unconfirmed: dict[int, None] = {}
        self._failure: Exception | None = None
        self._progress = asyncio.Condition()

    async def open(self, url: str) -> None:
        await self._open(url)

    def post(self, letter: Letter) -> float:
        """Write one; give the moment (unix seconds) just before."""
        moment = time.time()
        self._writer.write(letter.frames())
        self._published += 1
        self._unconfirmed[self._published] = None
        return moment

    async def post_all(self, letters: Iterable[Letter]) -> None:
        """Publish all of them as fast as the broker takes them; returns when it has them."""
        for number, letter in enumerate(letters):
            self.post(letter)
            if number % _CHUNK == 0:
                await self._writer.drain()
                await self.confirmed(all_but=_MOST_UNCONFIRMED)
        await self.confirmed()

    async def confirmed(self, *, all_but: int = 0) -> None:
        """Wait until at most `all_but` lack their confirm; raises RawAmqpError on a refusal."""
        async with self._progress:
            await self._progress.wait_for(
                lambda: self._failure is not None or len(self._unconfirmed) <= all_but
            )
        if self._failure is not None:
            raise RawAmqpError("the broker did not take everything") from self._failure

    async def hear(self) -> None:
        """Read confirms until the connection ends."""
        try:
            while True:
                answer, payload = await self._method()
                if answer != _CONFIRMED:
                    raise RawAmqpError(f"{answer}: {payload[4:200]!r}")
                tag, is_multiple = struct.unpack_from(">QB", payload, 4)
                self._take_off(tag, is_multiple=bool(is_multiple))
                await self._tell()
        except (RawAmqpError, *_NO_MORE) as error:
            self._failure = error
            await self._tell()

    def _take_off(self, tag: int, *, is_multiple: bool) -> None:
        if not is_multiple:
            self._unconfirmed.pop(tag, None)
            return
        while self._unconfirmed and (oldest := next(iter(self._unconfirmed))) <= tag:
            del self._unconfirmed[oldest]

    async def _tell(self) -> None:
        async with self._progress:
            self._progress.notify_all()


def _frame(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, 1, len(payload)) + payload + _END


@asynccontextmanager
async def a_loader(url: str) -> AsyncIterator[Loader]:
    """Connect; what was published is confirmed when the block ends."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 5672)
    loader = Loader(reader, writer)
    await loader.open(url)
    try:
        async with beside(loader.hear()):
            yield loader
            await loader.confirmed()
    finally:
        writer.transport.abort()
