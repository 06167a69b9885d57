"""The memory gate: one decision per request, from ledger, closures, turns and rates."""

from dataclasses import replace

from worker.core.account import Account
from worker.core.admission import (
    Admission,
    Closed,
    Concluded,
    Doubtful,
    Go,
    NotYet,
    Reused,
    TooLate,
)
from worker.core.outcome import (
    Completed,
    Dead,
    Duplicate,
    HandedBack,
    Outcome,
    Postponed,
    Retrying,
    Wait,
)
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.request import SendRequest
from worker.core.send_result import GraphError, Refused, Scope, Throttled
from worker.gate.memory.closures import APP, Closures, Cooling
from worker.gate.memory.ledger import Ended, Ledger
from worker.gate.memory.rates import Rates
from worker.gate.memory.turns import Turns
from worker.ports import Clock

# What is due sooner is waited for in hand; everything later is parked at the broker.
HOLD_S = 2.0
# A flood must not fill the prefetch window with requests that wait for their slot: what has not
# been parked yet waits in hand only this long.
NEWCOMER_HOLD_S = 0.25

UNKNOWN_ACCOUNT = GraphError("the account is not among the accounts of this worker")


class MemoryGate:
    """Implements the Gate port for a single process.

    After a crash it remembers nothing: a request whose call was under way then is sent again
    when the broker redelivers it. The Redis gate exists to close that window.
    """

    def __init__(self, clock: Clock, *, margin: float, keep_s: float, most: int) -> None:
        self._clock = clock
        self._ledger = Ledger(keep_s=keep_s, most=most)
        self._closures = Closures()
        self._turns = Turns()
        self._rates = Rates(margin=margin)

    async def admit(
        self,
        request: SendRequest,
        account: Account | None,
        *,
        progress: Progress,
        deadline: float | None,
    ) -> Admission:
        now = self._clock.now()
        known = self._ledger.find(request, now=now)
        if known is not None and known.fingerprint != request.fingerprint:
            return Reused()
        if isinstance(known, Ended):
            if not _may_run_again(known.event, progress):
                return Concluded(known.event)
            # Its parked copies will not say any more that it was returned.
            self._ledger.reopen(request)
        if not isinstance(known, Ended) and known is not None:
            if known.is_running:
                return Doubtful(known.progress)
            progress = _further(known.progress, progress)
        if progress.is_doubtful:
            return Doubtful(progress)
        return await self._in_turn(request, account, progress, deadline)

    async def _in_turn(
        self,
        request: SendRequest,
        account: Account | None,
        progress: Progress,
        deadline: float | None,
    ) -> Admission:
        now = self._clock.now()
        if account is None:
            return Closed(UNKNOWN_ACCOUNT)
        start = max(now, request.not_before or now)
        if deadline is not None and start > deadline:
            return TooLate()
        if start > now:
            return NotYet(start, Wait.NOT_BEFORE)
        self._turns.line_up(request, now=now)
        if not self._turns.is_near(request, now=now, within_s=HOLD_S) or not await self._turns.wait(
            request, at_most_s=HOLD_S
        ):
            return NotYet(self._turns.look_again_at(request, now=self._clock.now()), Wait.TURN)
        return self._slot(request, account, progress, deadline)

    def _slot(
        self,
        request: SendRequest,
        account: Account,
        progress: Progress,
        deadline: float | None,
    ) -> Admission:
        now = self._clock.now()
        closure = self._closures.verdict(account, now=now)
        if isinstance(closure, GraphError):
            return Closed(closure)
        if isinstance(closure, Cooling):
            late = deadline is not None and closure.until > deadline
            return TooLate() if late else NotYet(closure.until, Wait.COOLDOWN)
        bucket = request.parts[len(progress.sent)].bucket
        is_newcomer = not progress.is_republished
        if not (is_newcomer and self._rates.has_backlog(account, bucket, after=now + HOLD_S)):
            hold_s = NEWCOMER_HOLD_S if is_newcomer else HOLD_S
            latest = now + hold_s if deadline is None else min(deadline, now + hold_s)
            slot = self._rates.reserve(account, bucket, now=now, latest=latest)
            if slot is not None:
                self._ledger.begin(request, progress)
                return Go(slot, progress)
        due = self._rates.park(account, bucket, now=now)
        late = deadline is not None and due > deadline
        return TooLate() if late else NotYet(due, Wait.RATE)

    async def advance(
        self, request: SendRequest, account: Account, *, progress: Progress
    ) -> Admission:
        self._ledger.advance(request, progress)
        self._closures.reopen(account.id)
        # A request that has begun goes before the backlog of those that have not.
        begun = replace(progress, is_republished=True)
        admission = self._slot(request, account, begun, deadline=None)
        return Go(admission.slot, progress) if isinstance(admission, Go) else admission

    async def close(
        self, request: SendRequest, account: Account, result: Throttled | Refused
    ) -> float:
        now = self._clock.now()
        if isinstance(result, Refused):
            return self._closures.refuse(account, result, now=now)
        if result.scope is Scope.CONVERSATION:
            # The head of the conversation is parked; those behind it wait for their turn.
            return now + (result.retry_after_s or 60.0)
        name = APP if result.scope is Scope.APP else account.id
        return self._closures.throttle(name, result, now=now)

    async def conclude(
        self, request: SendRequest, outcome: Outcome, event: OutcomeEvent | None
    ) -> None:
        match outcome:
            case Dead(reason=Reason.INVALID):
                # The id is another request's: that one's record stays as it is.
                pass
            case Completed() | Dead():
                assert event is not None, "a terminal outcome has an event"
                if isinstance(outcome, Completed):
                    self._closures.reopen(request.account_id)
                self._ledger.end(request, event)
                self._turns.leave(request)
            case Postponed(why=Wait.NOT_BEFORE):
                self._ledger.wait(request, outcome.progress, now=self._clock.now())
            case Postponed() | Retrying():
                self._ledger.wait(request, outcome.progress, now=self._clock.now())
                self._turns.expect(request, due=outcome.until)
            case HandedBack():
                self._ledger.wait(request, outcome.progress, now=self._clock.now())
                self._turns.leave(request)
            case Duplicate():
                pass

    def status(self) -> dict[str, object]:
        """What the status page shows: closed accounts and sizes."""
        closed = self._closures.listed(now=self._clock.now())
        return {
            "closed": {name: {"until": until, "why": why} for name, (until, why) in closed.items()},
            "conversations": len(self._turns),
            "remembered": len(self._ledger),
        }


def _may_run_again(event: OutcomeEvent, progress: Progress) -> bool:
    """A dead letter that somebody put back runs again, unless it was sent meanwhile."""
    return progress.returned_from is not None and event.status is not Status.SENT


def _further(known: Progress, carried: Progress) -> Progress:
    """Which knows more: the ledger, or the headers that the message carries."""
    if (len(known.sent), known.attempts) > (len(carried.sent), carried.attempts):
        return known
    return carried
