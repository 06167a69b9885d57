"""What the API does: slow, silent, broken off, wrong, throttled, by the sandbox's own scripts."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.chaos.faults.fault import Struck, lasting
from tests.chaos.stage import Stage

_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class ApiFault:
    """A script that strikes the next `most` calls at the latest within `within_s`."""

    name: str
    script: Mapping[str, Any]
    most: int = 12
    within_s: float = 4.0
    weight: float = 1.0
    lanes: tuple[str, ...] = ("api",)

    @property
    def kind(self) -> str:
        return f"API: {self.name}"

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        times = dice.randint(2, self.most)
        fault = await stage.site.admin("POST", "faults", {**self.script, "times": times})
        until = time.time() + self.within_s
        struck = 0
        while time.time() < until and struck < times:
            await lasting(_LOOK_EVERY_S)
            struck = await _struck(stage, fault["id"])
        await stage.site.admin("DELETE", f"faults/{fault['id']}")
        return Struck(happened=struck > 0)


async def _struck(stage: Stage, fault_id: int) -> int:
    listed = await stage.site.admin("GET", "faults")
    return next(int(each["struck"]) for each in listed if each["id"] == fault_id)


@dataclass(frozen=True, slots=True)
class ThrottledStorm:
    """429 to several accounts at once, for every call, until it is over."""

    kind: str = "API: storm of 429"
    lanes: tuple[str, ...] = ("api",)
    weight: float = 1.5
    for_s: float = 3.0
    share: float = field(default=0.4)

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        accounts = stage.site.plan.accounts
        ids = []
        for account_id in dice.sample(accounts, max(1, int(self.share * len(accounts)))):
            match = {"account_id": account_id}
            script = {"scenario": "throttled_retry_after", "match": match, "times": None}
            ids.append((await stage.site.admin("POST", "faults", script))["id"])
        await lasting(self.for_s)
        struck = 0
        for fault_id in ids:
            struck += await _struck(stage, fault_id)
            await stage.site.admin("DELETE", f"faults/{fault_id}")
        return Struck(happened=struck > 0)
