"""Following MOVED, ASK and TRYAGAIN to the node that serves a key at this moment."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from redis.exceptions import AskError, MovedError, TryAgainError

from worker.gate.redis.address import Address
from worker.gate.redis.call import NO_REPLY, Call, Command
from worker.gate.redis.failure import CONNECTION_ERRORS
from worker.gate.redis.wire import Wire, wire_to

# What says where else to ask, or to ask again; redis-py derives MOVED from ASK.
REDIRECTIONS = (AskError, TryAgainError)
TRY_AGAIN_S = 0.05

Place = tuple[str, int]


async def follow(calls: Sequence[Call], *, since: Address) -> None:
    """Get the calls their replies elsewhere, one after the other, so that their order holds.

    `since` is the node that redirected them. When another node does not answer in time, this call
    and those after it end without a reply.
    """
    async with AsyncExitStack() as stack:
        wires: dict[Place, Wire] = {}

        async def wire_at(place: Place) -> Wire:
            if place not in wires:
                wires[place] = await stack.enter_async_context(wire_to(since.at(*place)))
            return wires[place]

        waiting = deque(calls)
        try:
            while waiting:
                async with asyncio.timeout(since.timeout_s):
                    await _follow(waiting[0], wire_at, since.host_and_port)
                waiting.popleft()
        except CONNECTION_ERRORS:
            for call in waiting:
                call.reply = NO_REPLY


async def _follow(call: Call, wire_at: Callable[[Place], Awaitable[Wire]], place: Place) -> None:
    is_asking = False
    while isinstance(call.reply, REDIRECTIONS):
        if isinstance(call.reply, AskError):
            place = (call.reply.host or place[0], call.reply.port)
            is_asking = not isinstance(call.reply, MovedError)
        else:
            # Its keys are on the way: some are there already, some are not.
            await asyncio.sleep(TRY_AGAIN_S)
        wire = await wire_at(place)
        if is_asking:
            # Holds for the very next command, on this connection.
            await wire.ask(b"ASKING")
        await wire.run(Command(call.script, [call]))
