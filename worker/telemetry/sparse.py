"""Thins out lines that repeat: during an outage every request in hand would write the same one."""

import time
from collections.abc import Callable, Hashable

PERIOD_S = 30.0
_MOST_KEYS = 200


class Sparse:
    """Lets one of many equal lines through per period."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._seen: dict[Hashable, tuple[float, int]] = {}

    def times(self, key: Hashable) -> int:
        """Count one more; 0 to keep silent, else how often it came since the last line."""
        now = self._now()
        last, held_back = self._seen.get(key, (-PERIOD_S, 0))
        if key in self._seen and now - last < PERIOD_S:
            self._seen[key] = (last, held_back + 1)
            return 0
        if len(self._seen) >= _MOST_KEYS:
            self._seen.clear()
        self._seen[key] = (now, 0)
        return held_back + 1
