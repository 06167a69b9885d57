"""Which node of a cluster serves which hash slot."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import ResponseError

from worker.gate.redis.address import Address
from worker.gate.redis.failure import StoreUnavailable, unavailability
from worker.gate.redis.wire import wire_to


class Node(NamedTuple):
    """Where a node says that it is."""

    host: str
    port: int


class Slots:
    """From the reply to CLUSTER SLOTS: first slot, last slot, primary, replicas."""

    def __init__(self, reply: Sequence[Sequence[Any]] = (), *, asked: Node | None = None) -> None:
        self._primaries: list[Node | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, primary, *_ in reply:
            # A node that does not know its own host is at the one that was asked.
            host = primary[0].decode() if primary[0] else asked.host if asked else ""
            node = Node(host, primary[1])
            self._primaries[first : last + 1] = [node] * (last + 1 - first)

    @property
    def nodes(self) -> set[Node]:
        return {node for node in self._primaries if node is not None}

    def node_of(self, key: str) -> Node | None:
        """Find who serves a key; None when nobody does."""
        return self._primaries[key_slot(key.encode())]


async def slots_seen_by(address: Address) -> Slots:
    """Ask one node; raises one of CONNECTION_ERRORS."""
    async with wire_to(address) as wire:
        reply = await wire.ask(b"CLUSTER", b"SLOTS")
    if isinstance(reply, ResponseError):
        raise StoreUnavailable(unavailability(reply) or f"it answered CLUSTER SLOTS with {reply}")
    return Slots(reply, asked=Node(*address.host_and_port))
