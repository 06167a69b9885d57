"""Which faults strike in which order: the same for the same seed. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

# How often a fault strikes while the one before is still under way.
COMBINED = 0.75
_LONGEST_LAG_S = 1.0


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault. `dice` seeds its own choices.

    A combined one strikes `after_s` after the start of the one before; the others wait until all
    before are over and have been recovered from, and `after_s` more.
    """

    number: int
    kind: str
    is_combined: bool
    after_s: float
    dice: int

    def __str__(self) -> str:
        how = "beside the last" if self.is_combined else "alone"
        return f"{self.number:4d}  {self.kind:32s} {how}, after {self.after_s:.2f} s"


def schedule(seed: int, count: int, weights: Mapping[str, float]) -> Sequence[Planned]:
    """Draw `count` faults: each kind once as far as they reach, then by weight, shuffled."""
    random = Random(seed)
    kinds = list(weights)
    random.shuffle(kinds)
    chosen = kinds[:count]
    chosen += random.choices(list(weights), list(weights.values()), k=count - len(chosen))
    random.shuffle(chosen)
    return [
        Planned(
            number,
            kind,
            is_combined=number > 1 and random.random() < COMBINED,
            after_s=random.uniform(0.0, _LONGEST_LAG_S),
            dice=random.getrandbits(32),
        )
        for number, kind in enumerate(chosen, 1)
    ]
