"""What a Redis says about itself, and whether it does what the gate needs."""

from dataclasses import dataclass

from redis.exceptions import ResponseError

from worker.gate.redis.failure import StoreUnavailable, unavailability
from worker.gate.redis.redirect import REDIRECTIONS
from worker.gate.redis.wire import Wire


@dataclass(frozen=True, slots=True)
class Facts:
    """`eviction` is its maxmemory-policy, `product` Redis or Valkey."""

    product: str
    version: str
    is_cluster: bool
    eviction: str
    has_append_only_file: bool


async def facts_from(wire: Wire) -> Facts:
    """Ask it; raises one of CONNECTION_ERRORS."""
    info = await wire.ask(b"INFO")
    if isinstance(info, ResponseError):
        raise StoreUnavailable(unavailability(info) or f"it answered INFO with {info}")
    lines = (line.partition(":") for line in info.decode().splitlines())
    told = {name: value for name, _, value in lines}
    return Facts(
        product="Valkey" if "valkey_version" in told else "Redis",
        version=told.get("valkey_version") or told.get("redis_version", "of unknown version"),
        is_cluster=told.get("cluster_enabled") == "1",
        eviction=told.get("maxmemory_policy", "unknown"),
        has_append_only_file=told.get("aof_enabled") == "1",
    )


async def makes_snapshots(wire: Wire) -> bool:
    """Ask whether its data is saved now and then; True where that may not be asked."""
    saving = await wire.ask(b"CONFIG", b"GET", b"save")
    return not isinstance(saving, list) or saving[1:] != [b""]


async def refusal_of(wire: Wire, key: str) -> str | None:
    """Say why scripts could not work there; changes nothing, since XX sets only what exists.

    It takes what scripts take: a primary, free memory, a disk that works, the right to write.
    """
    reply = await wire.ask(b"SET", key, b"", b"PX", 1, b"XX")
    if isinstance(reply, ResponseError) and not isinstance(reply, REDIRECTIONS):
        return unavailability(reply) or f"it answered {reply}"
    return None
