"""One POST over a connection of aiohttp's pool: the short way for messages, past its session.

A session makes a request, headers, a writer, a timer and a response of each call, which takes
three times as long as all that is here (docs/performance.md). aiohttp still resolves names,
connects, does TLS, keeps connections and reads answers.
"""

import asyncio
import re
import select
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from yarl import URL

from worker.core.secret import Secret
from worker.graph.answer import read_body
from worker.graph.evidence import Evidence
from worker.ports import Departure

HEADS_KEPT = 4096

# What a header may carry: a line break would begin another one.
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class SlotMissedError(Exception):
    """The connection came too late; no byte of the call has left."""


class Head(NamedTuple):
    """Status and headers of an answer."""

    status: int
    headers: Mapping[str, str]


class Poster:
    """POSTs JSON below `root`, over the connections of `connector`, with `headers` in each call."""

    def __init__(
        self,
        root: URL,
        connector: aiohttp.TCPConnector,
        headers: Mapping[str, str],
        *,
        connect_limits: aiohttp.ClientTimeout,
    ) -> None:
        self._root = root
        self._connector = connector
        self._limits = connect_limits
        self._loop = asyncio.get_running_loop()
        # Never sent: it tells the connector where to connect, and what the host is called.
        self._target = ClientRequest("POST", root, loop=self._loop)
        lines = {"Host": self._target.headers["Host"], **headers}
        lines["Content-Type"] = "application/json"
        self._common = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._head_of = lru_cache(HEADS_KEPT)(self._head)

    def _head(self, path: str) -> bytes:
        """What all calls to the path begin with, up to what differs."""
        target = (self._root / path).raw_path
        return f"POST {target} HTTP/1.1\r\n{self._common}Authorization: Bearer ".encode()

    async def post(
        self,
        path: str,
        body: bytes,
        *,
        token: Secret,
        answer_s: float,
        evidence: Evidence,
        departure: Departure | None,
    ) -> tuple[Head, bytes]:
        """Give head and body of the answer, which has `answer_s` seconds from when the call leaves.

        `evidence` is up to date whatever happens. Raises SlotMissedError when the call cannot leave
        by its departure, ValueError for a token that no header can carry, AnswerTooLargeError,
        aiohttp's errors and OSError.
        """
        secret = token.reveal
        if not _VISIBLE.fullmatch(secret):
            raise ValueError("the token has characters that no header can carry")
        head = self._head_of(path)
        call = b"%b%b\r\nContent-Length: %d\r\n\r\n%b" % (head, secret.encode(), len(body), body)
        connection = await self._connection()
        try:
            if departure is not None and time.time() > departure.latest:
                # Sent late it would be in one window with those after it.
                connection.release()
                raise SlotMissedError
            return await self._answer(connection, call, answer_s, evidence, departure)
        finally:
            # For who has not let it go: an answer may still come, and would be taken for the next.
            connection.close()

    async def _connection(self) -> Connection:
        """Take one from the pool that is as it was left, or open one."""
        if self._connector.closed:
            raise RuntimeError("the client is closed")
        while True:
            try:
                connection = await self._connector.connect(self._target, [], self._limits)
            except TimeoutError as error:
                raise aiohttp.ConnectionTimeoutError from error
            # With TLS something may come on a new one that is no answer.
            is_new = _protocol_of(connection).read_timeout is None
            if not connection.closed and (is_new or _is_as_it_was_left(connection)):
                return connection
            connection.close()
            if is_new:
                raise aiohttp.ServerDisconnectedError

    async def _answer(
        self,
        connection: Connection,
        call: bytes,
        answer_s: float,
        evidence: Evidence,
        departure: Departure | None,
    ) -> tuple[Head, bytes]:
        transport, protocol = connection.transport, _protocol_of(connection)
        assert transport is not None, "it was open a moment ago, and the loop has not turned since"
        # No limit of aiohttp's, which begins anew with each byte. Only a new connection has None.
        protocol.set_response_params(read_until_eof=True, read_timeout=0)
        evidence.is_written = True
        transport.write(call)
        if departure is not None:
            departure.left()
        limit = self._loop.call_later(answer_s, transport.abort)
        try:
            message, content = await protocol.read()
            while message.code < 200 and message.code != 101:
                message, content = await protocol.read()
            head = evidence.answer = Head(message.code, message.headers)
            body = await read_body(content)
        except aiohttp.ClientError as error:
            if limit.when() <= self._loop.time():
                raise aiohttp.SocketTimeoutError from error
            raise
        finally:
            limit.cancel()
        if not transport.get_write_buffer_size():
            # Otherwise the API has answered without caring to read all of it.
            connection.release()
        return head, body


def _is_as_it_was_left(connection: Connection) -> bool:
    """Whether nothing came on it since its last answer: its end, or what nobody asked for.

    The event loop may not have seen it yet. aiohttp would write all the same, and nobody could know
    whether the call arrived.
    """
    if connection.transport is None or _protocol_of(connection).should_close:
        return False
    news = select.poll()
    news.register(connection.transport.get_extra_info("socket").fileno(), select.POLLIN)
    return not news.poll(0)


def _protocol_of(connection: Connection) -> ResponseHandler:
    return cast(ResponseHandler, connection.protocol)
