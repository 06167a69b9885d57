"""Outcome events are read as the schema describes them; anything else is refused."""

import json

import orjson
import pytest

from tests.contract.corpus import examples
from worker.client import Outcome
from worker.core.problem import Problem


@pytest.mark.parametrize("name", sorted(examples("outcome")))
def test_every_example_is_read(name: str) -> None:
    document = examples("outcome")[name]
    outcome = Outcome.read(json.dumps(document).encode())
    assert outcome.document == document
    assert (outcome.id, outcome.status, outcome.reason) == (
        document["id"],
        document["status"],
        document["reason"],
    )
    assert outcome.is_sent is (document["status"] == "sent")
    assert list(outcome.message_ids) == document["message_ids"]
    assert outcome.finished_at.tzinfo is not None


def test_problems_of_an_invalid_request_are_told() -> None:
    document = examples("outcome")["failed-invalid-unreadable"]
    outcome = Outcome.read(json.dumps(document).encode())
    told = [Problem(p["pointer"], p["message"]) for p in document["error"]["problems"]]
    assert list(outcome.problems) == told
    assert outcome.detail == document["error"]["detail"]


def test_fields_of_later_releases_are_kept() -> None:
    document = {**examples("outcome")["sent"], "surprise": 1}
    assert Outcome.read(json.dumps(document).encode()).document["surprise"] == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"[]", b"{}", b'{"schema": "igsend.outcome.v1"}', b'{"schema": "other"}'],
)
def test_anything_else_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Outcome.read(body)


def test_text_of_the_event_is_not_in_its_description() -> None:
    document = {**examples("outcome")["sent"], "metadata": None, "surprise": "a secret"}
    assert "a secret" not in repr(Outcome.read(orjson.dumps(document)))
