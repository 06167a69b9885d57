"""The main path: one delivery through every step, exactly one settlement out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from worker.core.admission import Doubtful, Go
from worker.core.delivery import Delivery
from worker.core.outcome import Outcome
from worker.core.progress import Progress
from worker.core.request import SendRequest
from worker.pipeline.in_flight import Attempt, InFlight
from worker.pipeline.mishap import outcome_of_mishap
from worker.pipeline.permits import Permit, Permits
from worker.pipeline.read import Unreadable, id_reused


@dataclass(frozen=True, slots=True)
class Steps:
    """What the path is made of, in its order; each is the class of read.py, admit.py, and so on."""

    read: Callable[[Delivery], tuple[SendRequest, Progress] | Unreadable]
    admit: Callable[[Attempt], Awaitable[Go | Doubtful | Outcome]]
    verify: Callable[[Attempt, Doubtful], Awaitable[Go | Outcome]]
    send: Callable[[Attempt, Go], Awaitable[Outcome]]
    settle: Callable[[Attempt, Outcome], Awaitable[None]]
    refuse: Callable[[Delivery, Unreadable], Awaitable[None]]


class Process:
    """read -> join or start -> admit (-> verify) -> send -> settle."""

    def __init__(
        self,
        steps: Steps,
        permits: Permits,
        *,
        now: Callable[[], float],
        on_mishap: Callable[[Delivery, Exception], None],
    ) -> None:
        self._steps = steps
        self._permits = permits
        self._now = now
        self._on_mishap = on_mishap
        self.in_flight = InFlight()

    async def __call__(self, delivery: Delivery) -> None:
        reading = self._steps.read(delivery)
        if isinstance(reading, Unreadable):
            await self._steps.refuse(delivery, reading)
            return
        request, progress = reading
        running = self.in_flight.running(request)
        if running is None:
            attempt = Attempt(
                request, [delivery], progress, self._now(), permit=Permit(self._permits)
            )
            self.in_flight.add(attempt)
            try:
                await self._steps.settle(attempt, await self._outcome_of(attempt))
            finally:
                self.in_flight.remove(attempt)
        elif running.request.fingerprint == request.fingerprint:
            running.deliveries.append(delivery)
        else:
            await self._steps.refuse(delivery, id_reused(request, progress))

    async def _outcome_of(self, attempt: Attempt) -> Outcome:
        try:
            admission = await self._steps.admit(attempt)
            if isinstance(admission, Doubtful):
                attempt.permit.leave_door()
                admission = await self._steps.verify(attempt, admission)
            return (
                await self._steps.send(attempt, admission)
                if isinstance(admission, Go)
                else admission
            )
        except Exception as bug:  # a bug must not leave the delivery unsettled for ever
            self._on_mishap(attempt.delivery, bug)
            return outcome_of_mishap(attempt, bug, now=self._now())
        finally:
            attempt.permit.give_back()
