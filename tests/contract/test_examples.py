"""Every example in schemas/examples is what its folder says, down to each pointer and sentence."""

from typing import Any

import pytest

from tests.contract.corpus import EXAMPLES, SCHEMA_OF_FOLDER, example_documents, examples
from worker.contract.schema_files import SEND_REQUEST, compiled
from worker.contract.validator import RequestValidator

_VALIDATOR = RequestValidator()


@pytest.mark.parametrize("name", examples("valid"))
def test_valid_example_has_no_problems(name: str) -> None:
    assert _VALIDATOR.problems(examples("valid")[name]) == []


@pytest.mark.parametrize("name", examples("invalid"))
def test_invalid_example_has_exactly_the_problems_it_lists(name: str) -> None:
    example = examples("invalid")[name]
    found = [
        {"pointer": problem.pointer, "message": problem.message}
        for problem in _VALIDATOR.problems(example["request"])
    ]

    def by_pointer(problem: dict[str, Any]) -> str:
        return str(problem["pointer"])

    assert sorted(found, key=by_pointer) == sorted(example["problems"], key=by_pointer)


@pytest.mark.parametrize("name", examples("invalid"))
def test_invalid_example_says_rightly_whether_the_schema_alone_refuses_it(name: str) -> None:
    example = examples("invalid")[name]
    assert compiled(SEND_REQUEST).is_valid(example["request"]) is not example["schema_rejects"]


@pytest.mark.parametrize(
    ("name", "schema_id", "document"),
    [case for case in example_documents() if case[1] != SEND_REQUEST],
)
def test_event_and_header_examples_fit_their_schema(
    name: str, schema_id: str, document: Any
) -> None:
    assert [error.message for error in compiled(schema_id).iter_errors(document)] == [], name


def test_every_example_file_lies_in_a_folder_that_is_checked() -> None:
    checked = {name for name, _, _ in example_documents()}
    present = {
        str(path.relative_to(EXAMPLES).with_suffix(""))
        for path in EXAMPLES.rglob("*")
        if path.is_file()
    }
    assert present == checked
    assert {name.split("/")[0] for name in present} == set(SCHEMA_OF_FOLDER)
