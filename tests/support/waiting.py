"""Waiting for what another task or process does, with a deadline instead of a guess."""

import asyncio
from collections.abc import Awaitable, Callable

DEADLINE_S = 60.0
_LOOK_EVERY_S = 0.02


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], *, within_s: float = DEADLINE_S
) -> None:
    """Return when the condition holds; raises TimeoutError after `within_s` seconds."""
    async with asyncio.timeout(within_s):
        while True:
            met = condition()
            if met if isinstance(met, bool) else await met:
                return
            await asyncio.sleep(_LOOK_EVERY_S)
