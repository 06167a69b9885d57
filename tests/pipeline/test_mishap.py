"""A bug in the worker itself: what went is not lost over it, and nothing is sent twice."""

from tests.support.builders import NOW, a_request
from tests.support.pipeline import a_delivery
from worker.core.outcome import Completed, Dead, Retrying
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.pipeline.in_flight import Attempt
from worker.pipeline.mishap import MOST_ATTEMPTS, outcome_of_mishap
from worker.pipeline.permits import Permit, Permits

BUG = RuntimeError("a bug")


def an_attempt(progress: Progress, *, is_calling: bool = False) -> Attempt:
    return Attempt(
        a_request(), [a_delivery()], progress, NOW, Permit(Permits(1)), is_calling=is_calling
    )


def test_request_whose_parts_all_went_was_sent() -> None:
    outcome = outcome_of_mishap(an_attempt(Progress(sent=("mid",))), BUG, now=NOW)
    assert outcome == Completed(Progress(1, sent=("mid",)), NOW)


def test_request_that_may_have_gone_is_held() -> None:
    outcome = outcome_of_mishap(an_attempt(Progress(), is_calling=True), BUG, now=NOW)
    assert isinstance(outcome, Dead)
    assert outcome.reason is Reason.UNCONFIRMED


def test_request_that_did_not_go_is_tried_again_but_not_for_ever() -> None:
    assert isinstance(outcome_of_mishap(an_attempt(Progress()), BUG, now=NOW), Retrying)
    last = outcome_of_mishap(an_attempt(Progress(MOST_ATTEMPTS - 1)), BUG, now=NOW)
    assert isinstance(last, Dead)
    assert last.reason is Reason.EXHAUSTED
