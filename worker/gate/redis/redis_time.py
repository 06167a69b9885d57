"""Redis's clock, as this process sees it: slots are in its time, sleeping is in ours."""

from worker.ports import Clock

# How much the newest reply counts in the average.
NEWEST = 0.2
# Two clocks drift apart by some ten microseconds a second; more would be a bad clock.
DRIFT = 5e-5


class RedisTime:
    """Keeps between which bounds our clock is ahead of Redis's.

    Redis told its time after the call was made and before the reply came. Every call narrows the
    bounds; a slow one just does not, and only a clock that was set contradicts them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._least_s: float | None = None
        self._most_s = 0.0
        self._noted_at = 0.0
        self._round_trip_s = 0.0

    def note(self, moment: float, *, asked_at: float) -> None:
        """Take the time from a reply that has just come to a call made at `asked_at` (ours)."""
        now = self._clock.now()
        self._round_trip_s += NEWEST * (now - asked_at - self._round_trip_s)
        least_s, most_s = asked_at - moment, now - moment
        if self._least_s is None:
            self._least_s, self._most_s = least_s, most_s
        else:
            drift_s = abs(now - self._noted_at) * DRIFT
            known_least_s, known_most_s = self._least_s - drift_s, self._most_s + drift_s
            if least_s > known_most_s or most_s < known_least_s:
                self._least_s, self._most_s = least_s, most_s
            else:
                self._least_s = max(least_s, known_least_s)
                self._most_s = min(most_s, known_most_s)
        self._noted_at = now

    @property
    def reply_s(self) -> float:
        """How long an answer is on its way these days: a slot that is sooner comes too late."""
        return max(0.0, self._round_trip_s / 2)

    @property
    def is_known(self) -> bool:
        return self._least_s is not None

    def here(self, moment: float) -> float:
        """Turn a moment of Redis into one of this process."""
        return moment + self._ahead_s

    def there(self, moment: float) -> float:
        """Turn a moment of this process into one of Redis."""
        return moment - self._ahead_s

    @property
    def _ahead_s(self) -> float:
        return 0.0 if self._least_s is None else (self._least_s + self._most_s) / 2
