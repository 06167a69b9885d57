"""One delivery through the whole path: what is sent, published and acked, and in which order."""

import asyncio
from typing import Any

import orjson
import pytest

from tests.support.pipeline import ACCOUNT, Pipeline, a_body, a_delivery
from tests.support.waiting import eventually
from worker.core.account import Account
from worker.core.outcome import Wait
from worker.core.outcome_event import Status
from worker.core.problem import Problem
from worker.core.progress import Progress, rfc3339
from worker.core.reason import Reason
from worker.core.secret import Secret
from worker.core.send_result import (
    GraphError,
    NotSent,
    Refused,
    Scope,
    SendResult,
    Sent,
    Throttled,
    Unknown,
)

ERROR = GraphError("because", code=1)


async def test_valid_request_is_sent_announced_and_acked_in_that_order() -> None:
    pipeline = Pipeline()
    await pipeline(a_delivery())
    assert [part.body for _, part, _ in pipeline.graph.sent] == [
        {"recipient": {"id": "6789012345"}, "message": {"text": "Your order is on its way."}}
    ]
    assert pipeline.publisher.log == ["announce", "ack"]
    event, _ = pipeline.publisher.announced[0]
    assert (event.status, event.message_ids, event.attempts) == (Status.SENT, ("mid-1",), 1)
    assert event.accepted_at == pipeline.clock.time


async def test_ledger_knows_the_result_before_it_is_announced() -> None:
    pipeline = Pipeline()
    seen: list[int] = []
    pipeline.publisher.before_announce = lambda: seen.append(
        int(str(pipeline.gate.status()["remembered"]))
    )
    await pipeline(a_delivery())
    assert seen == [1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"id": NaN}',
        b"[" * 10_000,
        b"x" * 10_000_000,
        a_body(account_id=17841405822304914),
        a_body(sender_action="typing_on"),
        a_body(message={"text": "ü" * 501}),
        a_body(extra=True),
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_bad_body_is_dead_lettered_as_invalid_untouched(body: bytes) -> None:
    pipeline = Pipeline()
    await pipeline(a_delivery(body))
    [(delivery, dead, _)] = pipeline.publisher.buried
    assert (delivery.body, dead.reason) == (body, Reason.INVALID)
    assert dead.problems
    assert pipeline.publisher.log == ["bury", "announce", "ack"]
    assert not pipeline.graph.sent


async def test_outcome_of_an_invalid_request_names_the_id_if_it_is_readable() -> None:
    pipeline = Pipeline()
    await pipeline(a_delivery(a_body(extra=True)))
    await pipeline(a_delivery(a_body(id="not an id", extra=True)))
    ids = [event.id for event, _ in pipeline.publisher.announced]
    assert ids == ["crm-1", None]


async def test_unreadable_headers_of_ours_make_a_request_invalid() -> None:
    pipeline = Pipeline()
    await pipeline(a_delivery(progress=Problem("", "the message header is odd")))
    assert pipeline.publisher.buried[0][1].reason is Reason.INVALID


async def test_headers_that_claim_all_parts_were_sent_make_a_request_invalid() -> None:
    pipeline = Pipeline()
    await pipeline(a_delivery(progress=Progress(sent=("m1",), is_republished=True)))
    assert pipeline.publisher.buried[0][1].reason is Reason.INVALID
    assert not pipeline.graph.sent


async def test_unknown_account_is_a_dead_letter_without_a_call() -> None:
    pipeline = Pipeline()
    pipeline.accounts.known.clear()
    await pipeline(a_delivery())
    assert pipeline.publisher.buried[0][1].reason is Reason.ACCOUNT
    assert not pipeline.graph.sent


@pytest.mark.parametrize(
    ("result", "reason", "status"),
    [
        (Refused(Scope.MESSAGE, ERROR), Reason.REJECTED, Status.FAILED),
        (Refused(Scope.RECIPIENT, ERROR), Reason.REJECTED, Status.FAILED),
        (Refused(Scope.WINDOW, ERROR), Reason.EXPIRED, Status.FAILED),
        (Refused(Scope.ACCOUNT, ERROR), Reason.ACCOUNT, Status.FAILED),
        (Unknown(ERROR), Reason.UNCONFIRMED, Status.HELD),
    ],
)
async def test_refusal_or_doubt_ends_in_its_queue(
    result: SendResult, reason: Reason, status: Status
) -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [result]
    await pipeline(a_delivery(on_unknown="hold"))
    assert pipeline.publisher.buried[0][1].reason is reason
    assert pipeline.publisher.announced[0][0].status is status
    assert pipeline.publisher.log == ["bury", "announce", "ack"]
    assert len(pipeline.graph.sent) == 1


async def test_unknown_result_is_sent_again_only_if_the_request_says_so() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [Unknown(ERROR)]
    await pipeline(a_delivery(on_unknown="resend"))
    await pipeline(pipeline.come_back())
    assert len(pipeline.graph.sent) == 2
    assert pipeline.publisher.announced[0][0].status is Status.SENT


async def test_what_was_not_sent_is_parked_until_the_attempts_are_used_up() -> None:
    pipeline = Pipeline(max_attempts=3)
    pipeline.graph.script = [NotSent(ERROR)] * 3
    await pipeline(a_delivery())
    assert pipeline.publisher.log == ["park", "ack"]
    await pipeline(pipeline.come_back())
    await pipeline(pipeline.come_back())
    assert [progress.attempts for _, progress, _ in pipeline.publisher.parked] == [1, 2]
    assert pipeline.publisher.buried[0][1].reason is Reason.EXHAUSTED
    assert pipeline.publisher.announced[0][0].attempts == 3


async def test_throttled_request_waits_without_an_attempt_and_nobody_calls_meanwhile() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [Throttled(Scope.ACCOUNT, ERROR, retry_after_s=60.0)]
    await pipeline(a_delivery())
    await pipeline(a_delivery(id="crm-2", recipient={"id": "other"}))
    assert len(pipeline.graph.sent) == 1
    assert [delay_s for _, _, delay_s in pipeline.publisher.parked] == pytest.approx(
        [60.0, 60.0], abs=0.1
    )
    await pipeline(pipeline.come_back(0))
    event, _ = pipeline.publisher.announced[0]
    assert (event.status, event.attempts) == (Status.SENT, 1)


async def test_throttle_beyond_the_deadline_expires_at_once() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [Throttled(Scope.ACCOUNT, ERROR, retry_after_s=600.0)]
    await pipeline(a_delivery(expires_at=rfc3339(pipeline.clock.time + 60)))
    assert pipeline.publisher.buried[0][1].reason is Reason.EXPIRED


async def test_refused_account_is_not_called_again_until_its_token_changes() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [Refused(Scope.ACCOUNT, ERROR)]
    await pipeline(a_delivery())
    await pipeline(a_delivery(id="crm-2"))
    assert [dead.reason for _, dead, _ in pipeline.publisher.buried] == [Reason.ACCOUNT] * 2
    assert len(pipeline.graph.sent) == 1
    pipeline.accounts.known[ACCOUNT] = Account(ACCOUNT, Secret("IGAAanother"))
    await pipeline(a_delivery(id="crm-3"))
    assert pipeline.publisher.announced[-1][0].status is Status.SENT


async def test_request_that_expired_is_never_sent() -> None:
    pipeline = Pipeline()
    await pipeline(a_delivery(expires_at=rfc3339(pipeline.clock.time - 1)))
    assert pipeline.publisher.buried[0][1].reason is Reason.EXPIRED
    assert not pipeline.graph.sent


async def test_closed_window_is_refused_without_a_call() -> None:
    pipeline = Pipeline()
    await pipeline(a_delivery(last_inbound_at=rfc3339(pipeline.clock.time - 86_400)))
    assert pipeline.publisher.buried[0][1].reason is Reason.EXPIRED
    assert not pipeline.graph.sent


async def test_request_for_later_is_parked_until_then() -> None:
    pipeline = Pipeline()
    await pipeline(a_delivery(not_before=rfc3339(pipeline.clock.time + 90)))
    assert pipeline.publisher.parked[0][2] == pytest.approx(90, abs=0.01)
    await pipeline(pipeline.come_back())
    assert pipeline.publisher.announced[0][0].status is Status.SENT


async def test_parts_go_in_order_and_the_outcome_has_the_id_of_each() -> None:
    pipeline = Pipeline()
    messages = [{"text": str(number)} for number in range(4)]
    await pipeline(a_delivery(message=None, messages=messages))
    assert [part.body["message"] for _, part, _ in pipeline.graph.sent] == messages
    assert pipeline.publisher.announced[0][0].message_ids == ("mid-1", "mid-2", "mid-3", "mid-4")


async def test_retry_resumes_after_the_last_part_that_went() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [Sent("a", None), NotSent(ERROR), Sent("b", None), Sent("c", None)]
    await pipeline(a_delivery(message=None, messages=[{"text": t} for t in "123"]))
    assert pipeline.publisher.parked[0][1].sent == ("a",)
    await pipeline(pipeline.come_back())
    texts = [part.body["message"]["text"] for _, part, _ in pipeline.graph.sent]
    assert texts == ["1", "2", "2", "3"]
    assert pipeline.publisher.announced[0][0].message_ids == ("a", "b", "c")


async def test_dead_letter_of_a_half_sent_request_says_which_parts_went() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [Sent("a", None), Refused(Scope.MESSAGE, ERROR)]
    await pipeline(a_delivery(message=None, messages=[{"text": "1"}, {"text": "2"}]))
    assert pipeline.publisher.buried[0][1].progress.sent == ("a",)
    assert pipeline.publisher.announced[0][0].message_ids == ("a",)


async def test_duplicate_is_answered_with_the_first_outcome_and_not_sent() -> None:
    pipeline = Pipeline()
    await pipeline(a_delivery(metadata={"ticket": 42}))
    again = orjson.dumps(dict(reversed(orjson.loads(a_body(metadata={"ticket": 42})).items())))
    await pipeline(a_delivery(again, reply_to="answers"))
    assert len(pipeline.graph.sent) == 1
    first, second = (event for event, _ in pipeline.publisher.announced)
    assert (first.duplicate, second.duplicate) == (False, True)
    assert second.message_ids == ("mid-1",)
    assert second.metadata == {"ticket": 42}


async def test_redelivery_after_the_end_is_only_acked() -> None:
    pipeline = Pipeline()
    await pipeline(a_delivery())
    await pipeline(a_delivery(redelivered=True))
    assert len(pipeline.publisher.announced) == 1
    assert len(pipeline.receipts.acked) == 2


async def test_same_id_with_another_body_is_invalid_and_leaves_the_first_alone() -> None:
    pipeline = Pipeline()
    await pipeline(a_delivery())
    await pipeline(a_delivery(message={"text": "something else"}))
    assert pipeline.publisher.buried[0][1].reason is Reason.INVALID
    await pipeline(a_delivery())
    assert pipeline.publisher.announced[-1][0].status is Status.SENT
    assert len(pipeline.graph.sent) == 1


async def test_exception_during_a_call_leaves_the_request_unconfirmed() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [ValueError("a bug")]
    await pipeline(a_delivery())
    assert pipeline.publisher.buried[0][1].reason is Reason.UNCONFIRMED
    assert [type(error) for error in pipeline.mishaps] == [ValueError]


async def test_exception_before_a_call_is_tried_again_later() -> None:
    pipeline = Pipeline()

    async def broken(_: object) -> Account | None:
        raise KeyError("a bug")

    pipeline.accounts.find = broken  # type: ignore[assignment]  # the bug under test
    await pipeline(a_delivery())
    assert pipeline.publisher.log == ["park", "ack"]
    assert not pipeline.graph.sent


async def test_dead_letter_that_was_put_back_runs_again_and_resumes() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [Sent("a", None), Refused(Scope.MESSAGE, ERROR)]
    fields: dict[str, Any] = {"message": None, "messages": [{"text": "1"}, {"text": "2"}]}
    await pipeline(a_delivery(**fields))
    back = Progress(sent=("a",), is_republished=True, returned_from="rejected")
    await pipeline(a_delivery(**fields, progress=back))
    texts = [part.body["message"]["text"] for _, part, _ in pipeline.graph.sent]
    assert texts == ["1", "2", "2"]
    assert pipeline.publisher.announced[-1][0].status is Status.SENT


async def test_unconfirmed_dead_letter_that_was_put_back_is_not_sent_blindly() -> None:
    pipeline = Pipeline()
    back = Progress(is_republished=True, returned_from="unconfirmed")
    await pipeline(a_delivery(progress=back))
    assert pipeline.publisher.buried[0][1].reason is Reason.UNCONFIRMED
    assert not pipeline.graph.sent


async def test_conversation_is_never_overlapped_and_keeps_its_order() -> None:
    pipeline = Pipeline()
    pipeline.graph.hold = asyncio.Event()
    tasks = [asyncio.create_task(pipeline(a_delivery(id=f"n{n}"))) for n in range(4)]
    await pipeline.graph.called.wait()
    await asyncio.sleep(0)
    assert len(pipeline.graph.sent) == 1
    pipeline.graph.hold.set()
    await asyncio.gather(*tasks)
    assert [event.id for event, _ in pipeline.publisher.announced] == [f"n{n}" for n in range(4)]


async def test_later_request_waits_behind_the_parked_head_of_its_conversation() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [NotSent(ERROR)]
    await pipeline(a_delivery(id="head"))
    waiting = asyncio.create_task(pipeline(a_delivery(id="next")))
    await waiting
    assert [progress.attempts for _, progress, _ in pipeline.publisher.parked] == [1, 0]
    assert pipeline.observer.reports[-1].outcome.why is Wait.TURN  # type: ignore[union-attr]
    await pipeline(pipeline.come_back(0))
    await pipeline(pipeline.come_back(1))
    sent = [e.id for e, _ in pipeline.publisher.announced if e.status is Status.SENT]
    assert sent == ["head", "next"]


async def test_followers_far_behind_are_parked_at_once_and_fill_no_prefetch() -> None:
    pipeline = Pipeline()
    pipeline.graph.hold = asyncio.Event()
    tasks = [asyncio.create_task(pipeline(a_delivery(id=f"n{n}"))) for n in range(50)]
    await pipeline.graph.called.wait()
    await eventually(lambda: len(pipeline.publisher.parked) == 46, within_s=1.5)
    pipeline.graph.hold.set()
    await asyncio.gather(*tasks)
    assert [event.id for event, _ in pipeline.publisher.announced] == [f"n{n}" for n in range(4)]


async def test_returned_letter_that_has_to_be_parked_still_runs_when_it_comes_back() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [Refused(Scope.MESSAGE, ERROR), NotSent(ERROR)]
    await pipeline(a_delivery())
    back = Progress(is_republished=True, returned_from="rejected")
    await pipeline(a_delivery(progress=back))
    await pipeline(pipeline.come_back())
    assert pipeline.publisher.announced[-1][0].status is Status.SENT
