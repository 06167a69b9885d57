"""What the worker publishes fits the schemas that consumers are given."""

from typing import Any

import pytest

from worker.contract.schema_files import DEAD_LETTER_HEADERS, OUTCOME, compiled, schemas
from worker.core.dead_letter import dead_letter_headers
from worker.core.delivery import Delivery, Lane, Properties
from worker.core.outcome import Dead
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.problem import Problem
from worker.core.progress import PREFIX, Progress
from worker.core.reason import Reason
from worker.core.request import Identity
from worker.core.send_result import GraphError

_NOON = 1795348800.0
_MESSAGE_ID = "aWdf" * 40
_IDENTITY = Identity("crm-1", "17841405822304914")
_GRAPH_ERROR = GraphError(
    "not told further", code=190, subcode=463, http_status=400, fbtrace_id="AbCdEf123"
)


def _breaches(schema_id: str, document: Any) -> list[str]:
    return [error.message for error in compiled(schema_id).iter_errors(document)]


def _event(status: Status, **fields: Any) -> dict[str, Any]:
    known = {"id": "crm-1", "account_id": "17841405822304914", "attempts": 1}
    return OutcomeEvent(status=status, finished_at=_NOON, **{**known, **fields}).document()


def test_event_of_a_sent_request_fits_its_schema() -> None:
    event = _event(
        Status.SENT,
        message_ids=(_MESSAGE_ID, None),
        recipient_id="6789012345",
        accepted_at=_NOON,
        metadata={"ticket": 42},
    )
    assert _breaches(OUTCOME, event) == []


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("status", [Status.FAILED, Status.HELD])
@pytest.mark.parametrize("error", [None, _GRAPH_ERROR])
def test_event_of_a_given_up_request_fits_its_schema(
    reason: Reason, status: Status, error: GraphError | None
) -> None:
    event = _event(status, reason=reason, detail="One sentence.", error=error)
    assert _breaches(OUTCOME, event) == []


def test_event_of_an_unreadable_request_fits_its_schema() -> None:
    event = _event(
        Status.FAILED,
        id=None,
        account_id=None,
        reason=Reason.INVALID,
        detail="The request is empty.",
        problems=(Problem("", "is empty; send one JSON object"),),
    )
    assert _breaches(OUTCOME, event) == []


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (Status.SENT, {"reason": Reason.EXPIRED, "detail": "One sentence."}),
        (Status.FAILED, {}),
        (Status.SENT, {"id": None}),
        (Status.FAILED, {"account_id": None, "reason": Reason.ACCOUNT, "detail": "One sentence."}),
        (Status.FAILED, {"reason": Reason.ACCOUNT, "detail": ""}),
    ],
)
def test_event_that_contradicts_itself_does_not_fit(status: Status, fields: Any) -> None:
    assert _breaches(OUTCOME, _event(status, **fields)) != []


def test_schema_knows_the_same_reasons_as_the_code() -> None:
    reasons = [reason.value for reason in Reason]
    properties = schemas()[DEAD_LETTER_HEADERS]["properties"]
    assert properties[PREFIX + "reason"]["enum"] == reasons
    assert schemas()[OUTCOME]["properties"]["reason"]["enum"] == [*reasons, None]


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("lane", Lane)
def test_headers_of_a_dead_letter_fit_their_schema_and_hold_no_unknown_name(
    reason: Reason, lane: Lane
) -> None:
    progress = Progress(
        attempts=3, first_seen=_NOON, sent=(_MESSAGE_ID, None), recipient_id="6789012345"
    )
    problems = tuple(Problem(f"/messages/{n}/text", "must not be empty") for n in range(50))
    delivery = Delivery(
        body=b"{}",
        queue="ig.send.v1.03",
        lane=lane,
        redelivered=False,
        properties=Properties(message_id="7f0c1c52"),
        progress=progress,
    )
    dead = Dead(reason, "One sentence. " * 50, progress, _GRAPH_ERROR, problems)

    headers = dead_letter_headers(delivery, dead, _IDENTITY, now=_NOON)

    assert _breaches(DEAD_LETTER_HEADERS, headers) == []
    assert headers.keys() <= schemas()[DEAD_LETTER_HEADERS]["properties"].keys()
