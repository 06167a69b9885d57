"""From a terminal outcome to the event that announces it."""

from collections.abc import Mapping
from typing import Any

from worker.core.outcome import Completed, Dead
from worker.core.outcome_event import OutcomeEvent, Status
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
