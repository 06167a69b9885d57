"""A lane to each node of a cluster; redis-py knows the slots and follows what has moved."""

import asyncio
import random

from redis.asyncio.cluster import ClusterNode
from redis.exceptions import RedisError, ResponseError, SlotNotCoveredError

from worker.gate.redis.address import Address
from worker.gate.redis.call import NO_REPLY, Call
from worker.gate.redis.failure import CONNECTION_ERRORS, StoreUnavailable
from worker.gate.redis.lane import Lane

# Slots are looked up again when a lane fails or answers that a key has moved, this often at most.
LOOK_AGAIN_S = 0.5
# How many keys are tried to find one of a given node. A node with so few slots that none is found
# answers the last with MOVED, which shows as well that it is alive.
MOST_TAGS = 1000


class Cluster:
    """Calls of one hash slot keep their order; nodes do not wait for each other."""

    def __init__(self, address: Address, *, probe_key: str) -> None:
        self._address = address
        self._key = probe_key
        self._client = address.cluster()
        self._lanes: dict[str, Lane] = {}
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._changed = asyncio.Event()
        # ASKING holds for one connection of redis-py's pool: one redirected call at a time.
        self._redirecting = asyncio.Lock()

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
        node = self._node_of(key)
        if node is None:
            self._changed.set()
            raise StoreUnavailable(
                f"Redis at {self._address.shown}: no node of its cluster serves some of the keys; "
                "look at CLUSTER SLOTS"
            )
        return self._lanes.get(node.name) or self._open(node)

    def any_node(self) -> Address:
        """Give a node that answers, or the one of the URL."""
        answering = [lane.address for lane in self._lanes.values() if lane.trouble is None]
        return random.choice(answering) if answering else self._address

    async def run(self) -> None:
        """Serve until cancelled; raises one of CONNECTION_ERRORS when no node answers."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                while True:
                    self._changed.clear()
                    await self._look()
                    await asyncio.sleep(LOOK_AGAIN_S)
                    await self._changed.wait()
        except BaseExceptionGroup as errors:
            # The first is why the others were cancelled.
            raise errors.exceptions[0] from None
        finally:
            await self._client.aclose()

    async def _look(self) -> None:
        async with self._redirecting:
            # The only public way to have the slots read again.
            await self._client.aclose()
            self._client = await self._client.initialize()
        primaries = {node.name: node for node in self._client.get_primaries()}
        for name in self._lanes.keys() - primaries.keys():
            self._serving.pop(name).cancel()
            del self._lanes[name]
        for name, node in primaries.items():
            if name not in self._lanes:
                self._open(node)

    def _open(self, node: ClusterNode) -> Lane:
        assert self._tasks is not None, "the cluster runs"
        lane = self._lanes[node.name] = Lane(
            self._address.at(node.host, int(node.port)),
            probe_key=lambda: self._key_of(node.name),
            elsewhere=self._redirect,
            changed=self._changed.set,
        )
        self._serving[node.name] = self._tasks.create_task(lane.run())
        return lane

    def _key_of(self, name: str) -> str:
        """Make a key that this node serves."""
        for tag in range(MOST_TAGS):
            key = f"{self._key}:{{{tag}}}"
            node = self._node_of(key)
            if node is not None and node.name == name:
                break
        return key

    def _node_of(self, key: str) -> ClusterNode | None:
        try:
            return self._client.get_node_from_key(key)
        except SlotNotCoveredError:
            return None

    async def _redirect(self, call: Call) -> None:
        """Ask where MOVED, ASK or TRYAGAIN point to; there the script may be unknown as yet."""
        self._changed.set()
        script = (call.script.text, len(call.keys), *call.keys, *call.args)
        try:
            async with asyncio.timeout(self._address.timeout_s), self._redirecting:
                call.reply = await self._client.execute_command("EVAL", *script)
        except ResponseError as error:
            call.reply = error
        except (RedisError, *CONNECTION_ERRORS):
            # That node's lane and its trouble tell why.
            call.reply = NO_REPLY
