"""Two kinds of invalid request: one is wrong itself, the other only took a foreign id."""

from worker.core.outcome import Dead
from worker.core.problem import Problem
from worker.core.progress import Progress
from worker.core.reason import Reason


def test_invalid_request_without_problems_is_about_another_one() -> None:
    problems = (Problem("/message", "no image"),)
    assert Dead(Reason.INVALID, "reused", Progress()).is_about_another
    assert not Dead(Reason.INVALID, "no image", Progress(), problems=problems).is_about_another
    assert not Dead(Reason.REJECTED, "no", Progress()).is_about_another
