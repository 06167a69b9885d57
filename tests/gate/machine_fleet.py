"""Workers that share a Redis and a clock which only tests move."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from secrets import token_hex
from typing import Any

from redis.asyncio import Redis

from tests.gate.world import KEEP_S, TimedStore, World
from tests.support.fakes import FakeClock
from tests.support.waiting import eventually
from worker.gate.redis.call import Argument
from worker.gate.redis.gate import RedisGate
from worker.gate.redis.script import Script
from worker.gate.redis.scripts import DECIDE
from worker.gate.redis.store import StoreUnavailable


class ForgetfulStore(TimedStore):
    """When told to, loses the answer to a decision once, and makes no further call until mended."""

    def __init__(self, url: str, clock: FakeClock, *, prefix: str, direct_url: str) -> None:
        super().__init__(url, clock, prefix=prefix, direct_url=direct_url)
        self.lost, self.mended = asyncio.Event(), asyncio.Event()
        self.mended.set()
        self._loses: str | None = None

    def lose_answer_to(self, decision: str) -> None:
        self._loses = decision

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        await self.mended.wait()
        answer = await super().call(script, keys, args)
        if script is not DECIDE or args[0] != self._loses:
            return answer
        self._loses = None
        self.mended.clear()
        self.lost.set()
        raise StoreUnavailable("its answer was lost")


class Fleet:
    """Workers that share a clock, a Redis and their keys in it."""

    def __init__(self, url: str, stack: AsyncExitStack) -> None:
        self.clock = FakeClock()
        self.prefix = f"t{token_hex(6)}"
        self._url = url
        self._stack = stack
        self.stores: list[ForgetfulStore] = []

    async def worker(self, *, url: str | None = None) -> World:
        return await self._stack.enter_async_context(self._worker(url or self._url))

    @asynccontextmanager
    async def _worker(self, url: str) -> AsyncIterator[World]:
        store = ForgetfulStore(url, self.clock, prefix=self.prefix, direct_url=self._url)
        self.stores.append(store)
        gate = RedisGate(store, self.clock, prefix=self.prefix, margin=0.03, keep_s=KEEP_S)
        serving = [asyncio.create_task(store.run()), asyncio.create_task(gate.run())]
        try:
            await eventually(lambda: store.trouble is None)
            yield World(gate, self.clock)
        finally:
            for task in serving:
                task.cancel()
            await asyncio.wait(serving)
            store.close()

    async def keys(self, client: Redis) -> list[bytes]:
        return [key async for key in client.scan_iter(f"{self.prefix}:*", count=1000)]
