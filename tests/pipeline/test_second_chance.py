"""A refused token that was just replaced, and a closed window that a person's answer may use."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.support.pipeline import ACCOUNT, Pipeline, a_delivery
from tests.support.waiting import eventually
from worker.core.account import Account
from worker.core.outcome_event import Status
from worker.core.progress import rfc3339
from worker.core.reason import Reason
from worker.core.secret import Secret
from worker.core.send_result import GraphError, Refused, Scope, SendResult, Sent
from worker.core.window import HUMAN_AGENT_TAG

REVOKED = Refused(Scope.ACCOUNT, GraphError("the token is revoked", 190, http_status=400))
NO_PERMISSION = Refused(Scope.ACCOUNT, GraphError("no permission", 10, http_status=403))
CLOSED = Refused(Scope.WINDOW, GraphError("the window is closed", 10, 2534022, http_status=403))
DAY_S = 86_400.0


def renewing(pipeline: Pipeline, token: str) -> None:
    known = pipeline.accounts.known
    known[ACCOUNT] = replace(known[ACCOUNT], token=Secret(token))


class Rotation:
    """Puts a new token into the source as soon as the old one is refused."""

    def __init__(self, pipeline: Pipeline, answers: list[SendResult]) -> None:
        self.tokens = list[str]()
        self._pipeline = pipeline
        self._answers = answers
        pipeline.graph.send = self._send  # type: ignore[method-assign]  # seen from outside

    async def _send(self, account: Account, *_: object, **__: object) -> SendResult:
        self.tokens.append(account.token.reveal)
        answer = self._answers.pop(0)
        if answer is REVOKED:
            renewing(self._pipeline, f"IGAAnew{len(self.tokens)}")
        return answer


async def test_call_is_made_again_with_the_token_that_replaced_the_refused_one() -> None:
    pipeline = Pipeline()
    rotation = Rotation(pipeline, [REVOKED, Sent("mid", "1")])
    await pipeline(a_delivery())
    event, _ = pipeline.publisher.announced[0]
    assert (event.status, event.attempts) == (Status.SENT, 1)
    assert rotation.tokens == ["IGAAtoken", "IGAAnew1"]


async def test_second_token_that_is_refused_too_closes_the_account() -> None:
    pipeline = Pipeline()
    rotation = Rotation(pipeline, [REVOKED, REVOKED])
    await pipeline(a_delivery())
    event, _ = pipeline.publisher.announced[0]
    assert (event.status, event.reason) == (Status.FAILED, Reason.ACCOUNT)
    assert len(rotation.tokens) == 2


async def test_token_that_was_not_replaced_is_not_tried_again() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [REVOKED]
    await pipeline(a_delivery(id="first"))
    await pipeline(a_delivery(id="second", recipient={"id": "600001"}))
    assert [event.reason for event, _ in pipeline.publisher.announced] == [Reason.ACCOUNT] * 2
    assert len(pipeline.graph.sent) == 1


async def test_refusal_that_no_token_mends_is_not_tried_again() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [NO_PERMISSION]
    renewing(pipeline, "IGAAother")
    await pipeline(a_delivery())
    assert len(pipeline.graph.sent) == 1


async def test_nobody_calls_with_a_token_that_is_doubted() -> None:
    pipeline = Pipeline()
    looked = asyncio.Event()
    renewed = pipeline.accounts.renewed

    async def look(account: Account) -> Account | None:
        await looked.wait()
        return await renewed(account)

    pipeline.accounts.renewed = look  # type: ignore[method-assign]  # takes its time
    pipeline.graph.script = [REVOKED]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(pipeline(a_delivery(id="first")))
        await eventually(lambda: len(pipeline.graph.sent) == 1)
        for number in range(5):
            recipient = {"id": f"60000{number}"}
            tasks.create_task(pipeline(a_delivery(id=f"r-{number}", recipient=recipient)))
        await eventually(lambda: len(pipeline.process.in_flight) == 6)
        looked.set()
    assert len(pipeline.graph.sent) == 1
    assert {event.reason for event, _ in pipeline.publisher.announced} == {Reason.ACCOUNT}


@pytest.mark.parametrize("last_inbound_s", [None, 3600.0, 6 * DAY_S])
async def test_window_refusal_is_answered_with_the_tag_of_a_human_agent(
    last_inbound_s: float | None,
) -> None:
    pipeline = Pipeline()
    known = pipeline.accounts.known
    known[ACCOUNT] = replace(known[ACCOUNT], human_agent=True)
    pipeline.graph.script = [CLOSED]
    fields: dict[str, Any] = {"author": "human"}
    if last_inbound_s is not None:
        fields["last_inbound_at"] = rfc3339(pipeline.clock.now() - last_inbound_s)
    await pipeline(a_delivery(**fields))
    event, _ = pipeline.publisher.announced[0]
    is_known_to_be_late = last_inbound_s is not None and last_inbound_s > DAY_S
    if is_known_to_be_late:
        # It was tagged at once, and refused all the same.
        assert [tag for _, _, tag in pipeline.graph.sent] == [HUMAN_AGENT_TAG]
        assert event.reason is Reason.EXPIRED
    else:
        assert [tag for _, _, tag in pipeline.graph.sent] == [{}, HUMAN_AGENT_TAG]
        assert (event.status, event.attempts) == (Status.SENT, 1)


@pytest.mark.parametrize(
    ("may", "fields"),
    [
        (False, {"author": "human"}),
        (True, {"author": "automation"}),
        (True, {"author": "human", "recipient": {"comment_id": "17900000000000001"}}),
    ],
    ids=["not approved", "automation", "private reply"],
)
async def test_window_refusal_is_final_for_who_may_not_use_the_tag(
    may: bool, fields: dict[str, Any]
) -> None:
    pipeline = Pipeline()
    known = pipeline.accounts.known
    known[ACCOUNT] = replace(known[ACCOUNT], human_agent=may)
    pipeline.graph.script = [CLOSED]
    await pipeline(a_delivery(**fields))
    event, _ = pipeline.publisher.announced[0]
    assert event.reason is Reason.EXPIRED
    assert len(pipeline.graph.sent) == 1
