"""Accounts, and the app, that may not be called for a while, and why."""

from dataclasses import dataclass

from worker.core.account import Account
from worker.core.secret import Secret
from worker.core.send_result import GraphError, Refused, Throttled

# The account named where the whole app is closed.
APP = ""

# A throttle without the API's own estimate: 5 s, doubling up to 5 min while it goes on. Calls
# made while throttled count too and lengthen the block (Meta, "Rate Limits").
FIRST_COOLDOWN_S = 5.0
LONGEST_COOLDOWN_S = 300.0
# "Retry-After: 0" comes with a refusal all the same.
SHORTEST_COOLDOWN_S = 1.0
# A refused account opens when its token changes; one request asks again after this long, for
# what is mended without a new token (a permission, a setting in the app).
ASK_AGAIN_S = 900.0
# How long the one request that asks may take before another one does.
PROBE_S = 130.0


@dataclass(slots=True)
class Closure:
    """Why an account is closed: `error` is final until `until`, or a cooldown if not `is_final`."""

    until: float
    error: GraphError
    is_final: bool
    token: Secret | None
    strikes: int = 1
    is_probed: bool = False


@dataclass(frozen=True, slots=True)
class Cooling:
    """Closed for a while: look again at `until`."""

    until: float


class Closures:
    """All closures, by account id."""

    def __init__(self) -> None:
        self._closures: dict[str, Closure] = {}

    def verdict(self, account: Account, *, now: float) -> Cooling | GraphError | None:
        """Say whether the account may be called; the first caller after the end is the probe."""
        for name in (APP, account.id):
            verdict = self._verdict(name, account, now)
            if verdict is not None:
                return verdict
        return None

    def throttle(self, name: str, result: Throttled, *, now: float) -> float:
        """Close for as long as the API asks, or by doubling; give the end (unix seconds)."""
        before = self._closures.get(name)
        strikes = before.strikes + 1 if before is not None and not before.is_final else 1
        own_s = min(LONGEST_COOLDOWN_S, FIRST_COOLDOWN_S * 2.0 ** min(strikes - 1, 30))
        asked_s = result.retry_after_s
        until = now + (own_s if asked_s is None else max(SHORTEST_COOLDOWN_S, asked_s))
        if before is not None and not before.is_probed:
            until = max(until, before.until)
        self._closures[name] = Closure(
            until, result.error, is_final=False, token=None, strikes=strikes
        )
        return until

    def refuse(self, account: Account, result: Refused, *, now: float) -> float:
        """Close an account that the API refuses; give when one request may ask again."""
        until = now + ASK_AGAIN_S
        self._closures[account.id] = Closure(
            until, result.error, is_final=True, token=account.token
        )
        return until

    def reopen(self, account_id: str) -> None:
        """A call went through: the account and the app are open."""
        for name in (APP, account_id):
            closure = self._closures.get(name)
            if closure is not None and closure.is_probed:
                del self._closures[name]

    def listed(self, *, now: float) -> dict[str, tuple[float, str]]:
        """Closed accounts with (until, why), for the status page; the app is named "app"."""
        return {
            name or "app": (closure.until, closure.error.meaning)
            for name, closure in self._closures.items()
            if closure.until > now
        }

    def _verdict(self, name: str, account: Account, now: float) -> Cooling | GraphError | None:
        closure = self._closures.get(name)
        if closure is None:
            return None
        if closure.is_final and closure.token != account.token:
            del self._closures[name]
            return None
        if now >= closure.until:
            closure.is_probed = True
            closure.until = now + PROBE_S
            return None
        if closure.is_final and not closure.is_probed:
            return closure.error
        # While one request asks, the others look again soon rather than at the probe's end.
        return Cooling(min(closure.until, now + 2.0) if closure.is_probed else closure.until)
