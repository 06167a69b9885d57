"""Each answer of the gate leads on, or to its one outcome."""

import pytest

from tests.support.builders import ACCOUNT_ID, NOW, an_error
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
from worker.core.admitted import DOUBTFUL, ID_REUSED, outcome_of_admission
from worker.core.outcome import Completed, Dead, Duplicate, Outcome, Postponed, Wait
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.verdict import expired

CAME = Progress(attempts=1)
REMEMBERED = Progress(attempts=2, sent=("mid-1",))
ERROR = an_error("the access token has expired", code=190)
FIRST = OutcomeEvent("order-1", ACCOUNT_ID, Status.SENT, NOW, 1)


@pytest.mark.parametrize(
    ("admission", "outcome"),
    [
        (NotYet(NOW, Wait.RATE), Postponed(NOW, Wait.RATE, CAME)),
        (Concluded(FIRST), Duplicate(FIRST)),
        (Concluded(FIRST, is_published=False), Completed(Progress(attempts=1), NOW)),
        (Reused(), Dead(Reason.INVALID, ID_REUSED, CAME)),
        (Doubtful(REMEMBERED), Dead(Reason.UNCONFIRMED, DOUBTFUL, REMEMBERED)),
        (Closed(ERROR), Dead(Reason.ACCOUNT, "the access token has expired", CAME, ERROR)),
        (TooLate(), expired(CAME)),
    ],
)
def test_request_that_may_not_go_gets_the_outcome_of_the_answer(
    admission: Admission, outcome: Outcome
) -> None:
    assert outcome_of_admission(admission, CAME) == outcome


def test_go_is_passed_on() -> None:
    go = Go(NOW, REMEMBERED)
    assert outcome_of_admission(go, CAME) is go
