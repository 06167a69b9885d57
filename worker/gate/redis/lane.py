"""One supervised connection that calls queue for, and leave in batches, in the order they came.

A batch holds all that came while the one before was under way, so a slow Redis or a stalled loop
makes batches larger, not fewer calls a second.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from redis.exceptions import ClusterCrossSlotError, ResponseError

from worker.gate.redis.address import Address
from worker.gate.redis.call import Argument, Call, Command
from worker.gate.redis.facts import refusal_of
from worker.gate.redis.failure import (
    CONNECTION_ERRORS,
    StoreUnavailable,
    describe,
    unavailability,
)
from worker.gate.redis.pauses import LONGEST_S, Pauses
from worker.gate.redis.redirect import REDIRECTIONS
from worker.gate.redis.script import Script
from worker.gate.redis.wire import Wire, wire_to

# So many calls fail together when a connection is lost.
LARGEST_BATCH = 1000
# So many calls leave in one command at most: Redis does nothing else meanwhile, 30 us for each.
MOST_TOGETHER = 32
PROBE_EVERY_S = 1.0


class Lane:
    """`trouble` is None while the last exchange worked.

    `elsewhere` takes the calls that belong to another node; `changed` hears of every failure. Where
    `has_slots`, as the node of a cluster, one command may have keys of one hash slot only.
    """

    def __init__(
        self,
        address: Address,
        *,
        probe_key: Callable[[], str],
        elsewhere: Callable[[Sequence[Call]], Awaitable[None]],
        changed: Callable[[], None],
        has_slots: bool,
    ) -> None:
        self.address = address
        self._probe_key = probe_key
        self._elsewhere = elsewhere
        self._changed = changed
        self._has_slots = has_slots
        # A Redis that has become a cluster finds calls of several slots in one command.
        self._redirections = REDIRECTIONS if has_slots else (*REDIRECTIONS, ClusterCrossSlotError)
        self._waiting: deque[Call] = deque()
        self._under_way: list[Call] = []
        self._arrived = asyncio.Event()
        # Once: Python 3.11 asks the kernel for its process id to answer this.
        self._loop = asyncio.get_running_loop()
        self._where = f"Redis at {address.shown}"
        self.trouble: str | None = f"{self._where}: the connection is not open yet"

    def add(
        self, script: Script | None, keys: Sequence[str], args: Sequence[Argument]
    ) -> asyncio.Future[Any]:
        """Queue a call; raises StoreUnavailable at once while the connection is away."""
        if self.trouble is not None:
            raise StoreUnavailable(self.trouble)
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append(Call(script, keys, args, future))
        self._arrived.set()
        return future

    async def run(self) -> None:
        """Serve until cancelled; reconnect after a growing pause whenever that is needed."""
        loop = self._loop
        pauses = Pauses()
        try:
            while True:
                opened_at = loop.time()
                try:
                    await self._serve()
                except CONNECTION_ERRORS as error:
                    self._down(describe(error, timeout_s=self.address.timeout_s))
                if loop.time() - opened_at > self.address.timeout_s + LONGEST_S:
                    pauses.reset()
                await asyncio.sleep(pauses.next_s())
        finally:
            self._down("the connection was closed")

    async def _serve(self) -> None:
        async with wire_to(self.address) as wire:
            await self._probe(wire)
            self.trouble = None
            while True:
                if await self._has_calls():
                    await self._exchange(wire)
                else:
                    await self._probe(wire)

    async def _has_calls(self) -> bool:
        """Wait for the first; those made in the same tick of the loop are there by then."""
        if not self._waiting:
            self._arrived.clear()
            try:
                async with asyncio.timeout(PROBE_EVERY_S):
                    await self._arrived.wait()
            except TimeoutError:
                return False
        return True

    async def _exchange(self, wire: Wire) -> None:
        calls = self._under_way = self._next_batch()
        await wire.send_all(self._commands(calls))
        redirected = [call for call in calls if isinstance(call.reply, self._redirections)]
        if redirected:
            await self._elsewhere(redirected)
        is_refused = any(
            isinstance(call.reply, ResponseError) and unavailability(call.reply) for call in calls
        )
        self._settle(calls, "the key has moved to a node that does not answer")
        if is_refused:
            self._changed()
            await self._probe(wire)

    def _next_batch(self) -> list[Call]:
        batch: list[Call] = []
        while self._waiting and len(batch) < LARGEST_BATCH:
            call = self._waiting.popleft()
            if not call.future.done():
                batch.append(call)
        return batch

    def _commands(self, calls: Sequence[Call]) -> list[Command]:
        """Put neighbours together where their script takes many; their order stays."""
        commands: list[Command] = []
        together: list[Call] = []
        for call in calls:
            if together and len(together) < MOST_TOGETHER and self._go_together(together[0], call):
                together.append(call)
            else:
                together = [call]
                commands.append(Command(call.script, together))
        return commands

    def _go_together(self, first: Call, call: Call) -> bool:
        if call.script is None or call.script is not first.script or not call.script.takes_many:
            return False
        return not self._has_slots or call.keys == first.keys

    async def _probe(self, wire: Wire) -> None:
        why = await refusal_of(wire, self._probe_key())
        if why is not None:
            raise StoreUnavailable(why)

    def _down(self, why: str) -> None:
        self.trouble = f"{self._where}: {why}"
        calls = [*self._under_way, *self._waiting]
        self._waiting.clear()
        self._settle(calls, why)
        self._changed()

    def _settle(self, calls: Sequence[Call], lost: str) -> None:
        self._under_way = []
        for call in calls:
            call.settle(self._where, lost=lost)
