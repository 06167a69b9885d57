"""One connection to one Redis: a batch out in one write, its replies back in order.

redis-py connects, logs in and parses. Its Pipeline is not used: per call it costs two to five
times the CPU, nearly all of it in packing commands, which hiredis does here.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import NoScriptError, ResponseError

from worker.gate.redis.address import Address
from worker.gate.redis.call import Argument, Command, pack

# Somebody may flush the scripts again just after they were loaded.
TRIES = 3
# After this many replies, each to one or to many calls, the timeout starts anew: a batch may take
# long where Redis is slow, and would never get through if it were repeated for that.
SIGNS_OF_LIFE = 4


async def send(connection: AbstractConnection, packed: bytes) -> None:
    """Write; raises one of CONNECTION_ERRORS, also where uvloop has an error of its own."""
    try:
        await connection.send_packed_command(packed, check_health=False)
    except RuntimeError as error:
        # What uvloop raises for a transport that the other side has closed a moment ago.
        raise ConnectionResetError("the connection is closed") from error


@asynccontextmanager
async def wire_to(address: Address) -> AsyncIterator["Wire"]:
    """Connect, and close however the block ends."""
    connection = await address.connect()
    try:
        yield Wire(connection, timeout_s=address.timeout_s)
    finally:
        # It is of no use any more, so nobody waits for it to close in order.
        await connection.disconnect(nowait=True)


class Wire:
    """Not to be used by two tasks at once. Raises TimeoutError when Redis falls silent."""

    def __init__(self, connection: AbstractConnection, *, timeout_s: float) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._loaded: set[str] = set()

    async def ask(self, *command: Argument) -> Any:
        """Give the reply to one command; an error among replies is a value."""
        return await self._reply_to(pack(*command))

    async def _reply_to(self, packed: bytes) -> Any:
        replies: list[Any] = []
        await self._exchange(packed, 1, replies)
        return replies[0]

    async def send_all(self, commands: Sequence[Command]) -> None:
        """Set the reply of each call. Raises what ended the connection; some may have got theirs.

        Scripts that this connection has not seen yet go ahead of the batch. Commands that find
        theirs forgotten are repeated; Redis forgets all at once, so these are the last of the batch
        and nothing overtakes them.
        """
        for _ in range(TRIES):
            commands = await self._once(commands)
            if not commands:
                return
            self._loaded.clear()

    async def run(self, command: Command) -> None:
        """Set the replies of a command whose script this Redis may not know."""
        command.answer(await self._reply_to(command.in_full()))

    async def _once(self, commands: Sequence[Command]) -> list[Command]:
        """Give those whose script was forgotten."""
        scripts = {command.script.sha: command.script for command in commands if command.script}
        new = [script for sha, script in scripts.items() if sha not in self._loaded]
        packed = [pack(b"SCRIPT", b"LOAD", script.text) for script in new]
        sent: list[Command] = []
        for command in commands:
            try:
                packed.append(command.by_name())
                sent.append(command)
            except TypeError as error:
                command.answer(error)
        replies: list[Any] = []
        try:
            await self._exchange(b"".join(packed), len(packed), replies)
        finally:
            for command, reply in zip(sent, replies[len(new) :], strict=False):
                command.answer(reply)
        refused = {}
        for script, reply in zip(new, replies, strict=False):
            if isinstance(reply, ResponseError):
                refused[script.sha] = reply
            else:
                self._loaded.add(script.sha)
        forgotten = []
        for command, reply in zip(sent, replies[len(new) :], strict=True):
            if not isinstance(reply, NoScriptError) or command.script is None:
                continue
            if command.script.sha in refused:
                # Why it could not be loaded says more than that it is not there.
                command.answer(refused[command.script.sha])
            else:
                forgotten.append(command)
        return forgotten

    async def _exchange(self, packed: bytes, count: int, replies: list[Any]) -> None:
        read = self._connection.read_response
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeout_s) as limit:
            await send(self._connection, packed)
            for number in range(count):
                if number and number % SIGNS_OF_LIFE == 0:
                    limit.reschedule(loop.time() + self._timeout_s)
                try:
                    replies.append(await read())
                except ResponseError as error:
                    replies.append(error)
