"""What happens to worker processes: killed anywhere or at a point, replaced, frozen."""

from dataclasses import dataclass
from random import Random

from tests.chaos.faults.fault import Struck, lasting
from tests.chaos.stage import Stage
from tests.chaos.worker_process import Point

_TRAPPED_WITHIN_S = 8.0
_LONGEST_AWAY_S = 1.5


@dataclass(frozen=True, slots=True)
class KilledAnywhere:
    """SIGKILL at a random moment; started again soon, as Kubernetes would."""

    kind: str = "worker: SIGKILL"
    lanes: tuple[str, ...] = ("worker",)
    weight: float = 3.0

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        number = dice.randrange(len(stage.crew.workers))
        await stage.crew.kill(number)
        await lasting(dice.uniform(0.0, _LONGEST_AWAY_S))
        await stage.crew.start(number)
        return Struck()


@dataclass(frozen=True, slots=True)
class KilledAt:
    """SIGKILL of whichever worker first comes to a point of the path."""

    point: Point
    weight: float = 1.0
    lanes: tuple[str, ...] = ("worker",)

    @property
    def kind(self) -> str:
        return f"worker: SIGKILL {self.point.value.replace('_', ' ')}"

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        number = await stage.crew.fallen(self.point, within_s=_TRAPPED_WITHIN_S)
        if number is None:
            return Struck(happened=False)
        await lasting(dice.uniform(0.0, _LONGEST_AWAY_S))
        await stage.crew.start(number)
        return Struck()


@dataclass(frozen=True, slots=True)
class Rolled:
    """SIGTERM to one worker after the other, each replaced before the next goes."""

    kind: str = "worker: rolling restart"
    lanes: tuple[str, ...] = ("worker",)
    weight: float = 1.0

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        for number in range(len(stage.crew.workers)):
            await stage.crew.stop(number)
            await stage.crew.start(number)
        return Struck()


@dataclass(frozen=True, slots=True)
class Frozen:
    """SIGSTOP for some seconds: it misses slots and heartbeats, and then goes on unaware."""

    kind: str = "worker: frozen"
    lanes: tuple[str, ...] = ("worker",)
    weight: float = 1.0
    longest_s: float = 6.0

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        number = dice.randrange(len(stage.crew.workers))
        await stage.crew.fleet.stall(number, for_s=dice.uniform(0.3, self.longest_s))
        return Struck()
