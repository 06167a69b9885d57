"""One pass for every way in which a pass can end."""

from tests.support.builders import ACCOUNT_ID, NOW, an_error
from worker.core.outcome import (
    Completed,
    Dead,
    Duplicate,
    HandedBack,
    Outcome,
    Postponed,
    Retrying,
    Wait,
)
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import Progress
from worker.core.reason import Reason

ERROR = an_error("the access token has expired", code=190, subcode=463)
PROGRESS = Progress(attempts=2, first_seen=NOW - 60, sent=("mid-1",), recipient_id="person")
FIRST = OutcomeEvent("order-1", ACCOUNT_ID, Status.SENT, NOW - 9, 1, message_ids=("a", "b"))

EVERY_OUTCOME: dict[str, Outcome] = {
    "sent": Completed(PROGRESS, NOW),
    "failed": Dead(Reason.ACCOUNT, "the access token has expired", PROGRESS, ERROR),
    "held": Dead(Reason.UNCONFIRMED, "it may have been sent", PROGRESS),
    "postponed": Postponed(NOW + 30, Wait.RATE, PROGRESS),
    "retrying": Retrying(NOW + 8, ERROR, PROGRESS),
    "duplicate": Duplicate(FIRST),
    "handed_back": HandedBack(PROGRESS),
}
