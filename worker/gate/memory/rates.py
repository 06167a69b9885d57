"""The pace of each account: real calls, and the virtual schedule of what has to be parked."""

from dataclasses import dataclass, replace

from worker.core.account import Account
from worker.core.delivery import Lane
from worker.core.kind import Bucket
from worker.core.rate_limit import PUBLISHED_LIMITS, Limit, Pace, next_slot
from worker.gate.patience import HOLD_S
from worker.gate.rules import SHARE_AHEAD_S

# A flood must not fill the prefetch window with requests that wait for their slot: what has not
# been parked yet waits in hand only this long.
NEWCOMER_HOLD_S = 0.25
# Bulk takes real slots only when they are this near, so that an interactive request is never
# behind more of its own account's bulk than that.
BULK_AHEAD_S = 0.1
# A bucket that nobody used for so long although there is a backlog: those parked are stuck behind
# the flood's rest in the intake queue. Newcomers may go meanwhile, or the limit would lie idle.
IDLE_S = 1.0
# What returns later than this has missed its place in the schedule; others have theirs now.
LATE_S = 1.5


@dataclass(slots=True)
class Window:
    """One bucket of one account, in unix seconds.

    `arrival_time` is when the next call would be due, `bulk_time` the same among the bulk that
    waits in hand; `schedule` and `bulk_schedule` are when the last parked one of a lane is due.
    `share_time` is when the next call of bulk would be due by the account's share; 0 without one.
    """

    arrival_time: float = 0.0
    bulk_time: float = 0.0
    schedule: float = 0.0
    bulk_schedule: float = 0.0
    share_time: float = 0.0
    is_open_to_newcomers: bool = False

    @property
    def end(self) -> float:
        parked = max(self.schedule, self.bulk_schedule)
        return max(self.arrival_time, self.bulk_time, self.share_time, parked)


@dataclass(frozen=True, slots=True)
class Grant:
    """A slot, and what it takes to give it back: the bucket's arrival time before and after.

    `share_time_before` is that of the account's share, for what only has a share.
    """

    slot: float
    account_id: str
    bucket: Bucket
    arrival_time_before: float
    arrival_time: float
    share_time_before: float | None = None


class Rates:
    """Hands out slots. A bucket nobody used for a while is forgotten: it is as good as new."""

    def __init__(self, *, margin: float) -> None:
        self._margin = margin
        self._windows: dict[tuple[str, Bucket], Window] = {}
        self._paces: dict[tuple[Limit, float], Pace] = {}
        self._next_sweep = 0.0

    def reserve(
        self, account: Account, bucket: Bucket, *, now: float, latest: float
    ) -> Grant | None:
        """Take the next slot if it comes no later than `latest`; None leaves all as it was."""
        window = self._window(account, bucket, now)
        slot, arrival_time = next_slot(window.arrival_time, self.pace(account, bucket), now=now)
        if slot > latest:
            return None
        grant = Grant(slot, account.id, bucket, window.arrival_time, arrival_time)
        window.arrival_time = arrival_time
        return grant

    def reserve_share(
        self, account: Account, bucket: Bucket, *, now: float, latest: float
    ) -> Grant | None:
        """Take the next slot of what may only have the account's share of the bucket."""
        window, share = (
            self._window(account, bucket, now),
            self._lane_pace(account, bucket, is_bulk=True),
        )
        soonest, _ = next_slot(window.arrival_time, self.pace(account, bucket), now=now)
        due, _ = next_slot(window.share_time, share, now=now)
        if due > soonest + SHARE_AHEAD_S:
            return None
        grant = self.reserve(account, bucket, now=max(now, due), latest=latest)
        if grant is None:
            return None
        before = window.share_time
        _, window.share_time = next_slot(before, share, now=grant.slot)
        return replace(grant, share_time_before=before)

    def share_turn(
        self, account: Account, bucket: Bucket, *, now: float, latest: float
    ) -> float | None:
        """Say when one that has begun may have its share of the bucket; None if not by `latest`."""
        window = self._window(account, bucket, now)
        due, _ = next_slot(
            window.share_time, self._lane_pace(account, bucket, is_bulk=True), now=now
        )
        return due if now < due <= latest else None

    def give_back(self, grant: Grant) -> None:
        """Undo the last reservation; one that others have followed is lost."""
        window = self._windows.get((grant.account_id, grant.bucket))
        if window is not None and window.arrival_time == grant.arrival_time:
            window.arrival_time = grant.arrival_time_before
            if grant.share_time_before is not None:
                window.share_time = grant.share_time_before

    def is_bulk_waiting(self, account: Account, bucket: Bucket, *, now: float) -> bool:
        """Whether other bulk requests of the account wait in hand for their slot."""
        return self._window(account, bucket, now).bulk_time > now

    def bulk_turn(
        self, account: Account, bucket: Bucket, *, now: float, latest: float
    ) -> float | None:
        """Say when a bulk request that waits in hand should ask again; None if not by `latest`."""
        window = self._window(account, bucket, now)
        pace = self._lane_pace(account, bucket, is_bulk=True)
        shared_at, _ = next_slot(window.share_time, pace, now=now)
        at = max(shared_at, window.bulk_time, window.arrival_time - BULK_AHEAD_S)
        if at > latest:
            return None
        window.bulk_time = at + pace.interval_s
        return at

    def may_enter(self, account: Account, bucket: Bucket, lane: Lane, *, now: float) -> bool:
        """Whether a newcomer may ask for a slot, or has to queue behind those that are parked."""
        if not self.has_backlog(account, bucket, lane, now=now):
            return True
        window = self._window(account, bucket, now)
        last = window.arrival_time
        if lane is Lane.BULK:
            last = max(last, window.share_time)
        if now > last + IDLE_S:
            window.is_open_to_newcomers = True
        return window.is_open_to_newcomers

    def came_back(self, account: Account, bucket: Bucket, *, now: float) -> None:
        """Note that a parked request got its slot: newcomers queue behind the others again."""
        self._window(account, bucket, now).is_open_to_newcomers = False

    def has_backlog(self, account: Account, bucket: Bucket, lane: Lane, *, now: float) -> bool:
        """True when parked requests are due later than in a moment: newcomers go behind them."""
        window = self._windows.get((account.id, bucket))
        if window is None:
            return False
        ends = [window.schedule]
        if lane is Lane.BULK:
            ends.append(window.bulk_schedule)
        return max(ends) > now + HOLD_S

    def park(
        self, account: Account, bucket: Bucket, lane: Lane, *, now: float, opens_at: float = 0.0
    ) -> float:
        """Give a parked request its place in the virtual schedule, not before `opens_at`."""
        window = self._window(account, bucket, now)
        start = max(window.schedule, window.arrival_time, now, opens_at)
        if lane is Lane.BULK:
            start = max(start, window.bulk_schedule, window.share_time)
        due = start + self._lane_pace(account, bucket, is_bulk=lane is Lane.BULK).interval_s
        if lane is Lane.BULK:
            window.bulk_schedule = due
        else:
            window.schedule = due
        return due

    def pace(self, account: Account, bucket: Bucket) -> Pace:
        """Give the account's pace, as its limit is now."""
        return self._lane_pace(account, bucket, is_bulk=False)

    def _lane_pace(self, account: Account, bucket: Bucket, *, is_bulk: bool) -> Pace:
        limit = account.limits.get(bucket, PUBLISHED_LIMITS[bucket])
        share = account.bulk_share if is_bulk else 1.0
        pace = self._paces.get((limit, share))
        if pace is None:
            pace = Pace.within(limit, margin=self._margin, share=share)
            self._paces[limit, share] = pace
        return pace

    def windows(self, account_id: str) -> dict[Bucket, Window]:
        """Give the buckets in use of one account."""
        return {bucket: w for (owner, bucket), w in self._windows.items() if owner == account_id}

    def _window(self, account: Account, bucket: Bucket, now: float) -> Window:
        if now >= self._next_sweep:
            self._sweep(now)
        return self._windows.setdefault((account.id, bucket), Window())

    def _sweep(self, now: float) -> None:
        self._next_sweep = now + 60.0
        idle = [key for key, window in self._windows.items() if window.end < now]
        for key in idle:
            del self._windows[key]
