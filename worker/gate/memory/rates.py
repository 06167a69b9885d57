"""The pace of each account: real calls, and the virtual schedule of what has to be parked."""

from dataclasses import dataclass

from worker.core.account import Account
from worker.core.kind import Bucket
from worker.core.rate_limit import PUBLISHED_LIMITS, Limit, Pace, next_slot
from worker.core.request import AccountId


@dataclass(slots=True)
class _Bucket:
    """Unix seconds: when the next call would be due, and the next parked request."""

    arrival_time: float = 0.0
    schedule: float = 0.0


class Rates:
    """Hands out slots. A bucket nobody used for a while is forgotten: it is as good as new."""

    def __init__(self, *, margin: float) -> None:
        self._margin = margin
        self._buckets: dict[tuple[AccountId, Bucket], _Bucket] = {}
        self._paces: dict[Limit, Pace] = {}
        self._next_sweep = 0.0

    def reserve(
        self, account: Account, bucket: Bucket, *, now: float, latest: float
    ) -> float | None:
        """Take the next slot if it comes no later than `latest`; None leaves all as it was."""
        state = self._state(account, bucket, now)
        slot, arrival_time = next_slot(state.arrival_time, self._pace(account, bucket), now=now)
        if slot > latest:
            return None
        state.arrival_time = arrival_time
        return slot

    def has_backlog(self, account: Account, bucket: Bucket, *, after: float) -> bool:
        """True when parked requests are still due after `after`: newcomers go behind them."""
        state = self._buckets.get((AccountId(account.id), bucket))
        return state is not None and state.schedule > after

    def park(self, account: Account, bucket: Bucket, *, now: float) -> float:
        """Give a parked request its place in the virtual schedule."""
        state = self._state(account, bucket, now)
        state.schedule = (
            max(state.schedule, state.arrival_time, now) + self._pace(account, bucket).interval_s
        )
        return state.schedule

    def _pace(self, account: Account, bucket: Bucket) -> Pace:
        limit = account.limits.get(bucket, PUBLISHED_LIMITS[bucket])
        if limit not in self._paces:
            self._paces[limit] = Pace.within(limit, margin=self._margin)
        return self._paces[limit]

    def _state(self, account: Account, bucket: Bucket, now: float) -> _Bucket:
        if now >= self._next_sweep:
            self._sweep(now)
        return self._buckets.setdefault((AccountId(account.id), bucket), _Bucket())

    def _sweep(self, now: float) -> None:
        self._next_sweep = now + 60.0
        idle = [k for k, b in self._buckets.items() if max(b.arrival_time, b.schedule) < now]
        for key in idle:
            del self._buckets[key]
