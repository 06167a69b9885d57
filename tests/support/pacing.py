"""Load that comes at its own pace, however the system under it is doing."""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


async def until(moment: float) -> None:
    """Return at `moment` (unix seconds), or at once when it has passed."""
    await asyncio.sleep(max(0.0, moment - time.time()))


async def beats(per_s: float, *, start: float, end: float) -> AsyncIterator[int]:
    """Count up from 0, `per_s` times a second between two moments (unix seconds).

    A beat that comes late does not shift those after it.
    """
    number = 0
    while (due := start + number / per_s) < end:
        await until(due)
        yield number
        number += 1


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Let `work` run beside the block and cancel it at its end; its failure fails the block."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        yield
        task.cancel()
