"""What becomes of a request when the worker itself fails in the middle of it."""

from worker.core.outcome import Completed, Dead, Retrying
from worker.core.reason import Reason
from worker.core.send_result import GraphError
from worker.pipeline.in_flight import Attempt

RETRY_S = 30.0
MOST_ATTEMPTS = 8


def outcome_of_mishap(
    attempt: Attempt, bug: Exception, *, now: float
) -> Completed | Dead | Retrying:
    """Hold what may have been sent, try the rest again later; the exception's text is not used.

    An exception during a call leaves open whether the message went.
    """
    error = GraphError(f"the worker had an internal error ({type(bug).__name__})")
    progress = attempt.progress.with_attempt()
    if len(progress.sent) == len(attempt.request.parts):
        return Completed(progress, now)
    if attempt.is_calling:
        return Dead(Reason.UNCONFIRMED, error.meaning, progress, error)
    if progress.attempts >= MOST_ATTEMPTS:
        return Dead(Reason.EXHAUSTED, error.meaning, progress, error)
    return Retrying(now + RETRY_S, error, progress)
