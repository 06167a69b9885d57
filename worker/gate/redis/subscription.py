"""Hearing what is published on a channel; what is said while the connection is away is lost."""

import asyncio
from collections.abc import Callable

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

from worker.gate.redis.address import Address
from worker.gate.redis.call import pack
from worker.gate.redis.failure import CONNECTION_ERRORS
from worker.gate.redis.pauses import LONGEST_S, Pauses
from worker.gate.redis.wire import send

# After this long without a message the connection is asked whether it is still there.
IDLE_S = 1.0


async def listen(
    where: Callable[[], Address], channel: str, on_message: Callable[[bytes], None]
) -> None:
    """Call `on_message` for each message until cancelled; subscribe again after a lost connection.

    `where` is asked before each connection. In a cluster any node will do: PUBLISH reaches all.
    """
    loop = asyncio.get_running_loop()
    pauses = Pauses()
    while True:
        began_at = loop.time()
        address = where()
        try:
            connection = await address.connect()
            try:
                await send(connection, pack(b"SUBSCRIBE", channel))
                await _hear(connection, on_message, timeout_s=address.timeout_s)
            finally:
                await connection.disconnect(nowait=True)
        except (*CONNECTION_ERRORS, ResponseError):
            # Messages only save time: who waits for one looks for itself as well, and the
            # connection that calls use says what is wrong.
            pass
        if loop.time() - began_at > address.timeout_s + LONGEST_S:
            pauses.reset()
        await asyncio.sleep(pauses.next_s())


async def _hear(
    connection: AbstractConnection, on_message: Callable[[bytes], None], *, timeout_s: float
) -> None:
    is_asked = False
    while True:
        try:
            async with asyncio.timeout(timeout_s if is_asked else IDLE_S):
                reply = await connection.read_response(disconnect_on_error=False)
        except TimeoutError:
            if is_asked:
                raise
            await send(connection, pack(b"PING"))
            is_asked = True
            continue
        is_asked = False
        if reply[0] == b"message":
            on_message(reply[2])
