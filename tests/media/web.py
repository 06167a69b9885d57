"""A server of files on every address of this machine that counts who connects."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.support.waiting import eventually
from worker.media.allowed import Allowed
from worker.media.files import PORTS, WebFiles

# For a server that takes the request and never answers.
SILENCE = "silence"


@dataclass
class Web:
    """What it answers by "METHOD /path" or "/path" (status, then headers a line), and what came."""

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    connections: int = 0
    open: int = 0
    heads: list[str] = field(default_factory=list)

    @property
    def asked(self) -> list[str]:
        """Method and path of each request, in order."""
        return [head.split("\r\n")[0].rsplit(" ", 1)[0] for head in self.heads]

    def url(self, path: str, *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            await self._answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            # The client went first: the connection is counted all the same.
            writer.transport.abort()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self.open -= 1

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        line = head.split("\r\n")[0].rsplit(" ", 1)[0]
        answer = self.answers.get(line) or self.answers.get(line.split(" ", 1)[1], "404 None")
        if answer == SILENCE:
            await reader.read()
            return
        status, _, headers = answer.partition("\n")
        fields = "".join(f"{one}\r\n" for one in headers.split("\n") if one)
        writer.write(f"HTTP/1.1 {status}\r\n{fields}Connection: close\r\n\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def a_web(answers: dict[str, str] | None = None) -> AsyncIterator[Web]:
    """Serve on IPv4 and IPv6, loopback or not, until the block ends."""
    web = Web(answers=answers or {})
    if socket.has_dualstack_ipv6():
        listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        listener = socket.create_server(("0.0.0.0", 0))
    server = await asyncio.start_server(web.serve, sock=listener)
    web.port = listener.getsockname()[1]
    try:
        yield web
    finally:
        server.close()
        await eventually(lambda: web.open == 0)


@asynccontextmanager
async def some_files(
    allow: str = "127.0.0.1", *, limit_s: float = 20.0, ports: frozenset[int] = PORTS
) -> AsyncIterator[WebFiles]:
    """The checker, with all the time it could need."""
    async with WebFiles(Allowed(allow), limit_s=limit_s, ports=ports) as files:
        yield files
