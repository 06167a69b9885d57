"""A TCP proxy on loopback that cuts, holds or slows what goes through it, as a test says."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_CHUNK = 65536
_Due = tuple[float, bytes]


class TcpProxy:
    """`delay_s` is added to what is read from now on, each way, and costs no throughput.

    `round_trips` counts how often a client went on after the server had said something.
    """

    def __init__(self, host: str, port: int) -> None:
        self.delay_s = 0.0
        self.round_trips = 0
        self.accepted = 0
        self.port = 0
        self._upstream = (host, port)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._is_refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> int:
        """How many connections go through it now."""
        return len(self._tasks)

    def cut(self, *, refuse: bool = False) -> None:
        """Reset every connection; with `refuse` also each new one, until `resume`."""
        self._is_refusing = refuse
        for writer in list(self._writers):
            _reset(writer)

    def hold(self) -> None:
        """Be a black hole: accept everything, pass nothing on, until `resume`."""
        self._flowing.clear()

    def resume(self) -> None:
        """Pass everything on again, also what was held."""
        self._is_refusing = False
        self._flowing.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection to its end."""
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None, "asyncio serves each connection in a task"
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            if self._is_refusing:
                _reset(writer)
                return
            await self._flowing.wait()
            up_reader, up_writer = await asyncio.open_connection(*self._upstream)
            self._writers.add(up_writer)
            try:
                await self._carry((reader, up_writer), (up_reader, writer))
            finally:
                self._writers.discard(up_writer)
                up_writer.close()
        except (OSError, asyncio.CancelledError):
            # The upstream is not there, or the test is over.
            _reset(writer)
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def end(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _carry(
        self,
        up: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        down: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        """Pass both ways until both have ended, or one was reset."""
        spoke_last = [""]
        ways = [
            asyncio.create_task(self._pass_on(*way, name, spoke_last))
            for way, name in ((up, "client"), (down, "server"))
        ]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        name: str,
        spoke_last: list[str],
    ) -> None:
        loop = asyncio.get_running_loop()
        due: asyncio.Queue[_Due] = asyncio.Queue()
        writing = asyncio.create_task(self._write(due, writer))
        try:
            while data := await reader.read(_CHUNK):
                if name == "client" and spoke_last[0] != name:
                    self.round_trips += 1
                spoke_last[0] = name
                due.put_nowait((loop.time() + self.delay_s, data))
            due.put_nowait((loop.time() + self.delay_s, b""))
            await writing
        finally:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await writing

    async def _write(self, due: "asyncio.Queue[_Due]", writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            moment, data = await due.get()
            await asyncio.sleep(max(0.0, moment - loop.time()))
            await self._flowing.wait()
            if writer.is_closing():
                return
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, so that the peer sees a reset and not an end."""
    raw = writer.get_extra_info("socket")
    # It may be gone already, which each kind of event loop says in its own way.
    if raw is not None and not writer.is_closing():
        with contextlib.suppress(OSError, ValueError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def tcp_proxy(host: str, port: int) -> AsyncIterator[TcpProxy]:
    """Listen on a free port of loopback and pass everything on to `host` and `port`."""
    proxy = TcpProxy(host, port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
