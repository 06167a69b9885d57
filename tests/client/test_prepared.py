"""What the client lets through is what the worker takes, and it says as much about the rest."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.corpus import a_request, examples
from worker.client import InvalidRequest
from worker.client.prepared import prepared


@pytest.mark.parametrize("name", sorted(examples("valid")))
def test_every_valid_example_is_taken_as_it_is(name: str) -> None:
    document = examples("valid")[name]
    assert json.loads(prepared(document).body) == document
    body = json.dumps(document).encode()
    assert prepared(body) == (document["id"], document["account_id"], body)


@pytest.mark.parametrize("name", sorted(examples("invalid")))
def test_every_invalid_example_is_refused_with_the_problems_that_the_worker_tells(
    name: str,
) -> None:
    example = examples("invalid")[name]
    with pytest.raises(InvalidRequest) as refused:
        prepared(example["request"])
    told = {(problem.pointer, problem.message) for problem in refused.value.problems}
    assert told == {(problem["pointer"], problem["message"]) for problem in example["problems"]}
    assert all(message in str(refused.value) for _, message in told)


def test_refusal_names_the_request() -> None:
    with pytest.raises(InvalidRequest) as refused:
        prepared(a_request(id="order-1", message={}))
    assert (refused.value.id, refused.value.account_id) == ("order-1", a_request()["account_id"])


@pytest.mark.parametrize("value", [object(), {1, 2}, "\ud800", 1 << 70])
def test_what_is_no_json_is_refused_and_not_raised_as_it_came(value: Any) -> None:
    with pytest.raises(InvalidRequest):
        prepared(a_request(metadata={"a": value}))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        prepared(body)
