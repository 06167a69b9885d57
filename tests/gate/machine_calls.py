"""What the API sees: every call, and whether it should have been made."""

from collections import defaultdict, deque
from dataclasses import dataclass, field

from worker.core.account import Account
from worker.core.closure import ASK_AGAIN_S, PROBE_S, cooldown_s
from worker.core.kind import Bucket
from worker.core.rate_limit import PUBLISHED_LIMITS
from worker.core.request import OnUnknown, SendRequest
from worker.core.send_result import Sent, Unknown

Key = tuple[str, str]
# The name under which the whole app is closed.
APP = "app"
# Until the news of a closed account has reached calls that were about to leave; the app is looked
# at now and then.
_ACCOUNT_NEWS_S, _APP_NEWS_S = 0.015, 0.3
# How long a request may still have the account's old token in hand. If it asks the gate for its
# next slot with it, an account that is refused with its new token is opened by that.
_OLD_TOKEN_S = 200.0


@dataclass(slots=True, eq=False)
class Closing:
    """A cooldown: when it was made, and between which moments it ends."""

    made_at: float
    ends_from: float = 0.0
    ends_by: float = 0.0
    strikes: int = 0
    needs_asking: bool = True
    asking: set[Key] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a worker may do by the gate's word: make one call at `slot`."""

    request: SendRequest
    account: Account
    worker: str
    at: float
    slot: float
    deadline: float | None


class Calls:
    """Judges calls as they begin; what is wrong goes to `faults`."""

    def __init__(self, faults: list[str]) -> None:
        self._faults = faults
        self._times: dict[tuple[str, Bucket], deque[float]] = defaultdict(deque)
        self._under_way: dict[Key, SendRequest] = {}
        # Parts that were called for and whose result was not "certainly not sent".
        self.unresolved: set[tuple[Key, int]] = set()
        self.closings: dict[str, Closing] = {}
        # Accounts that the API refused with the token they have now, and when.
        self._refused: dict[str, float] = {}
        self._new_token_at: dict[str, float] = {}

    def begin(self, grant: Grant, part: int, *, now: float, is_heard: bool = True) -> None:
        """A call begins; unless it `is_heard`, the API never hears of it."""
        request = grant.request
        if is_heard:
            # The disclosure, if there is one, has number -1 and is the first of the parts.
            bucket = request.parts[part + (request.disclosure is not None)].bucket
            self._window(grant.account, bucket, now)
            self._closed(grant, now)
        for other in self._under_way.values():
            if other.conversation == request.conversation:
                self._faults.append(f"{request.key} calls while {other.key} does")
        if (request.key, part) in self.unresolved and request.on_unknown is not OnUnknown.RESEND:
            self._faults.append(f"part {part} of {request.key} may be sent a second time")
        if grant.deadline is not None and now > grant.deadline + 0.02:
            self._faults.append(f"{request.key} called {now - grant.deadline:.3f} s too late")
        self._under_way[request.key] = request
        self.unresolved.add((request.key, part))

    def grant(self, grant: Grant, *, now: float) -> None:
        """Look at a grant as it is given: nobody is told to go while everybody is told to wait."""
        for name in (APP, grant.account.id):
            closing = self.closings.get(name)
            if closing is not None and _has_news(name, closing) < now < closing.ends_from - 0.002:
                self._faults.append(f"{grant.request.key} is granted though {name} is closed")

    def end(self, grant: Grant, part: int, result: object) -> None:
        """Note what came of it; a worker that died learns nothing."""
        key = grant.request.key
        self._under_way.pop(key, None)
        if not isinstance(result, Sent | Unknown):
            self.unresolved.discard((key, part))
        if isinstance(result, Sent):
            self._went_well(grant)
        for closing in self.closings.values():
            closing.asking.discard(key)

    def lost(self, key: Key) -> None:
        """The worker that made the call is no more."""
        self._under_way.pop(key, None)
        for closing in self.closings.values():
            closing.asking.discard(key)

    def worker_died(self, *, now: float) -> None:
        """Perhaps it was about to ask whether an account is open: others wait for its answer."""
        for closing in self.closings.values():
            closing.ends_by = max(closing.ends_by, now + PROBE_S)

    def _went_well(self, grant: Grant) -> None:
        """The first success of a call made after the end of a cooldown ends it for good."""
        for name in (APP, grant.account.id):
            closing = self.closings.get(name)
            if closing is not None and grant.request.key in closing.asking:
                del self.closings[name]

    def throttled(self, name: str, asked_s: float | None, *, now: float) -> None:
        closing = self.closings.setdefault(name, Closing(now))
        closing.made_at = now
        closing.asking.clear()
        closing.strikes += 1
        closing.ends_from = max(closing.ends_from, now + cooldown_s(asked_s, 1))
        closing.ends_by = max(closing.ends_by, now + cooldown_s(asked_s, closing.strikes))

    def refused(self, account: Account, *, now: float) -> None:
        if now > self._new_token_at.get(account.id, 0.0) + _OLD_TOKEN_S:
            self._refused[account.id] = now
        closing = self.closings.get(account.id)
        if closing is not None:
            # Once it has a new token and the cooldown is over, it is open without being asked.
            closing.needs_asking = False

    def token_changed(self, account_id: str, *, now: float) -> None:
        """What was refused is the old token; old grants that still call with it do no harm."""
        self._refused.pop(account_id, None)
        self._new_token_at[account_id] = now

    def is_cooling(self, account_id: str, *, now: float) -> bool:
        """Whether it may be that nobody may call."""
        closings = (self.closings.get(name) for name in (APP, account_id))
        return any(closing is not None and now <= closing.ends_by + 0.5 for closing in closings)

    def _window(self, account: Account, bucket: Bucket, now: float) -> None:
        limit = account.limits.get(bucket, PUBLISHED_LIMITS[bucket])
        times = self._times[account.id, bucket]
        times.append(now)
        while times[0] < now - limit.period_s:
            times.popleft()
        if len(times) > limit.calls:
            self._faults.append(f"{len(times)} calls of {account.id} {bucket} within {limit}")

    def _closed(self, grant: Grant, now: float) -> None:
        refused_at = self._refused.get(grant.account.id)
        if (
            refused_at is not None
            and refused_at + _ACCOUNT_NEWS_S < now < refused_at + ASK_AGAIN_S - 0.01
        ):
            self._faults.append(f"{grant.request.key} calls though its account is refused")
        for name in (APP, grant.account.id):
            closing = self.closings.get(name)
            if closing is None:
                continue
            if now < closing.ends_from - 0.002:
                if now > _has_news(name, closing):
                    self._faults.append(f"{grant.request.key} calls though {name} is closed")
                continue
            others = closing.asking - {grant.request.key}
            if not closing.needs_asking:
                del self.closings[name]
                continue
            if grant.at <= _has_news(name, closing):
                # What was granted up to two seconds before a short closing may still go after it.
                continue
            if others:
                self._faults.append(f"{grant.request.key} asks about {name} while {others} do")
            closing.asking.add(grant.request.key)


def _has_news(name: str, closing: Closing) -> float:
    """Say by when everybody knows of it."""
    return closing.made_at + (_APP_NEWS_S if name == APP else _ACCOUNT_NEWS_S)
