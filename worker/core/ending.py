"""From a terminal outcome to the event that announces it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from worker.core.outcome import Completed, Dead
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.request import Identity


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
            message_ids=progress.sent,
            recipient_id=progress.recipient_id,
            accepted_at=outcome.accepted_at,
            metadata=metadata,
        )
    return OutcomeEvent(
        id=identity.id,
        account_id=identity.account_id,
        status=Status.HELD if outcome.reason is Reason.UNCONFIRMED else Status.FAILED,
        finished_at=finished_at,
        attempts=progress.attempts,
        message_ids=progress.sent,
        recipient_id=progress.recipient_id,
        reason=outcome.reason,
        detail=outcome.detail,
        error=outcome.error,
        problems=outcome.problems,
        metadata=metadata,
    )


def outcome_of_event(event: OutcomeEvent, progress: Progress) -> Completed | Dead:
    """Say again what an event said: `event_of` of the result is the same event."""
    progress = replace(
        progress,
        attempts=event.attempts,
        sent=event.message_ids,
        recipient_id=event.recipient_id,
    )
    if event.reason is None:
        return Completed(progress, event.accepted_at or event.finished_at)
    return Dead(event.reason, event.detail or "", progress, event.error, event.problems)
