"""What happens between the parts: cut, refused, swallowed, slow, and silent for long."""

from dataclasses import dataclass
from random import Random
from typing import Literal

from tests.chaos.faults.fault import Struck, away, lasting
from tests.chaos.stage import Stage

Road = Literal["broker", "redis", "api"]


@dataclass(frozen=True, slots=True)
class Cut:
    """Every connection is reset; new ones are fine."""

    road: Road
    weight: float = 1.0

    @property
    def kind(self) -> str:
        return f"network to {self.road}: cut"

    @property
    def lanes(self) -> tuple[str, ...]:
        return (f"road-{self.road}",)

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        stage.roads.named(self.road).cut()
        return Struck()


@dataclass(frozen=True, slots=True)
class Refused:
    """Every connection is reset, and each new one too, for a while."""

    road: Road
    weight: float = 1.0

    @property
    def kind(self) -> str:
        return f"network to {self.road}: refused"

    @property
    def lanes(self) -> tuple[str, ...]:
        return (f"road-{self.road}",)

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        road = stage.roads.named(self.road)
        road.cut(refuse=True)

        async def resume() -> None:
            road.resume()

        struck = await away(stage, dice.choice((1.0, 4.0)), resume)
        # Being away from the API is no reason not to be ready: other pods would fare no better.
        return Struck() if self.road == "api" else struck


@dataclass(frozen=True, slots=True)
class Swallowed:
    """A black hole: everything is taken, nothing arrives, and then all of it at once."""

    road: Road
    weight: float = 1.0
    longest_s: float = 4.0

    @property
    def kind(self) -> str:
        how = "silent for long" if self.longest_s > 10 else "black hole"
        return f"network to {self.road}: {how}"

    @property
    def lanes(self) -> tuple[str, ...]:
        return (f"road-{self.road}",)

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        road = stage.roads.named(self.road)
        road.hold()
        try:
            await lasting(dice.uniform(self.longest_s / 4, self.longest_s))
        finally:
            road.resume()
        return Struck()


@dataclass(frozen=True, slots=True)
class Slow:
    """Everything takes longer, each way."""

    road: Road
    weight: float = 0.7
    by_s: float = 0.15
    for_s: float = 3.0

    @property
    def kind(self) -> str:
        return f"network to {self.road}: slow"

    @property
    def lanes(self) -> tuple[str, ...]:
        return (f"road-{self.road}",)

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        road = stage.roads.named(self.road)
        road.delay_s = self.by_s
        try:
            await lasting(self.for_s)
        finally:
            road.delay_s = 0.0
        return Struck()
