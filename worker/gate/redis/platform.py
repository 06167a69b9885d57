"""What holds for the whole app: its request limit, and outages that refuse every account."""

import json
from dataclasses import dataclass, replace
from typing import Any

from worker.core.closure import OUTAGE_ACCOUNTS, OUTAGE_WITHIN_S, PROBE_S, cooldown_s
from worker.core.send_result import GraphError
from worker.gate.redis.codec import pack_error, unpack_error
from worker.gate.redis.scripts import PLATFORM
from worker.gate.redis.store import Store

# Strikes after which the cooldown does not grow any more.
MOST_STRIKES = 8


@dataclass(frozen=True, slots=True)
class PlatformState:
    """Times in unix seconds of Redis. `until` is 0 when the app is open."""

    until: float = 0.0
    is_probed: bool = False
    outage_kind: str = ""
    outage_since: float = 0.0
    error: GraphError | None = None

    @property
    def is_closed(self) -> bool:
        return self.until > 0


class Platform:
    """A cached view of the app's state; `refresh` it several times a second."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        # A hash slot of its own: the app is in none of the accounts' slots.
        self._keys = [f"{prefix}:{{app}}:state", f"{prefix}:{{app}}:refused:"]
        self._good: dict[str, float] = {}
        self.state = PlatformState()
        self.is_known = False

    async def refresh(self) -> None:
        await self._call("look")

    async def ask(self, asker: str) -> PlatformState:
        """Whoever asks first after the end of a closure finds it open, and has to try.

        Or else it must `give_up`, for nobody else may ask meanwhile.
        """
        is_probe = await self._call("ask", asker=asker, probe_s=PROBE_S)
        return replace(self.state, until=0.0) if is_probe else self.state

    async def give_up(self, asker: str) -> None:
        """Let another one ask, if it was this one that did."""
        await self._call("give up", asker=asker)

    async def throttle(self, error: GraphError, asked_s: float | None) -> PlatformState:
        await self._call("throttle", error=pack_error(error), cooldowns=cooldowns_s(asked_s))
        return self.state

    async def refused(self, account_id: str, error: GraphError, *, now: float) -> PlatformState:
        """Note a refusal; the state is closed if all accounts seem to get it."""
        self._good.pop(account_id, None)
        good = sum(moment > now - OUTAGE_WITHIN_S for moment in self._good.values())
        await self._call(
            "refused",
            kind=f"{error.code}/{error.subcode}",
            account=account_id,
            error=pack_error(error),
            cooldowns=cooldowns_s(None),
            within_s=OUTAGE_WITHIN_S,
            outage_accounts=OUTAGE_ACCOUNTS,
            good_accounts=good,
        )
        return self.state

    def note_good(self, account_id: str, *, now: float) -> None:
        """Note an accepted call: no outage for all accounts, then."""
        self._good.pop(account_id, None)
        self._good[account_id] = now
        oldest = next(iter(self._good))
        if self._good[oldest] < now - OUTAGE_WITHIN_S:
            del self._good[oldest]

    async def reopen(self, asker: str) -> None:
        """If it was this one that asked, and its call was accepted, the app is open again."""
        await self._call("reopen", asker=asker)

    async def _call(self, what: str, **ask: Any) -> bool:
        """Say whether the caller is the one that has to try."""
        answer = await self._store.call(PLATFORM, self._keys, [json.dumps({"what": what, **ask})])
        self.is_known = True
        is_probe, until, is_probed, kind, since, error = answer
        self.state = PlatformState(
            until=float(until),
            is_probed=is_probed == b"1",
            outage_kind=kind.decode(),
            outage_since=float(since),
            error=unpack_error(error) if error else None,
        )
        return bool(is_probe == b"1")


def cooldowns_s(asked_s: float | None) -> list[float]:
    """Say how long to stay closed after one, two, … throttles in a row."""
    return [cooldown_s(asked_s, strikes) for strikes in range(1, MOST_STRIKES + 1)]
