"""What the gate's answer means for a request that may not go."""

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
from worker.core.ending import outcome_of_event
from worker.core.outcome import Dead, Duplicate, Outcome, Postponed
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.verdict import expired

ID_REUSED = "the id was used before with another body; every request needs an id of its own"
DOUBTFUL = "an earlier attempt left no result; the message may or may not have been sent"


def outcome_of_admission(admission: Admission, progress: Progress) -> Go | Outcome:
    """Pass a `Go` on; turn every other answer into the outcome of this pass.

    Doubt that nothing can settle is an outcome too: the request is held.
    """
    match admission:
        case Go():
            return admission
        case NotYet():
            return Postponed(admission.until, admission.why, progress)
        case Concluded(is_published=False):
            # Whoever concluded it is gone: what was decided then is announced now.
            return outcome_of_event(admission.event, progress)
        case Concluded():
            return Duplicate(admission.event)
        case Reused():
            return Dead(Reason.INVALID, ID_REUSED, progress)
        case Doubtful():
            return Dead(Reason.UNCONFIRMED, DOUBTFUL, admission.progress)
        case Closed():
            return Dead(Reason.ACCOUNT, admission.error.meaning, progress, admission.error)
        case TooLate():  # pragma: no branch  # mypy checks that no case is missing
            return expired(progress)
