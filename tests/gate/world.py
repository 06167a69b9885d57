"""A gate with a clock that only tests move, and the calls they make over and over."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from secrets import token_hex
from typing import Any

import redis
from redis.asyncio import Redis

from tests.support.fakes import FakeClock
from tests.support.pipeline import ACCOUNT, a_body
from tests.support.waiting import eventually
from worker.contract.decode import decode
from worker.core.account import Account
from worker.core.admission import Admission, Closed, NotYet
from worker.core.ask import Ask
from worker.core.delivery import Lane
from worker.core.ending import event_of
from worker.core.outcome import Completed, Dead, Postponed, Wait
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.request import SendRequest, request_from
from worker.core.secret import Secret
from worker.core.send_result import GraphError, Refused, Throttled
from worker.gate.memory.gate import MemoryGate
from worker.gate.open_gate import WholeGate
from worker.gate.redis.call import Argument
from worker.gate.redis.gate import RedisGate
from worker.gate.redis.script import Script
from worker.gate.redis.store import Store

ERROR = GraphError("because", code=190)
OPEN = Account(ACCOUNT, Secret("IGAAone"))
KEEP_S = 3600.0


def a_request(**fields: object) -> SendRequest:
    body = a_body(**fields)
    document = decode(body)
    assert isinstance(document, dict)
    return request_from(document, fingerprint=body[-16:])


class World:
    """One worker's gate. `other` worlds are further workers on the same memory."""

    def __init__(self, gate: WholeGate, clock: FakeClock) -> None:
        self.gate = gate
        self.clock = clock

    async def admit(
        self,
        request: SendRequest,
        account: Account | None = OPEN,
        *,
        progress: Progress | None = None,
        deadline: float | None = None,
        lane: Lane = Lane.INTERACTIVE,
    ) -> Admission:
        return await self.gate.admit(Ask(request, account, progress or Progress(), lane, deadline))

    async def advance(
        self,
        request: SendRequest,
        account: Account = OPEN,
        *,
        sent: tuple[str | None, ...] = (),
        is_spent: bool = False,
    ) -> Admission:
        ask = Ask(request, account, Progress(sent=sent), Lane.INTERACTIVE, is_spent=is_spent)
        return await self.gate.advance(ask)

    async def close(
        self, request: SendRequest, result: Throttled | Refused, account: Account = OPEN
    ) -> Closed | NotYet:
        return await self.gate.close(
            Ask(request, account, Progress(), Lane.INTERACTIVE, None), result
        )

    async def finish(self, request: SendRequest) -> None:
        outcome = Completed(Progress(sent=("m",)), self.clock.now())
        event = event_of(outcome, request.identity, finished_at=self.clock.now())
        await self.gate.conclude(request, outcome, event)
        await self.gate.settled(request)

    async def fail(self, request: SendRequest) -> None:
        outcome = Dead(Reason.REJECTED, "no", Progress())
        event = event_of(outcome, request.identity, finished_at=self.clock.now())
        await self.gate.conclude(request, outcome, event)
        await self.gate.settled(request)

    async def park(
        self,
        request: SendRequest,
        until: float,
        why: Wait = Wait.RATE,
        progress: Progress | None = None,
    ) -> None:
        await self.gate.conclude(request, Postponed(until, why, progress or Progress()), None)


@asynccontextmanager
async def memory_world() -> AsyncIterator[World]:
    clock = FakeClock()
    yield World(MemoryGate(clock, margin=0.03, keep_s=KEEP_S, most=1000), clock)


class TimedStore(Store):
    """Runs the scripts with the time of a test in place of Redis's.

    Redis is told the time at `direct_url`, should `url` lead there through the test's own loop.
    """

    def __init__(
        self, url: str, clock: FakeClock, *, prefix: str, direct_url: str | None = None
    ) -> None:
        super().__init__(url, probe_key=f"{prefix}:probe")
        self._clock = clock
        # Not among the keys whose end is looked at.
        self._time_key = f"time:{prefix}"
        self._told: float | None = None
        self._teller = redis.Redis.from_url(direct_url or url)
        self._timed: dict[str, Script] = {}

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        if self._clock.now() != self._told:
            # Not in the midst of calls that are to leave together.
            self._told = self._clock.now()
            self._teller.set(self._time_key, f"{self._told:.6f}", ex=3600)
        timed = self._timed.get(script.name)
        if timed is None:
            timed = self._timed[script.name] = in_time_of(script, self._time_key)
        return await super().call(timed, keys, args)

    def close(self) -> None:
        self._teller.close()


def in_time_of(script: Script, key: str) -> Script:
    """Let a script take a key's value for the time."""
    text = script.text.replace("redis.call('TIME')", f"{{redis.call('GET', '{key}'), '0'}}")
    assert text != script.text, "each script asks for the time"
    return replace(script, text=text)


@asynccontextmanager
async def redis_world(url: str) -> AsyncIterator[World]:
    """Give a gate on keys of its own, in a Redis that others use too."""
    prefix, clock = f"t{token_hex(6)}", FakeClock()
    store = TimedStore(url, clock, prefix=prefix)
    gate = RedisGate(store, clock, prefix=prefix, margin=0.03, keep_s=KEEP_S)
    serving = [asyncio.create_task(store.run())]
    try:
        await eventually(lambda: store.trouble is None)
        async with Redis.from_url(url) as client:
            serving.append(asyncio.create_task(gate.run()))
            yield World(gate, clock)
            async for key in client.scan_iter(f"{prefix}:*"):
                await client.delete(key)
    finally:
        for task in serving:
            task.cancel()
        await asyncio.wait(serving)
        store.close()
