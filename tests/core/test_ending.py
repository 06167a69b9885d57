"""An event says all that its outcome said, so that another worker can announce it."""

import pytest

from tests.support.builders import NOW, an_error
from worker.core.ending import event_of, outcome_of_event
from worker.core.outcome import Completed, Dead
from worker.core.problem import Problem
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.request import Identity

CAME = Progress(1, NOW - 60, is_republished=True)
PROGRESS = Progress(3, NOW - 60, ("mid-1", None), "6789012345", is_republished=True)
BEHIND = PROGRESS._replace(sent=("mid-0", "mid-1", None), disclosure="")
OUTCOMES = [
    Completed(BEHIND, NOW - 1),
    Dead(Reason.REJECTED, "no such person", BEHIND, an_error("no such person", code=100)),
    Completed(PROGRESS, NOW - 1),
    Dead(Reason.REJECTED, "no such person", PROGRESS, an_error("no such person", code=100)),
    Dead(Reason.UNCONFIRMED, "who knows", PROGRESS),
    Dead(Reason.INVALID, "wrong", PROGRESS, problems=(Problem("/id", "must be text"),)),
]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_outcome_is_told_again_from_its_event(outcome: Completed | Dead) -> None:
    event = event_of(outcome, Identity("order-1", "17"), finished_at=NOW)
    assert outcome_of_event(event, CAME) == outcome
