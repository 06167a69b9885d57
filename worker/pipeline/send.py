"""Step 3: the parts that are left, one call each, strictly in order."""

import asyncio

from worker.core.account import Account
from worker.core.admission import Go
from worker.core.admitted import outcome_of_admission
from worker.core.outcome import Completed, HandedBack, Outcome, Postponed, Wait
from worker.core.retry import RetryPolicy
from worker.core.send_result import GraphError, Refused, Scope, SendResult, Sent, Throttled, Unknown
from worker.core.verdict import Chance, expired, outcome_of_failure
from worker.core.window import tag_for
from worker.pipeline.drain import Drain
from worker.pipeline.in_flight import Attempt
from worker.ports import Clock, Gate, Graph

CUT = GraphError("the worker had to stop before the API answered")
# How soon another worker goes on with a request whose first parts were sent by a stopping one.
HAND_OVER_S = 1.0


class Sender:
    """Holds at most `concurrency` calls open at a time, counted before the connection pool."""

    def __init__(
        self,
        graph: Graph,
        gate: Gate,
        clock: Clock,
        drain: Drain,
        *,
        policy: RetryPolicy,
        concurrency: int,
    ) -> None:
        self._graph = graph
        self._gate = gate
        self._clock = clock
        self._drain = drain
        self._policy = policy
        self._permits = asyncio.Semaphore(concurrency)

    async def __call__(self, attempt: Attempt, admission: Go) -> Outcome:
        attempt.progress = admission.progress
        account = attempt.account
        assert account is not None, "the gate admits no request without an account"
        while True:
            await self._clock.sleep_until(admission.slot)
            async with self._permits:
                stopped = self._stop_now(attempt)
                result = None if stopped else await self._call(attempt, account)
            if result is None:
                assert stopped is not None, "a call was made or there was a reason not to"
                return stopped
            if not isinstance(result, Sent):
                return await self._after_failure(attempt, account, result)
            attempt.progress = attempt.progress.with_part(result)
            if len(attempt.progress.sent) == len(attempt.request.parts):
                return Completed(attempt.progress.with_attempt(), self._clock.now())
            following = await self._gate.advance(
                attempt.request, account, progress=attempt.progress
            )
            outcome = outcome_of_admission(following, attempt.progress)
            if not isinstance(outcome, Go):
                return outcome
            admission = outcome

    def _stop_now(self, attempt: Attempt) -> Outcome | None:
        """The last look before the call: still in time, and still in business?"""
        if attempt.deadline is not None and self._clock.now() > attempt.deadline:
            return expired(attempt.progress)
        if not self._drain.is_draining:
            return None
        if attempt.progress.sent:
            # Handing back would lose which parts went; a parked copy carries them along.
            return Postponed(self._clock.now() + HAND_OVER_S, Wait.TURN, attempt.progress)
        return HandedBack(attempt.progress)

    async def _call(self, attempt: Attempt, account: Account) -> SendResult:
        part = attempt.request.parts[len(attempt.progress.sent)]
        started = self._clock.now()
        attempt.is_calling = True
        attempt.api_calls += 1
        try:
            async with self._drain.calling():
                result = await self._graph.send(
                    account,
                    part,
                    tag=tag_for(attempt.request, account, now=started),
                    is_first_attempt=attempt.progress.attempts == 0,
                )
        except TimeoutError:
            result = Unknown(CUT)
        attempt.is_calling = False
        attempt.api_s += self._clock.now() - started
        return result

    async def _after_failure(
        self, attempt: Attempt, account: Account, result: SendResult
    ) -> Outcome:
        assert not isinstance(result, Sent), "a part that went is no failure"
        if isinstance(result, Throttled):
            until = await self._gate.close(attempt.request, account, result)
            if attempt.deadline is not None and until > attempt.deadline:
                return expired(attempt.progress, result.error)
            return Postponed(until, Wait.COOLDOWN, attempt.progress)
        if isinstance(result, Refused) and result.scope is Scope.ACCOUNT:
            await self._gate.close(attempt.request, account, result)
        return outcome_of_failure(
            attempt.request,
            attempt.progress,
            result,
            policy=self._policy,
            deadline=attempt.deadline,
            chance=Chance(self._clock.now(), self._clock.jitter()),
        )
