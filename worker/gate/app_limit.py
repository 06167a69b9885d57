"""One bucket over all accounts: what the whole app may send, should its plan say so.

It stands behind the gate of the accounts: a call needs a slot of its account and one of the app.
"""

from typing import Protocol

from worker.core.admission import Admission, Closed, Go, NotYet
from worker.core.ask import Ask
from worker.core.outcome import Postponed
from worker.core.request import AccountId
from worker.core.send_result import Refused, Throttled
from worker.ports import Clock, Gate, Ledger

# The app's slot is taken when the account's is near: one that is far off would have all others
# wait as long.
NEAR_S = 0.05
# A slot of the app that is later than this is waited for at the broker.
HOLD_S = 0.5
# A call may leave so much later than its account's slot (see the sender).
IN_TIME_S = 0.01


class AppBucket(Protocol):
    """The bucket, in this process or in Redis."""

    async def take(self, at: float, *, hold_s: float) -> float | NotYet:
        """Reserve the first free slot from `at` on (unix seconds).

        When that is more than `hold_s` after `at` nothing is reserved, and NotYet is a place in
        the schedule of what has to be parked.
        """
        ...


class AppLimited:
    """Implements the Gate port around another one."""

    def __init__(self, gate: Gate, ledger: Ledger, bucket: AppBucket, clock: Clock) -> None:
        self._gate = gate
        self._ledger = ledger
        self._bucket = bucket
        self._clock = clock

    async def admit(self, ask: Ask) -> Admission:
        answer = await self._gate.admit(ask)
        if not isinstance(answer, Go):
            return answer
        going = ask._replace(progress=answer.progress)
        limited = await self._within_limit(going, answer)
        if isinstance(limited, NotYet):
            # It was in our hands already, and no byte has left.
            put_off = Postponed(limited.until, limited.why, answer.progress)
            await self._ledger.conclude(ask.request, put_off, None, is_slot_unused=True)
        elif isinstance(limited, Go):
            return Go(limited.slot, answer.progress)
        return limited

    async def advance(self, ask: Ask) -> Admission:
        answer = await self._gate.advance(ask)
        return await self._within_limit(ask, answer) if isinstance(answer, Go) else answer

    def is_closed(self, account_id: AccountId) -> bool:
        return self._gate.is_closed(account_id)

    async def close(self, ask: Ask, result: Throttled | Refused) -> Closed | NotYet:
        return await self._gate.close(ask, result)

    async def _within_limit(self, ask: Ask, go: Go) -> Admission:
        """Take a slot of the app too; if it comes later, the account's is asked for anew."""
        if go.slot > self._clock.now() + NEAR_S:
            ask.waits()
            await self._clock.sleep_until(go.slot - NEAR_S)
        slot = await self._bucket.take(go.slot, hold_s=HOLD_S)
        if isinstance(slot, NotYet):
            return slot
        if slot <= go.slot + IN_TIME_S:
            return go
        ask.waits()
        await self._clock.sleep_until(slot)
        return await self._gate.advance(ask._replace(is_spent=False))
