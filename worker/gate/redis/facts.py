"""What a Redis says about itself."""

from dataclasses import dataclass

from redis.exceptions import ResponseError

from worker.gate.redis.address import Address
from worker.gate.redis.failure import StoreUnavailable, unavailability
from worker.gate.redis.wire import wire_to


@dataclass(frozen=True, slots=True)
class Facts:
    """`snapshots` is None where nobody may ask; elsewhere it tells whether any are made."""

    product: str
    version: str
    is_cluster: bool
    eviction: str
    max_memory: int
    has_append_only_file: bool
    snapshots: bool | None


async def facts_about(address: Address) -> Facts:
    """Ask it; raises one of CONNECTION_ERRORS."""
    async with wire_to(address) as wire:
        info = await wire.ask(b"INFO")
        if isinstance(info, ResponseError):
            raise StoreUnavailable(unavailability(info) or f"it answered INFO with {info}")
        saving = await wire.ask(b"CONFIG", b"GET", b"save")
    lines = (line.partition(":") for line in info.decode().splitlines())
    told = {name: value for name, _, value in lines}
    return Facts(
        product="Valkey" if "valkey_version" in told else "Redis",
        version=told.get("valkey_version") or told.get("redis_version", "of unknown version"),
        is_cluster=told.get("cluster_enabled") == "1",
        eviction=told.get("maxmemory_policy", "unknown"),
        max_memory=int(told.get("maxmemory", 0)),
        has_append_only_file=told.get("aof_enabled") == "1",
        snapshots=saving[1] != b"" if isinstance(saving, list) and len(saving) == 2 else None,
    )
