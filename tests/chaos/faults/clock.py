"""What happens to the clock of one pod: it steps, and later steps back."""

from dataclasses import dataclass
from random import Random

from tests.chaos.faults.fault import Struck, lasting
from tests.chaos.stage import Stage


@dataclass(frozen=True, slots=True)
class ClockStepped:
    """One worker's clock is wrong for some seconds, ahead or behind."""

    kind: str = "clock: one pod steps"
    # A worker that is replaced meanwhile would have a right clock and no harm done.
    lanes: tuple[str, ...] = ("worker",)
    weight: float = 1.5
    for_s: float = 3.0

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        number = dice.randrange(len(stage.crew.workers))
        wrong_by_s = dice.choice((-120.0, -10.0, -1.0, 1.0, 10.0, 120.0))
        stage.crew.set_clock(number, wrong_by_s=wrong_by_s)
        try:
            await lasting(self.for_s)
        finally:
            stage.crew.set_clock(number, wrong_by_s=0.0)
        return Struck()
