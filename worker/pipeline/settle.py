"""Step 4: remember, publish, then tell the broker. Always in that order.

A crash between two of these repeats the later ones; none of them sends a message.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from worker.core.delivery import Delivery, Lane
from worker.core.ending import event_of, is_of_another_replay, repeated
from worker.core.outcome import (
    Completed,
    Dead,
    Duplicate,
    HandedBack,
    Outcome,
    Postponed,
    Retrying,
)
from worker.core.outcome_event import OutcomeEvent
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.report import Report
from worker.core.request import SendRequest
from worker.pipeline.in_flight import Attempt
from worker.pipeline.pace import Pace
from worker.pipeline.read import Unreadable
from worker.ports import Clock, Ledger, Observer, Publisher, Receipts

# For so long after a new request of the interactive lane others are likely to follow.
REPLIES_S = 5.0


class Settler:
    """The only place that publishes and acks."""

    def __init__(
        self,
        ledger: Ledger,
        publisher: Publisher,
        receipts: Receipts,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._receipts = receipts
        self._clock = clock
        self._observer = observer
        self._pace = Pace(clock)
        self._last_reply_at = 0.0

    async def __call__(self, attempt: Attempt, outcome: Outcome) -> None:
        request = attempt.request
        if _is_new_reply(attempt.delivery):
            self._last_reply_at = self._clock.now()
        event = self._event(outcome, request, attempt.delivery)
        is_new = attempt.is_in_our_hands or _is_news(outcome)
        if is_new:
            await self._ledger.conclude(
                request,
                outcome,
                event,
                account=attempt.account,
                is_slot_unused=attempt.is_slot_unused,
            )
        published = len(attempt.deliveries)
        await self._publish(attempt, outcome, event, attempt.deliveries[:published])
        if is_new and event is not None:
            await self._ledger.settled(request)
        # Deliveries may still join while the earlier ones are acked.
        for number, delivery in enumerate(attempt.deliveries):
            if number < published:
                await self._let_go(delivery, outcome)
            elif event is not None:
                await self._joined_after_announcing(delivery, outcome, event)
            else:
                await self._joined_after_parking(delivery, outcome, attempt.deliveries[:number])
        self._report(attempt, outcome)

    async def refuse(self, delivery: Delivery, unreadable: Unreadable) -> None:
        """Settle a delivery that is no request: nothing is known of it, so nothing remembered."""
        started_at = self._clock.now()
        dead, identity = unreadable.dead, unreadable.identity
        event = event_of(dead, identity, finished_at=started_at)._replace(
            request_schema=unreadable.request_schema
        )
        await self._publisher.bury(delivery, dead, identity)
        await self._publisher.announce(event, [delivery])
        await self._receipts.ack(delivery)
        self._observer.observe(
            Report(
                delivery,
                None,
                dead,
                started_at,
                self._clock.now(),
                identity=identity,
                request_schema=unreadable.request_schema,
            )
        )

    def _event(
        self, outcome: Outcome, request: SendRequest, delivery: Delivery
    ) -> OutcomeEvent | None:
        metadata: Mapping[str, Any] | None = request.metadata
        match outcome:
            case Completed() | Dead():
                return event_of(
                    outcome, request.identity, finished_at=self._clock.now(), metadata=metadata
                )
            case Duplicate():
                return repeated(outcome.first, delivery)._replace(metadata=metadata)
            case Postponed() | Retrying() | HandedBack():
                return None

    async def _publish(
        self,
        attempt: Attempt,
        outcome: Outcome,
        event: OutcomeEvent | None,
        deliveries: Sequence[Delivery],
    ) -> None:
        match outcome:
            case Postponed() | Retrying():
                await self._park(deliveries, outcome.progress, until=outcome.until)
            case Dead():
                await self._publisher.bury(attempt.delivery, outcome, attempt.request.identity)
            case Completed() | Duplicate() | HandedBack():
                pass
        if event is not None and not _is_only_repeated(attempt.delivery, outcome):
            await self._publisher.announce(event, deliveries)
        for delivery in deliveries:
            if event is not None and is_of_another_replay(delivery, event):
                await self._publisher.announce(repeated(event, delivery), [delivery])

    async def _joined_after_parking(
        self, delivery: Delivery, outcome: Outcome, parked: Sequence[Delivery]
    ) -> None:
        """Settle what came after the parking: who asked with it may wait for an answer too."""
        if isinstance(outcome, Postponed | Retrying):
            who = _who_waits(outcome.progress, delivery)
            if all(_who_waits(outcome.progress, other) != who for other in parked):
                await self._park([delivery], outcome.progress, until=outcome.until)
        await self._let_go(delivery, outcome)

    async def _joined_after_announcing(
        self, delivery: Delivery, outcome: Outcome, event: OutcomeEvent
    ) -> None:
        """Settle what came after the publishing: nothing of it has been published."""
        if isinstance(outcome, Dead) and delivery.known_progress.returned_from is not None:
            # The letter of a moment ago, put back already: it is to run again.
            await self._receipts.hand_back(delivery)
            return
        if delivery.reply_address or is_of_another_replay(delivery, event):
            await self._publisher.announce(repeated(event, delivery), [delivery])
        await self._let_go(delivery, outcome)

    async def _park(
        self, deliveries: Sequence[Delivery], progress: Progress, *, until: float
    ) -> None:
        # One copy for each place and each replay that waits for an answer; usually that is one.
        copies = {_who_waits(progress, delivery): delivery for delivery in reversed(deliveries)}
        for delivery in copies.values():
            async with self._turn_to_park(delivery.lane):
                delay_s = until - self._clock.now()
                carried = _carried(progress, delivery)
                await self._publisher.park(delivery, carried, delay_s=delay_s)

    def _turn_to_park(self, lane: Lane) -> AbstractAsyncContextManager[None]:
        """While people wait for replies, a flood in bulk takes the time that is left over."""
        is_in_the_way = self._clock.now() - self._last_reply_at < REPLIES_S
        return self._pace.turn() if lane is Lane.BULK and is_in_the_way else nullcontext()

    async def _let_go(self, delivery: Delivery, outcome: Outcome) -> None:
        if isinstance(outcome, HandedBack):
            await self._receipts.hand_back(delivery)
        else:
            await self._receipts.ack(delivery)

    def _report(self, attempt: Attempt, outcome: Outcome) -> None:
        self._observer.observe(
            Report(
                attempt.delivery,
                attempt.request,
                outcome,
                attempt.started_at,
                self._clock.now(),
                api_s=attempt.api_s,
                api_calls=attempt.api_calls,
                identity=attempt.request.identity,
            )
        )


def _is_new_reply(delivery: Delivery) -> bool:
    # By the delivery: an attempt's progress comes back from the gate as one of our own.
    return delivery.lane is Lane.INTERACTIVE and not delivery.known_progress.is_republished


def _is_news(outcome: Outcome) -> bool:
    """False for what the gate has on record already, or must not: another body's id."""
    return isinstance(outcome, Completed) or (
        isinstance(outcome, Dead) and outcome.reason is not Reason.INVALID
    )


def _carried(progress: Progress, delivery: Delivery) -> Progress:
    """The progress of the attempt, by the name of the delivery's own replay if it has another."""
    own, run = delivery.known_progress.replay, progress.replay and progress.replay.run
    return progress if own is None or own.run == run else progress._replace(replay=own)


def _who_waits(progress: Progress, delivery: Delivery) -> tuple[object, object]:
    """Tell apart by what the outcome is answered to: an address, and the run of a replay."""
    replay = _carried(progress, delivery).replay
    return delivery.reply_address, replay and replay.run


def _is_only_repeated(delivery: Delivery, outcome: Outcome) -> bool:
    """True for what this worker has announced already: only an ack was lost, or it is a twin.

    A parked copy with an address of its own still waits for its answer there.
    """
    if not isinstance(outcome, Duplicate) or is_of_another_replay(delivery, outcome.first):
        return False
    is_parked_twin = delivery.known_progress.is_republished and delivery.reply_address is None
    return delivery.redelivered or is_parked_twin
