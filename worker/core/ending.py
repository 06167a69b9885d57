"""From a terminal outcome to the event that announces it."""

from worker.core.outcome import Completed, Dead
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.reason import Reason
from worker.core.request import SendRequest


def event_of(
    outcome: Completed | Dead, request: SendRequest | None, *, finished_at: float
) -> OutcomeEvent:
    """Say how the request ended; `request` is None when its body was unreadable."""
    progress = outcome.progress
    if isinstance(outcome, Completed):
        return OutcomeEvent(
            id=request.id if request else None,
            account_id=request.account_id if request else None,
            status=Status.SENT,
            finished_at=finished_at,
            attempts=progress.attempts,
            message_ids=progress.sent,
            recipient_id=progress.recipient_id,
            accepted_at=outcome.accepted_at,
            metadata=request.metadata if request else None,
        )
    return OutcomeEvent(
        id=request.id if request else None,
        account_id=request.account_id if request else None,
        status=Status.HELD if outcome.reason is Reason.UNCONFIRMED else Status.FAILED,
        finished_at=finished_at,
        attempts=progress.attempts,
        message_ids=progress.sent,
        recipient_id=progress.recipient_id,
        reason=outcome.reason,
        detail=outcome.detail,
        error=outcome.error,
        problems=outcome.problems,
        metadata=request.metadata if request else None,
    )
