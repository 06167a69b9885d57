"""The app's bucket in Redis, one for all workers."""

import orjson

from worker.core.admission import NotYet
from worker.core.outcome import Wait
from worker.core.rate_limit import Pace
from worker.gate.redis import scripts
from worker.gate.redis.account_scripts import lasting
from worker.gate.redis.store import Store
from worker.ports import Clock


class RedisAppBucket:
    """Implements the AppBucket port; waits for a Redis that is away."""

    def __init__(self, store: Store, clock: Clock, *, prefix: str, pace: Pace) -> None:
        self._store = store
        self._clock = clock
        self._keys = [f"{prefix}:{{app}}:rate"]
        self._pace = pace

    async def take(self, at: float, *, hold_s: float) -> float | NotYet:
        ask = {
            "in_s": max(0.0, at - self._clock.now()),
            "hold_s": hold_s,
            "interval": self._pace.interval_s,
            "burst": self._pace.burst,
        }
        answer = await lasting(
            lambda: self._store.call(scripts.APP, self._keys, [orjson.dumps(ask)])
        )
        # From the reply on, not from the call: a moment late rather than early.
        moment = self._clock.now() + float(answer[1])
        return moment if answer[0] == b"slot" else NotYet(moment, Wait.RATE)
