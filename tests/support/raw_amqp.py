"""AMQP by hand: writes properties that no client library would, and reads them byte for byte."""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_METHOD, _HEADER, _BODY, _HEARTBEAT = 1, 2, 3, 8
_END = b"\xce"
_FRAME_MAX = 131_072
_BASIC = 60
_PUBLISH = struct.pack(">HHH", _BASIC, 40, 0)
_GET = struct.pack(">HHH", _BASIC, 70, 0)
# Answers to what is asked of the broker here: (class, method).
_CONFIRMED, _NACKED, _RETURNED, _GOT, _EMPTY = (60, 80), (60, 120), (60, 50), (60, 71), (60, 72)

# In the order of the wire; the flag of the first is bit 15.
PROPERTIES = (
    "content_type", "content_encoding", "headers", "delivery_mode", "priority", "correlation_id",
    "reply_to", "expiration", "message_id", "timestamp", "type", "user_id", "app_id", "cluster_id",
)  # fmt: skip
# Quorum queues add these to whatever is taken from them.
_COUNTS = (b"x-delivery-count", b"x-acquired-count")
_WIDTHS = {"delivery_mode": 1, "priority": 1, "timestamp": 8}


class RawAmqpError(Exception):
    """The broker said no, or something unexpected; the text is what it said."""


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A message as it lies on the wire: each property's encoded bytes by its name."""

    body: bytes
    properties: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Give the encoded values of the header table (type octet first) by key."""
        return table_entries(self.properties.get("headers", bytes(4)))

    @property
    def foreign_headers(self) -> dict[bytes, bytes]:
        """Give the headers that are not ours, nor written by the broker when it was taken."""
        return {
            key: value
            for key, value in self.headers.items()
            if not key.startswith(b"x-igsend-") and key not in _COUNTS
        }

    @property
    def plain_headers(self) -> dict[str, object]:
        """Give the headers that are text, whole numbers or booleans, decoded."""
        decoded = ((key.decode("utf-8", "replace"), _plain(v)) for key, v in self.headers.items())
        return {key: value for key, value in decoded if value is not None}

    def short(self, name: str) -> bytes | None:
        """Give a short-string property without its length."""
        value = self.properties.get(name)
        return None if value is None else value[1:]


def short(text: bytes | str) -> bytes:
    """Encode a short string."""
    raw = text.encode() if isinstance(text, str) else text
    return bytes((len(raw),)) + raw


def long(text: bytes | str, *, kind: bytes = b"S") -> bytes:
    """Encode a header value that begins with its length: text, or `kind` x, A or F."""
    raw = text.encode() if isinstance(text, str) else text
    return kind + struct.pack(">I", len(raw)) + raw


def table(entries: Mapping[bytes, bytes]) -> bytes:
    """Encode a table from encoded values; also the value of the `headers` property."""
    content = b"".join(short(key) + value for key, value in entries.items())
    return struct.pack(">I", len(content)) + content


def table_entries(encoded: bytes) -> dict[bytes, bytes]:
    """Split a table into its encoded values."""
    entries = {}
    at, end = 4, 4 + int.from_bytes(encoded[:4])
    while at < end:
        start = at + 1 + encoded[at]
        key = encoded[at + 1 : start]
        at = start + 1 + _value_size(encoded[start : start + 5])
        entries[key] = encoded[start:at]
    return entries


def _plain(value: bytes) -> str | int | bool | None:
    kind = value[:1]
    if kind == b"S":
        return value[5:].decode("utf-8", "replace")
    if kind == b"t":
        return value != b"t\x00"
    if kind in b"bsIl":
        return int.from_bytes(value[1:], signed=True)
    return int.from_bytes(value[1:]) if kind in b"Bui" else None


def _value_size(start: bytes) -> int:
    if start[:1] in b"SxAF":
        return 4 + int.from_bytes(start[1:5])
    return {"V": 0, "t": 1, "b": 1, "B": 1, "s": 2, "u": 2, "I": 4, "i": 4, "f": 4, "D": 5}.get(
        chr(start[0]), 8
    )


class RawAmqp:
    """One connection with one channel in confirm mode. One call at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def publish(
        self, message: RawMessage, *, exchange: str, routing_key: str | bytes
    ) -> None:
        """Publish as mandatory and wait for the confirm; raises RawAmqpError when refused."""
        method = _PUBLISH + short(exchange) + short(routing_key) + b"\x01"
        content = struct.pack(">HHQ", _BASIC, 0, len(message.body)) + _encoded(message.properties)
        frames = [_frame(_METHOD, 1, method), _frame(_HEADER, 1, content)]
        largest = _FRAME_MAX - 8
        frames += [
            _frame(_BODY, 1, message.body[start : start + largest])
            for start in range(0, len(message.body), largest)
        ]
        self._writer.write(b"".join(frames))
        await self._writer.drain()
        answer, payload = await self._method()
        if answer == _RETURNED:
            await self._content()
            await self._method()
        if answer != _CONFIRMED:
            raise RawAmqpError(f"{answer}: {payload[4:200]!r}")

    async def get(self, queue: str) -> RawMessage | None:
        """Take one message out of a queue; None when it is empty."""
        self._writer.write(_frame(_METHOD, 1, _GET + short(queue) + b"\x01"))
        answer, payload = await self._method()
        if answer == _EMPTY:
            return None
        if answer != _GOT:
            raise RawAmqpError(f"{answer}: {payload[4:200]!r}")
        return await self._content()

    async def drain(self, queue: str) -> list[RawMessage]:
        """Take everything out of a queue."""
        taken = []
        while (message := await self.get(queue)) is not None:
            taken.append(message)
        return taken

    async def _open(self, url: str) -> None:
        parts = urlsplit(url)
        user, password = unquote(parts.username or "guest"), unquote(parts.password or "guest")
        vhost = unquote(parts.path[1:]) or "/"
        self._writer.write(b"AMQP\x00\x00\x09\x01")
        await self._method()
        capabilities = table({b"publisher_confirms": b"t\x01", b"basic.nack": b"t\x01"})
        properties = table({b"capabilities": b"F" + capabilities})
        login = long(f"\0{user}\0{password}")[1:]
        self._call(0, 10, 11, properties + short("PLAIN") + login + short("en_US"))
        await self._method()
        self._call(0, 10, 31, struct.pack(">HIH", 1, _FRAME_MAX, 0))
        self._call(0, 10, 40, short(vhost) + b"\x00\x00")
        await self._expect((10, 41))
        self._call(1, 20, 10, b"\x00")
        await self._expect((20, 11))
        self._call(1, 85, 10, b"\x00")
        await self._expect((85, 11))

    def _call(self, channel: int, class_id: int, method_id: int, arguments: bytes) -> None:
        self._writer.write(
            _frame(_METHOD, channel, struct.pack(">HH", class_id, method_id) + arguments)
        )

    async def _expect(self, wanted: tuple[int, int]) -> None:
        answer, payload = await self._method()
        if answer != wanted:
            raise RawAmqpError(f"{answer} instead of {wanted}: {payload[4:200]!r}")

    async def _method(self) -> tuple[tuple[int, int], bytes]:
        _, payload = await self._frame(_METHOD)
        class_id, method_id = struct.unpack_from(">HH", payload)
        return (class_id, method_id), payload

    async def _content(self) -> RawMessage:
        _, header = await self._frame(_HEADER)
        (size,) = struct.unpack_from(">Q", header, 4)
        body = b""
        while len(body) < size:
            body += (await self._frame(_BODY))[1]
        return RawMessage(body, _decoded(header[12:]))

    async def _frame(self, wanted: int) -> tuple[int, bytes]:
        while True:
            kind, _, size = struct.unpack(">BHI", await self._reader.readexactly(7))
            payload = (await self._reader.readexactly(size + 1))[:-1]
            if kind == wanted:
                return kind, payload
            if kind != _HEARTBEAT:
                raise RawAmqpError(f"a frame of type {kind} instead of {wanted}: {payload[:200]!r}")


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + _END


def _encoded(properties: Mapping[str, bytes]) -> bytes:
    flags = sum(1 << (15 - PROPERTIES.index(name)) for name in properties)
    values = (properties[name] for name in PROPERTIES if name in properties)
    return struct.pack(">H", flags) + b"".join(values)


def _decoded(encoded: bytes) -> dict[str, bytes]:
    (flags,) = struct.unpack_from(">H", encoded)
    properties = {}
    at = 2
    for place, name in enumerate(PROPERTIES):
        if flags & 1 << (15 - place):
            if name == "headers":
                size = 4 + int.from_bytes(encoded[at : at + 4])
            else:
                size = _WIDTHS.get(name) or 1 + encoded[at]
            properties[name] = encoded[at : at + size]
            at += size
    return properties


@asynccontextmanager
async def raw_amqp(url: str) -> AsyncIterator[RawAmqp]:
    """Connect to the broker and its virtual host in `url`; drop the connection afterwards."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 5672)
    client = RawAmqp(reader, writer)
    try:
        await client._open(url)
        yield client
    finally:
        writer.transport.abort()
