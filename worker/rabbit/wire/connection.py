"""A connection whose message frames take the short way."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, SupportsIndex

import aio_pika
from aiormq.abc import AbstractConnection
from aiormq.connection import TransportFactory
from pamqp.common import FieldTable
from yarl import URL

from worker.rabbit.wire.frames import A_HEARTBEAT, END, HEAD, KINDS

# Takes a frame of its channel (kind, payload), or says that it is not its own.
Taker = Callable[[int, bytes], bool]

# aiormq counts the frames it sees as signs of life.
_LIFE_SIGN_S = 1.0


class FrameSplitter(asyncio.StreamReader):
    """The socket's reading end: frames go to their channel's taker, all others to aiormq."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._clock = loop.time
        self._takers: dict[int, Taker] = {}
        self._rest = b""
        self._is_foreign = False
        self._life_sign_at = 0.0

    def attach(self, channel: int, taker: Taker) -> None:
        """Hand the frames of a channel to `taker` first."""
        self._takers[channel] = taker

    def detach(self, channel: int, taker: Taker) -> None:
        """Leave all frames of the channel to aiormq again."""
        if self._takers.get(channel) == taker:
            del self._takers[channel]

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """Implement the protocol's side of a stream reader: split what came into frames."""
        if self._is_foreign:
            super().feed_data(data)
            return
        came = bytes(data)
        left = self._split(self._rest + came if self._rest else came)
        if left:
            super().feed_data(left)

    def _split(self, data: bytes) -> bytes:
        """Give what is aiormq's; keep an incomplete frame at the end for the next time."""
        at, end, others, took = 0, len(data), [], False
        while end - at >= HEAD.size:
            kind, channel, size = HEAD.unpack_from(data, at)
            start, stop = at + HEAD.size, at + HEAD.size + size
            if kind not in KINDS or (stop < end and data[stop] != END):
                # No frames of AMQP 0-9-1: aiormq says what is wrong, and closes.
                self._is_foreign = True
                others.append(data[at:])
                at = end
                break
            if stop >= end:
                break
            taker = self._takers.get(channel)
            if taker is not None and taker(kind, data[start:stop]):
                took = True
            else:
                others.append(data[at : stop + 1])
            at = stop + 1
        self._rest = data[at:]
        if took and not others and self._clock() - self._life_sign_at > _LIFE_SIGN_S:
            self._life_sign_at = self._clock()
            others.append(A_HEARTBEAT)
        return b"".join(others)


class FrameWriter:
    """The socket's writing end: what is written in one turn of the event loop goes out at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.WriteTransport) -> None:
        self._loop = loop
        self._transport = transport
        self._frames: list[bytes] = []

    def write(self, frames: bytes) -> None:
        """Send soon. What the connection no longer takes is lost with it."""
        if not self._frames:
            self._loop.call_soon(self._flush)
        self._frames.append(frames)

    def _flush(self) -> None:
        frames, self._frames = self._frames, []
        if not self._transport.is_closing():
            self._transport.write(b"".join(frames))

    def abort(self) -> None:
        """Close the socket at once; what is not sent yet is lost."""
        self._transport.abort()


class _Transport(TransportFactory):
    """Opens the socket for aiormq as aiormq itself would, and keeps hold of both ends."""

    splitter: FrameSplitter
    writer: FrameWriter

    async def create(
        self, url: URL, **kwargs: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        provider = kwargs.pop("ssl_context_provider", None)
        context = await provider.get_context() if url.scheme == "amqps" else None
        reader = self.splitter = FrameSplitter(loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(
            lambda: protocol, url.host or "", url.port or 0, ssl=context, **kwargs
        )
        self.writer = FrameWriter(loop, transport)
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


@dataclass(frozen=True, slots=True)
class Wire:
    """aiormq's connection for everything but messages, and both ends of the short way."""

    connection: AbstractConnection
    splitter: FrameSplitter
    writer: FrameWriter

    @property
    def is_closed(self) -> bool:
        return self.connection.is_closed

    @property
    def largest_frame(self) -> int:
        """Octets that the broker takes in one frame, in whole."""
        return self.connection.connection_tune.frame_max or 1 << 17


async def connect(
    url: str, *, client_properties: FieldTable, timeout_s: float
) -> tuple[aio_pika.abc.AbstractConnection, Wire]:
    """Connect once, without reconnects. Raises what aio-pika raises."""
    transport = _Transport()
    connection = aio_pika.Connection(URL(url), client_properties=client_properties)
    connection.kwargs["transport_factory"] = transport
    await connection.connect(timeout=timeout_s)
    assert connection.transport is not None, "an open connection has a transport"
    return connection, Wire(connection.transport.connection, transport.splitter, transport.writer)
