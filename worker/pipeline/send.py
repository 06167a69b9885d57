"""Step 3: the parts that are left, one call each, strictly in order."""

from worker.core.admission import Go, NotYet
from worker.core.admitted import outcome_of_admission
from worker.core.ask import Ask
from worker.core.outcome import Completed, HandedBack, Outcome, Postponed, Wait
from worker.core.retry import RetryPolicy
from worker.core.send_result import (
    GraphError,
    Missed,
    NotSent,
    Refused,
    Scope,
    SendResult,
    Sent,
    Throttled,
    Unknown,
)
from worker.core.verdict import Chance, expired, outcome_of_failure
from worker.core.window import tag_for
from worker.pipeline.drain import Drain
from worker.pipeline.in_flight import Attempt
from worker.pipeline.second_chance import SecondChance
from worker.ports import Clock, Departure, Gate, Graph

CUT = GraphError("the worker had to stop before the API answered")
# How soon another worker goes on with a request whose first parts were sent by a stopping one.
HAND_OVER_S = 1.0
# How late a call may leave and still count as in its slot. The margin below a limit of one second
# is worth 30 ms: what this leaves of it is for the way to the API.
LATEST_S = 0.012
NEAR_S = 0.05


class Sender:
    """Makes the calls of a request, each in its slot and with a permit in hand."""

    def __init__(
        self,
        graph: Graph,
        gate: Gate,
        clock: Clock,
        drain: Drain,
        second_chance: SecondChance,
        *,
        policy: RetryPolicy,
    ) -> None:
        self._graph = graph
        self._gate = gate
        self._clock = clock
        self._drain = drain
        self._second_chance = second_chance
        self._policy = policy

    async def __call__(self, attempt: Attempt, admission: Go) -> Outcome:
        while True:
            step = await self._at_slot(attempt, admission.slot)
            if not isinstance(step, Sent):
                return step
            gone = attempt.ask
            attempt.progress = attempt.progress.with_part(step)
            if step.pressure is not None:
                await self._heed(gone, step.pressure)
            if len(attempt.progress.sent) == len(attempt.request.parts):
                return Completed(attempt.progress.with_attempt(), self._clock.now())
            await attempt.permit.take(is_urgent=True)
            following = await self._next(attempt)
            if not isinstance(following, Go):
                return following
            admission = following

    async def _at_slot(self, attempt: Attempt, slot: float) -> Sent | Outcome:
        """Call at the slot; for one that was missed (a stalled loop, no permit), and for a second
        chance, another is asked for.

        Catching up would put more calls into a window than the limit allows.
        """
        attempt.is_slot_unused = True
        while True:
            if slot > self._clock.now() + NEAR_S:
                attempt.permit.give_back()
                await self._clock.sleep_until(slot)
            await attempt.permit.take(is_urgent=True)
            if slot > (now := self._clock.now()):
                # One that is near is waited for with the permit in hand, or under load both would
                # hardly ever come together; at the door if it would have passed before there was
                # a place again.
                if slot > now + LATEST_S:
                    attempt.permit.leave_door()
                await self._clock.sleep_until(slot)
                await attempt.permit.take(is_urgent=True)
            await self._second_chance.no_doubt(attempt)
            stopped = self._stop_now(attempt)
            if stopped is not None:
                return stopped
            latest = slot + LATEST_S
            if self._is_still_good(attempt, latest):
                came_to = await self._called(attempt, latest)
                if not isinstance(came_to, Missed):
                    return came_to
            following = await self._next(attempt)
            if not isinstance(following, Go):
                return following
            slot = following.slot

    def _is_still_good(self, attempt: Attempt, latest: float) -> bool:
        is_closed = self._gate.is_closed(attempt.request.account_id)
        return not is_closed and self._clock.now() <= latest

    async def _called(self, attempt: Attempt, latest: float) -> Sent | Missed | Outcome:
        called_at = self._clock.now()
        result = await self._call(attempt, latest)
        if isinstance(result, Missed):
            return result
        attempt.is_slot_unused = isinstance(result, NotSent) and result.refused_as is None
        if isinstance(result, Sent):
            return result
        if isinstance(result, Refused):
            return await self._refused(attempt, result, called_at)
        return await self._failed(attempt, result, called_at)

    async def _refused(
        self, attempt: Attempt, refused: Refused, called_at: float
    ) -> Missed | Outcome:
        try:
            if await self._second_chance(attempt, refused):
                # In another slot, as if it had missed this one.
                return Missed()
            return await self._failed(attempt, refused, called_at)
        finally:
            if refused.is_for_the_token:
                self._second_chance.decide(attempt)

    async def _heed(self, gone: Ask, pressure: Throttled) -> None:
        """Close what is nearly used up; `gone` is the ask of the part that went, maybe the last."""
        # Calls under way when it was closed say so too: that must not make the cooldown grow.
        is_news = not self._gate.is_closed(gone.request.account_id)
        if is_news or pressure.retry_after_s is not None:
            await self._gate.close(gone, pressure)

    async def _next(self, attempt: Attempt) -> Go | Outcome:
        following = await self._gate.advance(attempt.ask)
        attempt.is_slot_unused = isinstance(following, Go)
        return outcome_of_admission(following, attempt.progress)

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

    async def _call(self, attempt: Attempt, latest: float) -> SendResult:
        account = attempt.account
        assert account is not None, "the gate admits no request without an account"
        part = attempt.request.parts[len(attempt.progress.sent)]
        started = self._clock.now()
        attempt.tag = attempt.tag or tag_for(attempt.request, account, now=started)
        attempt.is_calling = True
        attempt.api_calls += 1
        try:
            with self._drain.calling():
                result = await self._graph.send(
                    account,
                    part,
                    tag=attempt.tag,
                    may_have_gone=attempt.progress.may_have_gone,
                    departure=Departure(latest, attempt.permit.leave_door),
                )
        except TimeoutError:
            result = Unknown(CUT)
        attempt.is_calling = False
        attempt.api_s += self._clock.now() - started
        return result

    async def _failed(
        self, attempt: Attempt, result: NotSent | Refused | Throttled | Unknown, called_at: float
    ) -> Outcome:
        if isinstance(result, Throttled) or (
            isinstance(result, Refused) and result.scope is Scope.ACCOUNT
        ):
            closed = await self._gate.close(attempt.ask, result)
            if isinstance(closed, NotYet):
                return self._put_off(attempt, closed, result.error)
        assert not isinstance(result, Throttled), "a throttle is over some time"
        return outcome_of_failure(
            attempt.request,
            attempt.progress,
            result,
            policy=self._policy,
            deadline=attempt.deadline,
            chance=Chance(self._clock.now(), self._clock.jitter(), called_at),
        )

    def _put_off(self, attempt: Attempt, closed: NotYet, error: GraphError) -> Outcome:
        if attempt.deadline is not None and closed.until > attempt.deadline:
            return expired(attempt.progress, error)
        return Postponed(closed.until, closed.why, attempt.progress)
