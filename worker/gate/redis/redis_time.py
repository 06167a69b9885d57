"""Redis's clock, as this process sees it: slots are in its time, sleeping is in ours."""

from worker.ports import Clock

# A reply that took this much longer than the quickest says that a clock was set.
STEP_S = 0.25
SAMPLES_OF_A_STEP = 3


class RedisTime:
    """Keeps the smallest difference seen: of the quickest reply, so the truest one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead_s: float | None = None
        self._late = 0

    def note(self, moment: float) -> None:
        """Take the time of a reply that has just come."""
        ahead_s = self._clock.now() - moment
        if self._ahead_s is None or ahead_s < self._ahead_s:
            self._ahead_s, self._late = ahead_s, 0
        elif ahead_s > self._ahead_s + STEP_S:
            self._late += 1
            if self._late >= SAMPLES_OF_A_STEP:
                self._ahead_s, self._late = ahead_s, 0
        else:
            self._late = 0
            # Clocks drift apart by some ten microseconds a second.
            self._ahead_s += min(ahead_s - self._ahead_s, 1e-6)

    def here(self, moment: float) -> float:
        """Turn a moment of Redis into one of this process."""
        return moment + (self._ahead_s or 0.0)

    def there(self, moment: float) -> float:
        """Turn a moment of this process into one of Redis."""
        return moment - (self._ahead_s or 0.0)
