"""All that a Redis holds, to be searched."""

from collections.abc import Awaitable, Callable
from typing import Any


async def everything_in(client: Any, prefix: str) -> dict[bytes, bytes]:
    """Give all keys and what each holds, as text of whatever type it is."""
    readers: dict[bytes, Callable[[bytes], Awaitable[Any]]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"list": lambda key: client.lrange(key, 0, -1),
    }
    found: dict[bytes, bytes] = {}
    async for key in client.scan_iter(f"{prefix}*"):
        value = await readers[await client.type(key)](key)
        parts = [*value.keys(), *value.values()] if isinstance(value, dict) else value
        found[key] = parts if isinstance(parts, bytes) else b"\n".join(parts)
    return found
