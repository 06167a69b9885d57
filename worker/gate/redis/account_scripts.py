"""Decisions about a request's account, by script: once, or for as long as it takes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import orjson

from worker.core.progress import Progress
from worker.core.request import SendRequest
from worker.gate.redis.arguments import Arguments
from worker.gate.redis.codec import FINGERPRINT_SIZE, digest_of, pack_progress
from worker.gate.redis.failure import StoreUnavailable
from worker.gate.redis.redis_time import RedisTime
from worker.gate.redis.scripts import DECIDE, DECIDE_WIDTH
from worker.gate.redis.store import Store
from worker.ports import Clock

RETRY_S = 0.2
# A call that Redis takes up later than this is refused there: whoever made it has given it up. A
# little more than the store's own timeout.
FRESH_S = 3.0

Result = TypeVar("Result")


class AccountScripts:
    """Lets Redis decide, and takes the time from its answers. `decision` is one of scripts.py."""

    def __init__(self, store: Store, arguments: Arguments, time: RedisTime, clock: Clock) -> None:
        self._clock = clock
        self._store = store
        self._arguments = arguments
        self._time = time

    async def run(
        self,
        decision: str,
        request: SendRequest,
        facts: Mapping[str, Any],
        detail: Progress | str = "",
        event: bytes = b"",
    ) -> Any:
        """Decide about a request; raises StoreUnavailable.

        `detail` is the progress to write, with the event if it ended, or an error.
        """
        args: list[str | bytes] = [digest_of(request.id)]
        if isinstance(detail, Progress):
            args += [request.fingerprint[:FINGERPRINT_SIZE], pack_progress(detail), event]
        else:
            args.append(detail)
        return await self.run_of_account(decision, request.account_id, facts, *args)

    async def run_of_account(
        self, decision: str, account_id: str, facts: Mapping[str, Any], *args: str | bytes
    ) -> Any:
        """Decide about an account; raises StoreUnavailable."""
        keys = self._arguments.keys(account_id)
        asked_at = self._clock.now()
        by = self._time.there(asked_at) + FRESH_S if self._time.is_known else 0
        ask = {**facts, "by": by, "reply_s": self._time.reply_s}
        given = [decision, orjson.dumps(ask), *args]
        given += [b""] * (DECIDE_WIDTH - len(given))
        answer = await self._store.call(DECIDE, keys, given)
        self._time.note(float(answer[1]), asked_at=asked_at)
        if answer[0] == b"stale":
            raise StoreUnavailable("Redis took a call up too late")
        return answer

    async def insist(
        self,
        decision: str,
        request: SendRequest,
        facts: Mapping[str, Any],
        detail: Progress | str = "",
        event: bytes = b"",
    ) -> Any:
        """Decide about what is in hand already: it waits for Redis as long as it takes."""
        while True:
            try:
                return await self.run(decision, request, facts, detail, event)
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)


async def lasting(call: Callable[[], Awaitable[Result]]) -> Result:
    """Repeat a call until Redis is there; the scripts can be repeated."""
    while True:
        try:
            return await call()
        except StoreUnavailable:
            await asyncio.sleep(RETRY_S)
