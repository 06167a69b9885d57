"""Who may write to whom, and how: age of the window x author x approval x kind x answer.

The expected calls are Meta's rules ("Send a message", "Human agent experiences", "Send a Private
Reply to a Commenter") written down by hand, with the safety margin of five seconds before each end.
"""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from tests.support.pipeline import ACCOUNT, Pipeline, a_delivery
from worker.core.graph_reply import Reply, result_of
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import rfc3339
from worker.core.reason import Reason
from worker.core.send_result import GraphError, NotSent, Refused, Scope, SendResult, Unknown
from worker.core.window import HUMAN_AGENT_TAG

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0

AGES_S = {
    "never told": None,
    "a minute": MINUTE_S,
    "23:59": DAY_S - MINUTE_S,
    "just before the margin of a day": DAY_S - 5.5,
    "within the margin of a day": DAY_S - 4.5,
    "just over a day": DAY_S + 1,
    "3 days": 3 * DAY_S,
    "just before the margin of a week": 7 * DAY_S - 5.5,
    "within the margin of a week": 7 * DAY_S - 4.5,
    "8 days": 8 * DAY_S,
}
INSIDE = {"never told", "a minute", "23:59", "just before the margin of a day"}
OVER = {"within the margin of a week", "8 days"}

KINDS: dict[str, dict[str, Any]] = {
    "message": {},
    "action": {"message": None, "sender_action": "typing_on"},
    "private reply": {"recipient": {"comment_id": "17900000000000001"}},
}
WINDOW_CLOSED = Refused(Scope.WINDOW, GraphError("the window is closed", 10, 2534022))
NOT_APPROVED = Refused(Scope.MESSAGE, GraphError("not approved for the tag", 100, 2018276))

PLAIN: dict[str, Any] = {}
TAGGED = HUMAN_AGENT_TAG

ROWS = [*product(AGES_S, ("automation", "human"), (False, True), KINDS)]
Row = tuple[str, str, bool, str]


def may_tag(row: Row) -> bool:
    _, author, approved, kind = row
    return author == "human" and approved and kind == "message"


def first_call(row: Row) -> dict[str, Any] | None:
    """Say how the first call has to look; None when there must be none."""
    age, _, _, kind = row
    if age in INSIDE:
        return PLAIN
    if age in OVER:
        return None
    if kind == "private reply":
        return PLAIN
    return {**TAGGED} if may_tag(row) else None


async def outcome_of(row: Row, *answers: SendResult) -> tuple[list[Any], OutcomeEvent]:
    """Take the request of a row all the way; gives the tags of its calls, and how it ended."""
    age, author, approved, kind = row
    pipeline = Pipeline()
    known = pipeline.accounts.known
    known[ACCOUNT] = replace(known[ACCOUNT], human_agent=approved)
    pipeline.graph.script = [*answers]
    fields: dict[str, Any] = {"author": author, **KINDS[kind]}
    if (age_s := AGES_S[age]) is not None:
        fields["last_inbound_at"] = rfc3339(pipeline.clock.now() - age_s)
    await pipeline(a_delivery(**fields))
    event, _ = pipeline.publisher.announced[0]
    return [tag for _, _, tag in pipeline.graph.sent], event


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_what_the_api_takes_is_called_once_and_as_the_rules_say(row: Row) -> None:
    first = first_call(row)
    tags, event = await outcome_of(row)
    assert tags == ([] if first is None else [first])
    assert event.reason is (Reason.EXPIRED if first is None else None)


@pytest.mark.parametrize("row", [row for row in ROWS if first_call(row) is not None], ids=str)
async def test_closed_window_is_tried_with_the_tag_by_who_may(row: Row) -> None:
    tags, event = await outcome_of(row, WINDOW_CLOSED)
    if first_call(row) == PLAIN and may_tag(row):
        assert tags == [PLAIN, TAGGED]
        assert event.status is Status.SENT
    else:
        assert tags == [first_call(row)]
        assert event.reason is Reason.EXPIRED


@pytest.mark.parametrize("row", [row for row in ROWS if may_tag(row)], ids=str)
async def test_window_that_is_closed_to_the_tag_too_is_closed(row: Row) -> None:
    tags, event = await outcome_of(row, WINDOW_CLOSED, WINDOW_CLOSED)
    assert tags == [tag for tag in (PLAIN, TAGGED) if first_call(row) in (tag, PLAIN)]
    assert event.reason is Reason.EXPIRED


@pytest.mark.parametrize("row", [row for row in ROWS if may_tag(row)], ids=str)
async def test_tag_that_meta_has_not_approved_is_a_refusal_and_not_taken_off(row: Row) -> None:
    is_tagged_at_once = first_call(row) == TAGGED
    answers = [NOT_APPROVED] if is_tagged_at_once else [WINDOW_CLOSED, NOT_APPROVED]
    tags, event = await outcome_of(row, *answers)
    if first_call(row) is None:
        assert (tags, event.reason) == ([], Reason.EXPIRED)
    else:
        assert tags == ([TAGGED] if is_tagged_at_once else [PLAIN, TAGGED])
        assert event.reason is Reason.REJECTED


@pytest.mark.parametrize(
    ("first", "is_sent"),
    [
        # What never left did not answer the comment; what may have, did.
        (NotSent(GraphError("no connection")), False),
        (Unknown(GraphError("no answer")), True),
    ],
    ids=str,
)
async def test_comment_that_is_answered_on_a_retry_was_answered_by_what_may_have_gone(
    first: SendResult, is_sent: bool
) -> None:
    pipeline = Pipeline()
    spent = Reply(400, {"error": {"code": 100, "error_subcode": 2534025}})
    pipeline.graph.script = [first]
    delivery = a_delivery(**KINDS["private reply"], on_unknown="resend")
    await pipeline(delivery)
    ((_, progress, _),) = pipeline.publisher.parked
    assert progress.may_have_gone is is_sent
    pipeline.graph.script = [result_of(spent, needs_message_id=True, may_have_gone=is_sent)]
    again = delivery._replace(progress=progress._replace(is_republished=True))
    pipeline.clock.time += 3600.0
    await pipeline(again)
    event, _ = pipeline.publisher.announced[0]
    assert pipeline.graph.may_have_gone == [False, is_sent]
    if is_sent:
        assert (event.status, event.message_ids) == (Status.SENT, (None,))
    else:
        assert event.reason is Reason.REJECTED
