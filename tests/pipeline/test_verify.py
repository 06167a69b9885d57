"""A call without a result: the conversation is asked before anything is sent again."""

import pytest

from tests.support.builders import an_error
from tests.support.fakes import START
from tests.support.pipeline import ACCOUNT, Pipeline, a_delivery
from worker.core.outcome import Wait
from worker.core.outcome_event import Status
from worker.core.reason import Reason
from worker.core.send_result import Scope, Throttled, Unknown
from worker.core.verification import Listed, ListedMessage, Unlisted

ERROR = an_error("no answer came")
TEXT = "Your order is on its way."
PARTS = [{"text": TEXT}, {"text": "Anything else?"}]


def shown(text: str = TEXT, *, at: float = START, mid: str = "found") -> Listed:
    return Listed((ListedMessage(mid, at, ACCOUNT, text),), 1)


def a_pipeline() -> Pipeline:
    pipeline = Pipeline()
    pipeline.graph.script = [Unknown(ERROR)]
    return pipeline


async def test_message_that_is_found_was_sent() -> None:
    pipeline = a_pipeline()
    await pipeline(a_delivery())
    pipeline.conversations.listing = shown()
    await pipeline(pipeline.come_back())
    (event, _) = pipeline.publisher.announced[0]
    assert (event.status, event.message_ids, event.attempts) == (Status.SENT, ("found",), 1)
    assert len(pipeline.graph.sent) == 1


async def test_parts_behind_the_one_that_is_found_are_sent() -> None:
    pipeline = a_pipeline()
    await pipeline(a_delivery(message=None, messages=PARTS))
    pipeline.conversations.listing = shown()
    await pipeline(pipeline.come_back())
    (event, _) = pipeline.publisher.announced[0]
    assert event.message_ids == ("found", "mid-2")
    assert [part.body["message"] for _, part, _ in pipeline.graph.sent] == PARTS


async def test_message_that_is_not_found_twice_is_held_and_never_sent_again() -> None:
    pipeline = a_pipeline()
    await pipeline(a_delivery())
    await pipeline(pipeline.come_back())
    await pipeline(pipeline.come_back())
    assert pipeline.conversations.asked == 2
    assert pipeline.publisher.buried[0][1].reason is Reason.UNCONFIRMED
    assert pipeline.publisher.announced[0][0].status is Status.HELD
    assert len(pipeline.graph.sent) == 1


async def test_nobody_asks_before_the_message_can_be_listed() -> None:
    pipeline = a_pipeline()
    await pipeline(a_delivery())
    early = pipeline.come_back()
    pipeline.clock.time = START + 1
    await pipeline(early)
    assert pipeline.conversations.asked == 0
    assert pipeline.publisher.parked[-1][2] == pytest.approx(7, abs=0.1)


async def test_others_of_the_conversation_wait_until_it_is_clear() -> None:
    pipeline = a_pipeline()
    await pipeline(a_delivery())
    await pipeline(a_delivery(id="crm-2"))
    assert pipeline.observer.reports[-1].outcome.why is Wait.TURN  # type: ignore[union-attr]
    pipeline.conversations.listing = shown()
    await pipeline(pipeline.come_back(0))
    await pipeline(pipeline.come_back(1))
    assert [event.id for event, _ in pipeline.publisher.announced] == ["crm-1", "crm-2"]


async def test_a_throttle_of_the_check_is_no_check() -> None:
    pipeline = a_pipeline()
    await pipeline(a_delivery())
    throttle = Throttled(Scope.ACCOUNT, ERROR, retry_after_s=60.0)
    pipeline.conversations.listing = Unlisted(ERROR, 1, throttle)
    await pipeline(pipeline.come_back())
    _, progress, delay_s = pipeline.publisher.parked[-1]
    assert progress.checks == 0
    assert delay_s == pytest.approx(60, abs=0.1)
    assert progress.is_doubtful
    await pipeline(a_delivery(id="crm-2", recipient={"id": "another"}))
    assert pipeline.observer.reports[-1].outcome.why is Wait.COOLDOWN  # type: ignore[union-attr]


async def test_a_check_that_fails_counts() -> None:
    pipeline = a_pipeline()
    await pipeline(a_delivery())
    pipeline.conversations.listing = Unlisted(ERROR, 1)
    await pipeline(pipeline.come_back())
    await pipeline(pipeline.come_back())
    assert pipeline.publisher.buried[0][1].reason is Reason.UNCONFIRMED
