"""From a terminal outcome to the event that announces it."""

from collections.abc import Mapping
from typing import Any

from worker.core.delivery import Delivery
from worker.core.outcome import Completed, Dead
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.replay import Replay
from worker.core.request import Identity

# Which text it was matters only as long as nobody knows whether it went.
_TOLD = ""


def event_of(
    outcome: Completed | Dead,
    identity: Identity,
    *,
    finished_at: float,
    metadata: Mapping[str, Any] | None = None,
) -> OutcomeEvent:
    """Say how the request ended."""
    progress = outcome.progress
    if isinstance(outcome, Completed):
        return OutcomeEvent(
            id=identity.id,
            account_id=identity.account_id,
            status=Status.SENT,
            finished_at=finished_at,
            attempts=progress.attempts,
            message_ids=progress.own_sent,
            recipient_id=progress.recipient_id,
            accepted_at=outcome.accepted_at,
            metadata=metadata,
            replay=_replay(progress),
            disclosure_id=progress.disclosure_id,
        )
    return OutcomeEvent(
        id=identity.id,
        account_id=identity.account_id,
        status=Status.HELD if outcome.reason is Reason.UNCONFIRMED else Status.FAILED,
        finished_at=finished_at,
        attempts=progress.attempts,
        message_ids=progress.own_sent,
        recipient_id=progress.recipient_id,
        reason=outcome.reason,
        detail=outcome.detail,
        error=outcome.error,
        problems=outcome.problems,
        metadata=metadata,
        replay=_replay(progress),
        disclosure_id=progress.disclosure_id,
    )


def outcome_of_event(event: OutcomeEvent, progress: Progress) -> Completed | Dead:
    """Say again what an event said: `event_of` of the result is the same event."""
    disclosure_id = event.disclosure_id
    progress = progress._replace(
        attempts=event.attempts,
        sent=event.message_ids if disclosure_id is None else (disclosure_id, *event.message_ids),
        recipient_id=event.recipient_id,
        replay=event.replay,
        disclosure=None if disclosure_id is None else _TOLD,
    )
    if event.reason is None:
        return Completed(progress, event.accepted_at or event.finished_at)
    return Dead(event.reason, event.detail or "", progress, event.error, event.problems)


def is_of_another_replay(delivery: Delivery, event: OutcomeEvent) -> bool:
    """Whether somebody waits for the outcome of a replay that `event` does not name."""
    replay = delivery.known_progress.replay
    return replay is not None and (event.replay is None or event.replay.run != replay.run)


def repeated(event: OutcomeEvent, delivery: Delivery) -> OutcomeEvent:
    """Tell it once more for a delivery that came besides, by the name of its own replay."""
    replay = delivery.known_progress.replay
    return event._replace(duplicate=True, replay=replay.settled if replay else event.replay)


def _replay(progress: Progress) -> Replay | None:
    return progress.replay and progress.replay.settled
