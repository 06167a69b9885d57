"""The AMQP property `type` names the version of a request; what is not ours says nothing."""

import pytest

from worker.core.request_schema import problem_of_version


@pytest.mark.parametrize(
    "type_",
    [
        None,
        "",
        "igsend.request.v1",
        "IGSEND.request.V1",
        "igsend.request",
        "igsend.outcome.v1",
        "com.example.MessageRequested",
        "igsend.requests.v2",
    ],
)
def test_the_first_version_and_foreign_types_are_no_problem(type_: str | None) -> None:
    assert problem_of_version(type_) is None


@pytest.mark.parametrize("type_", ["igsend.request.v2", "igsend.request.V2", "igsend.request.v10"])
def test_a_version_that_is_not_known_is_a_problem_that_names_both(type_: str) -> None:
    problem = problem_of_version(type_)
    assert problem is not None
    assert problem.pointer == ""
    assert f"says {type_.lower()}, " in problem.message
    assert "igsend.request.v1 only" in problem.message


@pytest.mark.parametrize(
    "type_", ["igsend.request.", "igsend.request.v1.1", "igsend.request.Dear Ada, your order"]
)
def test_what_is_no_version_is_a_problem_too_and_is_not_repeated(type_: str) -> None:
    problem = problem_of_version(type_)
    assert problem is not None
    assert "says another version, " in problem.message
    assert "Ada" not in problem.message
