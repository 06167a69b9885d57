"""Paces work that nobody waits for, so that it takes only what the work of others leaves over."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from worker.ports import Clock

# A turn that takes longer than this is in somebody's way: the shortest seen, twice, and a little.
_SLOWER = 2.0
_A_LITTLE_S = 0.002
# The shortest turn is forgotten slowly: a broker may get slower for good.
_FORGET = 1.002
_MORE, _LESS = 1.25, 0.9
_SHORTEST_S, _LONGEST_S = 0.000_2, 0.040


class Pace:
    """Spaces turns the further, the longer each takes compared with the quickest.

    The time of a turn goes through this event loop, the network and the broker: whichever of them
    is busy, the turns become fewer, down to one every 40 ms.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._interval_s = 0.0
        self._quickest_s = float("inf")
        self._next_at = 0.0

    @property
    def interval_s(self) -> float:
        """Seconds between the beginnings of two turns now."""
        return self._interval_s

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the next turn, and take as long as the block does."""
        now = self._clock.now()
        begins_at = max(now, self._next_at)
        self._next_at = begins_at + self._interval_s
        if begins_at > now:
            await self._clock.sleep_until(begins_at)
        begun_at = self._clock.now()
        yield
        self._learn(max(0.0, self._clock.now() - begun_at))

    def _learn(self, took_s: float) -> None:
        self._quickest_s = min(took_s, self._quickest_s * _FORGET)
        if took_s > self._quickest_s * _SLOWER + _A_LITTLE_S:
            self._interval_s = min(_LONGEST_S, max(_SHORTEST_S, self._interval_s * _MORE))
        else:
            shorter_s = self._interval_s * _LESS
            self._interval_s = shorter_s if shorter_s > _SHORTEST_S else 0.0
