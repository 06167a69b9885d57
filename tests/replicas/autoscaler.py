"""The arithmetic of a HorizontalPodAutoscaler, and of KEDA on top of it: how many there should be.

desired = ceil(sum of the metric / target), with a tolerance around the target; up at once, down by
one at a time and no further than the most that was wanted within the stabilization window.
"""

from dataclasses import dataclass, field
from math import ceil

# A HorizontalPodAutoscaler does nothing about smaller deviations.
TOLERANCE = 0.1


@dataclass(slots=True)
class Autoscaler:
    """Told the metric in the order of time (seconds from any origin)."""

    target: float
    most: int
    stabilization_s: float
    least: int = 1
    _wanted: list[tuple[float, int]] = field(default_factory=list)

    def decide(self, metric: float, *, current: int, now: float) -> int:
        """Say how many there should be after this look."""
        is_near = abs(metric / (self.target * current) - 1) <= TOLERANCE
        wanted = current if is_near else ceil(metric / self.target)
        wanted = min(self.most, max(self.least, wanted))
        self._wanted = [each for each in self._wanted if each[0] > now - self.stabilization_s]
        self._wanted.append((now, wanted))
        if wanted >= current:
            return wanted
        return max(current - 1, min(current, max(each for _, each in self._wanted)))
