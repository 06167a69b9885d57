"""A lane to each node of a cluster."""

import asyncio
import random
from collections.abc import Sequence

from worker.gate.redis.address import Address
from worker.gate.redis.call import Call
from worker.gate.redis.failure import CONNECTION_ERRORS, StoreUnavailable, describe
from worker.gate.redis.lane import Lane
from worker.gate.redis.redirect import follow
from worker.gate.redis.slots import Node, Slots, slots_seen_by

# The slots are asked for again when a lane fails or a key has moved, this often at most.
LOOK_AGAIN_S = 0.5
# How many keys are tried to find one of a given node. A node with so few slots that none is found
# answers the last with MOVED, which shows as well that it is alive.
MOST_TAGS = 1000


class Cluster:
    """Calls of one hash slot keep their order; nodes do not wait for each other.

    redis-py's cluster client is not used: without its first node it cannot start, and it may send
    ASKING and the command on different connections.
    """

    def __init__(self, address: Address, *, probe_key: str) -> None:
        self._address = address
        self._key = probe_key
        self._slots = Slots()
        self._lanes: dict[Node, Lane] = {}
        self._serving: dict[Node, asyncio.Task[None]] = {}
        self._tasks = asyncio.TaskGroup()
        self._changed = asyncio.Event()

    @property
    def trouble(self) -> str | None:
        """Say what is wrong with the first node that has trouble."""
        if not self._lanes:
            return f"Redis at {self._address.shown}: its cluster was not looked at yet"
        return next((lane.trouble for lane in self._lanes.values() if lane.trouble), None)

    def lane_of(self, key: str) -> Lane:
        """Find who serves a key; raises StoreUnavailable while nobody does."""
        if not self._lanes:
            raise StoreUnavailable(self.trouble)
        node = self._slots.node_of(key)
        if node is None:
            self._changed.set()
            raise StoreUnavailable(
                f"Redis at {self._address.shown}: no node of its cluster serves some of the keys; "
                "look at CLUSTER SLOTS"
            )
        return self._lanes[node]

    def any_node(self) -> Address:
        """Give a node that answers, or the one of the URL."""
        answering = [lane.address for lane in self._lanes.values() if lane.trouble is None]
        return random.choice(answering) if answering else self._address

    async def run(self) -> None:
        """Serve until cancelled; raises StoreUnavailable when no node tells who serves what."""
        try:
            async with self._tasks:
                while True:
                    self._changed.clear()
                    self._use(await self._look())
                    await asyncio.sleep(LOOK_AGAIN_S)
                    await self._changed.wait()
        except BaseExceptionGroup as errors:
            # The first is why the others were cancelled.
            raise errors.exceptions[0] from None

    async def _look(self) -> Slots:
        """Ask those first who answer calls, and the node of the URL last."""
        lanes = sorted(self._lanes.values(), key=lambda lane: lane.trouble is not None)
        why = ""
        for address in [*(lane.address for lane in lanes), self._address]:
            try:
                return await slots_seen_by(address)
            except CONNECTION_ERRORS as error:
                why = describe(error, timeout_s=address.timeout_s)
        raise StoreUnavailable(why)

    def _use(self, slots: Slots) -> None:
        self._slots = slots
        nodes = slots.nodes
        for node in self._lanes.keys() - nodes:
            self._serving.pop(node).cancel()
            del self._lanes[node]
        for node in nodes - self._lanes.keys():
            lane = self._lanes[node] = self._lane_to(node)
            self._serving[node] = self._tasks.create_task(lane.run())

    def _lane_to(self, node: Node) -> Lane:
        address = self._address.at(*node)

        async def elsewhere(calls: Sequence[Call]) -> None:
            self._changed.set()
            await follow(calls, since=address)

        return Lane(
            address,
            probe_key=lambda: self._key_of(node),
            elsewhere=elsewhere,
            changed=self._changed.set,
            has_slots=True,
        )

    def _key_of(self, node: Node) -> str:
        """Make a key that this node serves."""
        for tag in range(MOST_TAGS):
            key = f"{self._key}:{{{tag}}}"
            if self._slots.node_of(key) == node:
                break
        return key
