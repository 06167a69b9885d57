"""Rate limits as GCRA: one number per bucket, the theoretical arrival time of the next call."""

import re
from dataclasses import dataclass

from worker.core.kind import Bucket

_PERIODS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPELLING = re.compile(r"([0-9]{1,7})/([smhd])")
_SMALLEST_MARGIN = 0.001


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` in any `period_s` seconds."""

    calls: int
    period_s: float

    def __str__(self) -> str:
        for unit, length_s in _PERIODS_S.items():
            if length_s == self.period_s:
                return f"{self.calls}/{unit}"
        return f"{self.calls}/{self.period_s:g} s"


# Meta's "Messaging Rate Limits" for the Instagram Platform, per account and app.
PUBLISHED_LIMITS = {
    Bucket.TEXT: Limit(100, 1.0),
    Bucket.MEDIA: Limit(10, 1.0),
    Bucket.PRIVATE_REPLY: Limit(750, 3600.0),
    Bucket.LIVE_REPLY: Limit(100, 1.0),
    Bucket.CONVERSATIONS: Limit(2, 1.0),
}


def parse_limit(text: str) -> Limit:
    """Read `100/s`, `750/h`, …; raises ValueError with a sentence that shows the form."""
    match = _SPELLING.fullmatch(text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError(
            f"{text!r} is not a limit; write calls per second, minute, hour or day, like 100/s"
        )
    return Limit(int(match[1]), _PERIODS_S[match[2]])


@dataclass(frozen=True, slots=True)
class Pace:
    """A limit made safe: calls `interval_s` apart after a burst of `burst` calls.

    `burst` calls at once followed by a steady pace never exceed the limit in any sliding
    window, both its ends included: burst + floor(period / interval) <= calls.
    """

    interval_s: float
    burst: int

    @classmethod
    def within(cls, limit: Limit, *, margin: float, share: float = 1.0) -> "Pace":
        """Pace calls below `limit` by `margin` (0.03 = 3 %), with a burst of about 2 %.

        With a `share` of it (0.5 = half) only so many, rounded up to a whole call per window.
        """
        # Below the limit even without a margin: exactly at it, the first and the last call of a
        # window would both count, and unix seconds are only exact to a quarter of a microsecond.
        calls = limit.calls * share * (1 - max(margin, _SMALLEST_MARGIN))
        burst = max(1, int(calls * 0.02))
        return cls(interval_s=limit.period_s / (calls - burst + 1), burst=burst)


def next_slot(arrival_time: float, pace: Pace, *, now: float) -> tuple[float, float]:
    """Reserve the next call: (when it may go, the bucket's new arrival time), unix seconds.

    `arrival_time` is what the last reservation returned, 0 for an unused bucket.
    """
    tolerance_s = (pace.burst - 1) * pace.interval_s
    slot = max(now, arrival_time - tolerance_s)
    return slot, max(arrival_time, slot) + pace.interval_s
