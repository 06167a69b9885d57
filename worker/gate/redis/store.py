"""Calls of Lua scripts on the Redis (or Valkey, or cluster of either) that all workers share."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from worker.gate.open_gate import StoreObserver
from worker.gate.redis.address import Address
from worker.gate.redis.call import Argument, Call
from worker.gate.redis.cluster import Cluster
from worker.gate.redis.facts import facts_from
from worker.gate.redis.failure import CONNECTION_ERRORS, StoreUnavailable, describe
from worker.gate.redis.lane import Lane
from worker.gate.redis.pauses import Pauses
from worker.gate.redis.script import Script
from worker.gate.redis.subscription import listen
from worker.gate.redis.wire import wire_to

__all__ = ["Script", "Store", "StoreUnavailable"]

TIMEOUT_S = 2.0


class BecameClusterError(Exception):
    """A Redis that was none before answers as a node of a cluster."""


class Store:
    """Heals by itself; while Redis is away each call fails at once, none waits in a queue.

    Whether it is a cluster is seen, not configured: it is asked at the start and after it was lost,
    which costs one INFO and leaves one URL to get right instead of two kinds.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        probe_key: str = "ig:probe",
        observer: StoreObserver | None = None,
    ) -> None:
        self._observer = observer
        self._address = Address.of(url, timeout_s=timeout_s)
        self._probe_key = probe_key
        self._served_by: Lane | Cluster | None = None
        self._trouble = f"Redis at {self._address.shown}: the connection is not open yet"

    @property
    def trouble(self) -> str | None:
        """Say why calls fail; None while the last exchange worked. True also without calls."""
        return self._trouble if self._served_by is None else self._served_by.trouble

    @property
    def is_cluster(self) -> bool:
        """Known from before the first call that does not fail."""
        return isinstance(self._served_by, Cluster)

    async def call(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script once and give what it returns; all keys must be in one hash slot.

        Calls made in one tick of the event loop, and while others are under way, share a round
        trip, and a script that takes many one command; they keep their order. Raises
        StoreUnavailable, after which the call may have taken effect; an error in the script itself
        is raised as redis-py's ResponseError.
        """
        return await self._answer(script, keys, args)

    async def command(self, keys: Sequence[str], *command: Argument) -> Any:
        """Send a plain command about `keys`, in its order among the calls; raises like `call`."""
        return await self._answer(None, keys, command)

    async def _answer(
        self, script: Script | None, keys: Sequence[str], args: Sequence[Argument]
    ) -> Any:
        asked_at = time.perf_counter()
        try:
            answer = await self._lane_of(keys).add(script, keys, args)
        except StoreUnavailable:
            if self._observer is not None:
                self._observer.gate_failed()
            # Whoever tries again at once must not keep the loop from reconnecting.
            await asyncio.sleep(0)
            raise
        if self._observer is not None:
            self._observer.gate_answered(after_s=time.perf_counter() - asked_at)
        return answer

    async def subscribe(self, channel: str, on_message: Callable[[bytes], None]) -> None:
        """Hear a channel until cancelled; messages published while it is away are lost."""
        await listen(self._any_node, channel, on_message)

    async def run(self) -> None:
        """Serve until cancelled."""
        pauses = Pauses()
        while True:
            try:
                async with wire_to(self._address) as wire:
                    facts = await facts_from(wire)
                pauses.reset()
                await (self._run_cluster() if facts.is_cluster else self._run_single())
            except BecameClusterError:
                continue
            except CONNECTION_ERRORS as error:
                why = describe(error, timeout_s=self._address.timeout_s)
                self._trouble = f"Redis at {self._address.shown}: {why}"
            finally:
                self._served_by = None
            await asyncio.sleep(pauses.next_s())

    def _lane_of(self, keys: Sequence[str]) -> Lane:
        match self._served_by:
            case Lane() as lane:
                return lane
            case Cluster() as cluster:
                return cluster.lane_of(keys[0])
            case None:
                raise StoreUnavailable(self._trouble)

    def _any_node(self) -> Address:
        if isinstance(self._served_by, Cluster):
            return self._served_by.any_node()
        return self._address

    async def _run_single(self) -> None:
        async def elsewhere(calls: Sequence[Call]) -> None:
            raise BecameClusterError

        lane = self._served_by = Lane(
            self._address,
            probe_key=lambda: self._probe_key,
            elsewhere=elsewhere,
            changed=lambda: None,
            has_slots=False,
        )
        await lane.run()

    async def _run_cluster(self) -> None:
        cluster = self._served_by = Cluster(self._address, probe_key=self._probe_key)
        await cluster.run()
