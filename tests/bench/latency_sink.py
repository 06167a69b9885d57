"""A sink that writes down when it got which request: `latency_sink.py FILE SECONDS`, until SIGTERM.

It answers so many seconds later.

nginx cannot log a mark in a body without passing the request on. At half load this one, on a bare
socket, is idle most of the time; all contenders have the same.
"""

import asyncio
import re
import signal
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_MARK = re.compile(rb"\b([a-z]+-\d+)/\d+\b")
_HEAD_END = b"\r\n\r\n"
_CONTENT = b'{"recipient_id":"6000000001","message_id":"m_%d"}'
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"


class Connection(asyncio.Protocol):
    """Reads one request after the other and answers each; a GET asks how many came."""

    def __init__(self, accepted: list[tuple[str, float]], answer_after_s: float) -> None:
        self._accepted = accepted
        self._answer_after_s = answer_after_s
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport is one by its methods, not by its class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(_HEAD_END)) >= 0:
            found = _LENGTH.search(self._unread, 0, end)
            whole = end + len(_HEAD_END) + (int(found[1]) if found else 0)
            if len(self._unread) < whole:
                return
            request, self._unread = self._unread[:whole], self._unread[whole:]
            if request.startswith(b"GET "):
                self._answer(b"%d" % len(self._accepted))
            else:
                self._accept(request[end:])

    def _accept(self, body: bytes) -> None:
        mark = _MARK.search(body)
        if mark is None:
            raise ValueError("a request without a mark")
        self._accepted.append((mark[1].decode(), time.time()))
        content = _CONTENT % len(self._accepted)
        if self._answer_after_s:
            loop = asyncio.get_running_loop()
            loop.call_later(self._answer_after_s, self._answer, content)
        else:
            self._answer(content)

    def _answer(self, content: bytes) -> None:
        self._transport.write(_ANSWER % (len(content), content))


async def _serve(answer_after_s: float) -> list[tuple[str, float]]:
    accepted: list[tuple[str, float]] = []
    is_over = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, is_over.set)
    server = await loop.create_server(lambda: Connection(accepted, answer_after_s), "127.0.0.1", 0)
    sys.stdout.write(f"port={server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await is_over.wait()
    server.close()
    return accepted


if __name__ == "__main__":
    moments = uvloop.run(_serve(float(sys.argv[2])))
    Path(sys.argv[1]).write_text("".join(f"{mark} {moment!r}\n" for mark, moment in moments))
