"""The terminal event: what producers read, and that it always fits its schema."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import ACCOUNT_ID, NOW, a_delivery, an_error
from worker.contract.schema_files import OUTCOME, compiled
from worker.core.ending import event_of, is_of_another_replay, outcome_of_event, repeated
from worker.core.outcome import Completed, Dead
from worker.core.outcome_event import Status
from worker.core.problem import Problem
from worker.core.progress import Progress, rfc3339
from worker.core.reason import Reason
from worker.core.replay import Doubt, Replay
from worker.core.request import Identity
from worker.core.send_result import GraphError

IDENTITY = Identity("order-1", ACCOUNT_ID)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
PROGRESS = st.builds(
    Progress,
    attempts=st.integers(0, 100),
    sent=st.lists(st.none() | TEXTS, max_size=10).map(tuple),
    recipient_id=st.none() | TEXTS,
    replay=st.none(),
    disclosure=st.none() | TEXTS,
)
ERRORS = st.builds(
    GraphError,
    meaning=TEXTS,
    code=st.none() | st.integers(-(2**63), 2**63 - 1),
    subcode=st.none() | st.integers(-(2**63), 2**63 - 1),
    http_status=st.none() | st.integers(100, 599),
    fbtrace_id=st.none() | TEXTS,
)


def breaches(document: dict[str, Any]) -> list[str]:
    written = orjson.loads(orjson.dumps(document))
    return [error.message for error in compiled(OUTCOME).iter_errors(written)]


@given(PROGRESS, st.none() | st.dictionaries(TEXTS, st.integers(0, 9), max_size=3))
def test_every_sent_event_fits_its_schema(
    progress: Progress, metadata: dict[str, int] | None
) -> None:
    event = event_of(Completed(progress, NOW), IDENTITY, finished_at=NOW + 1, metadata=metadata)
    assert breaches(event.document()) == []
    assert event.document()["metadata"] == metadata


@given(
    st.sampled_from(Reason),
    TEXTS.filter(bool),
    PROGRESS,
    st.none() | ERRORS,
    st.lists(st.builds(Problem, TEXTS, TEXTS.filter(bool)), max_size=21).map(tuple),
)
def test_every_event_of_a_given_up_request_fits_its_schema(
    reason: Reason,
    detail: str,
    progress: Progress,
    error: GraphError | None,
    problems: tuple[Problem, ...],
) -> None:
    dead = Dead(reason, detail, progress, error, problems)
    event = event_of(dead, IDENTITY, finished_at=NOW)
    assert breaches(event.document()) == []


def test_sent_event_names_every_message_and_the_moment_of_acceptance() -> None:
    progress = Progress(2, NOW - 5, ("mid-1", None), "person")
    event = event_of(Completed(progress, NOW), IDENTITY, finished_at=NOW + 1)
    assert event.document() == {
        "schema": "igsend.outcome.v1",
        "request_schema": "igsend.request.v1",
        "id": "order-1",
        "account_id": ACCOUNT_ID,
        "status": "sent",
        "reason": None,
        "message_ids": ["mid-1", None],
        "disclosure": None,
        "recipient_id": "person",
        "error": None,
        "attempts": 2,
        "accepted_at": rfc3339(NOW),
        "finished_at": rfc3339(NOW + 1),
        "metadata": None,
        "replay": None,
        "replay_of": None,
        "duplicate": False,
    }
    assert event.routing_key == f"sent.{ACCOUNT_ID}"


def test_failed_event_says_why_in_our_words_with_the_codes_of_the_api() -> None:
    dead = Dead(Reason.ACCOUNT, "the access token has expired", Progress(1), an_error(code=190))
    document = event_of(dead, IDENTITY, finished_at=NOW).document()
    assert document["error"] == {
        "code": 190,
        "subcode": None,
        "http_status": 400,
        "fbtrace_id": "AbCdEf",
        "detail": "the access token has expired",
        "problems": [],
    }
    assert document["accepted_at"] is None


def test_unreadable_request_is_announced_under_an_unknown_account() -> None:
    problems = (Problem("", "is empty; send one JSON object"),)
    dead = Dead(Reason.INVALID, "is empty", Progress(), problems=problems)
    event = event_of(dead, Identity(), finished_at=NOW)
    assert breaches(event.document()) == []
    assert event.routing_key == "failed.unknown"
    assert event.document()["error"]["problems"] == [
        {"pointer": "", "message": "is empty; send one JSON object"}
    ]


@pytest.mark.parametrize("reason", Reason)
def test_only_what_may_have_been_sent_is_held_for_a_person(reason: Reason) -> None:
    event = event_of(Dead(reason, "why", Progress()), IDENTITY, finished_at=NOW)
    assert event.status is (Status.HELD if reason is Reason.UNCONFIRMED else Status.FAILED)


def test_outcome_of_a_replay_names_it() -> None:
    replay = Replay("20261123T101500-7f3a", 2, "ada", "order-0", Doubt.VERIFY)
    for outcome in (
        Completed(Progress(1, replay=replay), NOW),
        Dead(Reason.REJECTED, "why", Progress(1, replay=replay)),
    ):
        event = event_of(outcome, IDENTITY, finished_at=NOW)
        document = event.document()
        assert breaches(document) == []
        told = {"batch": "20261123T101500-7f3a", "count": 2, "operator": "ada"}
        assert (document["replay"], document["replay_of"]) == (told, "order-0")
        assert event_of(outcome_of_event(event, Progress()), IDENTITY, finished_at=NOW) == event


@pytest.mark.parametrize(
    ("own", "told", "is_of_another"),
    [
        (None, None, False),
        (None, Replay("a", 1, "ada"), False),
        (Replay("a", 1, "ada"), None, True),
        (Replay("a", 1, "ada"), Replay("a", 1, "ada"), False),
        (Replay("b", 1, "ada"), Replay("a", 1, "ada"), True),
        (Replay("a", 2, "ada"), Replay("a", 1, "ada"), True),
    ],
)
def test_whoever_waits_for_another_replay_is_told_by_its_name(
    own: Replay | None, told: Replay | None, is_of_another: bool
) -> None:
    event = event_of(Completed(Progress(replay=told), NOW), IDENTITY, finished_at=NOW)
    delivery = a_delivery(progress=Progress(replay=own))
    assert is_of_another_replay(delivery, event) is is_of_another
    again = repeated(event, delivery)
    assert again.duplicate
    assert again.replay == (own or told)


def test_disclosure_is_told_apart_from_the_parts_of_the_request() -> None:
    progress = Progress(1, NOW, ("mid-0", "mid-1"), "person", disclosure="digest")
    document = event_of(Completed(progress, NOW), IDENTITY, finished_at=NOW).document()
    assert document["disclosure"] == {"message_id": "mid-0"}
    assert document["message_ids"] == ["mid-1"]


def test_disclosure_that_did_not_go_is_none() -> None:
    dead = Dead(Reason.UNCONFIRMED, "who knows", Progress(1, NOW, disclosure="digest"))
    document = event_of(dead, IDENTITY, finished_at=NOW).document()
    assert (document["disclosure"], document["message_ids"]) == (None, [])
