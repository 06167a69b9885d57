"""A connection without a socket: what is written is kept, what the broker says is fed in."""

import asyncio
from typing import Any, cast

from aiormq.abc import AbstractChannel, AbstractConnection

from worker.rabbit.wire.connection import FrameSplitter, FrameWriter, Wire
from worker.rabbit.wire.frames import BODY, HEAD, HEADER, METHOD

CHANNEL = 7
LARGEST = 4096


def frame(kind: int, payload: bytes, *, channel: int = CHANNEL) -> bytes:
    return HEAD.pack(kind, channel, len(payload)) + payload + b"\xce"


def frames_in(data: bytes) -> list[tuple[int, bytes]]:
    """Split what was written into (kind, payload)."""
    at, found = 0, []
    while at < len(data):
        kind, _, size = HEAD.unpack_from(data, at)
        found.append((kind, data[at + HEAD.size : at + HEAD.size + size]))
        at += HEAD.size + size + 1
    return found


def deliver(tag: int, *, consumer: str = "q", exchange: str = "x", key: str = "k") -> bytes:
    names = [bytes((len(name),)) + name.encode() for name in (consumer, exchange, key)]
    payload = b"\x00\x3c\x00\x3c" + names[0] + tag.to_bytes(8) + b"\x01" + names[1] + names[2]
    return frame(METHOD, payload)


def content(body: bytes, *, step: int = 10, properties: bytes = b"\x00\x00") -> bytes:
    header = b"\x00\x3c\x00\x00" + len(body).to_bytes(8) + properties
    bodies = [frame(BODY, body[at : at + step]) for at in range(0, len(body), step)]
    return frame(HEADER, header) + b"".join(bodies)


def settled(tag: int, *, method: int = 80, is_all: bool = False) -> bytes:
    payload = b"\x00\x3c" + method.to_bytes(2) + tag.to_bytes(8) + bytes((is_all,))
    return frame(METHOD, payload)


class FakeSocket:
    def __init__(self) -> None:
        self.written = b""
        self.is_gone = False

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.is_gone


class FakeChannel:
    def __init__(self) -> None:
        self.number = CHANNEL
        self.closing: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    @property
    def is_closed(self) -> bool:
        return self.closing.done()


class FakeTune:
    frame_max = LARGEST


class FakeConnection:
    """Opens one channel, always the same."""

    connection_tune = FakeTune()

    def __init__(self, channel: FakeChannel) -> None:
        self._channel = channel
        self.closing: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    @property
    def is_closed(self) -> bool:
        return self.closing.done()

    async def channel(self, *, publisher_confirms: bool) -> FakeChannel:
        return self._channel


class Stage:
    """Everything below a channel; `others` is what aiormq would get to see."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.splitter, self.socket = FrameSplitter(loop), FakeSocket()
        writer = FrameWriter(loop, cast(Any, self.socket))
        self.fake_channel = FakeChannel()
        connection = cast(AbstractConnection, FakeConnection(self.fake_channel))
        self.wire = Wire(connection, self.splitter, writer)

    @property
    def channel(self) -> AbstractChannel:
        return cast(AbstractChannel, self.fake_channel)

    async def others(self) -> bytes:
        self.splitter.feed_eof()
        return await self.splitter.read()

    async def written(self) -> list[tuple[int, bytes]]:
        await asyncio.sleep(0)
        return frames_in(self.socket.written)
