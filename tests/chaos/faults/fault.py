"""What every fault is: something that happens to the stage, and is over when `inject` returns."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Protocol

from tests.chaos.stage import Stage
from tests.support.pacing import until


@dataclass(frozen=True, slots=True)
class Struck:
    """How it went: whether it happened at all, and how many workers called themselves ready
    although what was away had been away for long."""

    happened: bool = True
    lies: int = 0


class Fault(Protocol):
    """One kind of fault. Two that share a lane never happen at the same time."""

    @property
    def kind(self) -> str: ...

    @property
    def lanes(self) -> tuple[str, ...]: ...

    @property
    def weight(self) -> float:
        """Say how often it is chosen, next to the others."""
        ...

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        """Do it and undo it; what the workers make of it afterwards is not waited for."""
        ...


# A worker may need that long to notice that something is away.
NOTICED_WITHIN_S = 3.0


async def lasting(seconds: float) -> None:
    """Let a fault last."""
    await until(time.time() + seconds)


async def away(stage: Stage, for_s: float, back: Callable[[], Awaitable[object]]) -> Struck:
    """Let something be away, ask at the end who claims to be ready, and bring it back."""
    gone_at = time.time()
    try:
        await lasting(for_s)
        is_overdue = time.time() > gone_at + NOTICED_WITHIN_S
        lies = await stage.unready() if is_overdue else 0
    finally:
        await back()
    return Struck(lies=lies)
