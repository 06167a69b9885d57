"""Accounts, and the app, that may not be called for a while, and why."""

from dataclasses import dataclass

from worker.core.account import Account
from worker.core.admission import Closed
from worker.core.closure import ASK_AGAIN_S, CLOSED, PROBE_S, cooldown_s
from worker.core.secret import Secret
from worker.core.send_result import GraphError, Refused, Throttled
from worker.gate.memory.outage import Outage

Key = tuple[str, str]

# The account named where the whole app is closed.
APP = ""


@dataclass(slots=True)
class Closure:
    """Why an account is closed: for good when `is_final`, else a cooldown.

    `until` is when one request may ask again; while it asks, when the next one may. `asker` is
    the request that asks just now. `cools_until` is the end of a cooldown that a refusal found.
    """

    since: float
    until: float
    error: GraphError
    is_final: bool
    token: Secret | None
    strikes: int = 1
    asker: Key | None = None
    cools_until: float = 0.0

    @property
    def is_probed(self) -> bool:
        return self.asker is not None


@dataclass(frozen=True, slots=True)
class Cooling:
    """Closed until `until`, or until the one request that asks has its answer."""

    until: float
    is_probed: bool


class Closures:
    """All closures, by account id."""

    def __init__(self) -> None:
        self._closures: dict[str, Closure] = {}
        self._outage = Outage()

    def verdict(self, account: Account, key: Key, *, now: float) -> Cooling | Closed | None:
        """Say whether request `key` may go by the account, be it to ask whether it is open."""
        for name in (APP, account.id):
            verdict = self._verdict(name, account, key, now)
            if verdict is not None:
                return verdict
        return None

    def granted(self, account_id: str, key: Key, *, now: float) -> None:
        """Note that a request has a slot: the first one after the end is the one that asks."""
        for name in (APP, account_id):
            closure = self._closures.get(name)
            if closure is not None and closure.asker != key:
                closure.asker, closure.until = key, now + PROBE_S

    def gave_up(self, account_id: str, key: Key, *, now: float) -> None:
        """The pass of a request is over: if it asked and got no answer, the next one may ask."""
        for name in (APP, account_id):
            closure = self._closures.get(name)
            if closure is not None and closure.asker == key:
                closure.asker, closure.until = None, now

    def throttle(self, name: str, result: Throttled, *, now: float) -> float:
        """Close for as long as the API asks, or by doubling; give the end (unix seconds)."""
        return self._cool(name, result.error, result.retry_after_s, now=now)

    def refuse(self, account: Account, result: Refused, *, now: float) -> Cooling | Closed:
        """Close an account that the API refuses, or the app if it refuses everybody."""
        error = result.error
        kind = (error.code, error.subcode)
        if self._outage.is_one(kind, account.id, now=now):
            until = self._cool(APP, error, None, now=now)
            self._forget_victims(kind)
            return Cooling(until, is_probed=False)
        before = self._closures.get(account.id)
        self._closures[account.id] = Closure(
            now,
            now + ASK_AGAIN_S,
            error,
            is_final=True,
            token=account.token,
            cools_until=0.0 if before is None else _end_of_cooldown(before),
        )
        return Closed(error)

    def reopen(self, account_id: str, key: Key, *, now: float) -> None:
        """A call of request `key` went through: if it was the one that asks, all is open."""
        self._outage.went_well(account_id, now=now)
        for name in (APP, account_id):
            closure = self._closures.get(name)
            # Others were under way when it closed: their success says nothing.
            if closure is not None and closure.asker == key:
                del self._closures[name]
                if name == APP:
                    self._outage.is_over()

    def is_closed(self, account_id: str, *, now: float) -> bool:
        """Whether nobody may call, not even to ask."""
        for name in (APP, account_id):
            closure = self._closures.get(name)
            if closure is not None and closure.until > now and not closure.is_probed:
                return True
        return False

    def of(self, account_id: str) -> Closure | None:
        """Give what closes the account, or the app."""
        return self._closures.get(APP) or self._closures.get(account_id)

    def listed(self, *, now: float) -> dict[str, tuple[float, str]]:
        """Closed accounts with (until, why), for the status page; the app is named "app"."""
        return {
            name or "app": (closure.until, closure.error.meaning)
            for name, closure in self._closures.items()
            if closure.until > now
        }

    def counted(self, *, now: float) -> dict[str, int]:
        """Count the closures by why (CLOSED)."""
        counts = dict.fromkeys(CLOSED, 0)
        for name, closure in self._closures.items():
            if name == APP:
                counts["app"] = 1
            elif closure.is_final:
                counts["refused"] += 1
            elif closure.until > now:
                counts["throttled"] += 1
        return counts

    def _cool(self, name: str, error: GraphError, asked_s: float | None, *, now: float) -> float:
        before = self._closures.get(name)
        if before is not None and before.is_final and not before.is_probed:
            # A call that was under way: the account is refused all the same.
            before.cools_until = max(before.cools_until, now + cooldown_s(asked_s, 1))
            return before.cools_until
        strikes = 1
        if before is not None and not before.is_final:
            # Calls that were under way when it closed say nothing new.
            is_again = before.is_probed or before.until <= now
            strikes = before.strikes + 1 if is_again else before.strikes
        until = now + cooldown_s(asked_s, strikes)
        if before is not None and not before.is_probed:
            until = max(until, before.until)
        self._closures[name] = Closure(
            now, until, error, is_final=False, token=None, strikes=strikes
        )
        return until

    def _verdict(
        self, name: str, account: Account, key: Key, now: float
    ) -> Cooling | Closed | None:
        closure = self._closures.get(name)
        if closure is None:
            return None
        if closure.is_final and closure.token != account.token:
            del self._closures[name]
            if closure.cools_until <= now:
                return None
            # A new token mends a refusal, and no throttle.
            until = closure.cools_until
            closure = Closure(now, until, closure.error, is_final=False, token=None)
            self._closures[name] = closure
        if now >= closure.until or closure.asker == key:
            return None
        if closure.is_final and not closure.is_probed:
            return Closed(closure.error)
        return Cooling(closure.until, closure.is_probed)

    def _forget_victims(self, kind: tuple[int | None, int | None]) -> None:
        """Open the accounts that were closed before it was clear that all are refused."""
        victims = [
            name
            for name, closure in self._closures.items()
            if closure.is_final and (closure.error.code, closure.error.subcode) == kind
        ]
        for name in victims:
            del self._closures[name]


def _end_of_cooldown(closure: Closure) -> float:
    """Say until when there is, or was, a cooldown: a new token does not end it."""
    if closure.is_final:
        return closure.cools_until
    return 0.0 if closure.is_probed else closure.until
