"""The app's bucket in this process."""

from worker.core.admission import NotYet
from worker.core.outcome import Wait
from worker.core.rate_limit import Pace, next_slot


class MemoryAppBucket:
    """Implements the AppBucket port."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._arrival_time = 0.0
        self._schedule = 0.0

    async def take(self, at: float, *, hold_s: float) -> float | NotYet:
        slot, arrival_time = next_slot(self._arrival_time, self._pace, now=at)
        if slot > at + hold_s:
            self._schedule = max(self._schedule, self._arrival_time) + self._pace.interval_s
            return NotYet(self._schedule, Wait.RATE)
        self._arrival_time = arrival_time
        return slot
