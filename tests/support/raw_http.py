"""A scripted HTTP peer on a real socket: it answers, stalls, cuts or resets as a test says."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Behaviour = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One accepted connection, before anything was read from it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def first_byte(self) -> None:
        """Wait until the client has written something, and take no more of it."""
        await self.reader.readexactly(1)

    async def client_left(self) -> None:
        """Answer nothing until the client closes the connection."""
        while await self.reader.read(65536):
            pass

    async def read_request(self) -> bytes:
        """Read one whole request: head and body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lowered = head.lower()
        length = int(lowered.split(b"content-length:")[1].split(b"\r\n")[0])
        return head + await self.reader.readexactly(length)

    async def answer(
        self, status: int, body: bytes, *, headers: str = "Content-Type: application/json\r\n"
    ) -> None:
        head = f"HTTP/1.1 {status} Scripted\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        await self.write(head.encode() + body)

    async def write(self, data: bytes) -> None:
        """Send these very bytes."""
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Close with RST, so that the peer sees a reset and not an end."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass
class Peer:
    """Where it listens, and every request it read in full."""

    url: str
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def raw_peer(
    behaviour: Behaviour, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Peer]:
    """Run `behaviour` for each connection until the block ends, then raise what it raised."""
    peer = Peer("")
    failures: list[Exception] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        exchange = Exchange(reader, writer)
        read = exchange.read_request

        async def recorded() -> bytes:
            request = await read()
            peer.requests.append(request)
            return request

        exchange.read_request = recorded  # type: ignore[method-assign]  # the recorder
        try:
            await behaviour(exchange)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            # The client went first, or the test is over.
            pass
        except Exception as error:
            failures.append(error)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    peer.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{port}"
    try:
        yield peer
    finally:
        server.close()
    if failures:
        raise ExceptionGroup("a behaviour failed", failures)
