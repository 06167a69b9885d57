"""Deliveries that come while their request is in hand: each is settled, and who waits is told."""

import asyncio
from typing import Any

from tests.support.builders import an_error
from tests.support.pipeline import Pipeline, a_delivery
from worker.core.delivery import Delivery
from worker.core.outcome_event import Status
from worker.core.reason import Reason
from worker.core.send_result import NotSent

ERROR = an_error("because")


async def test_redelivery_joins_the_running_attempt_and_gets_its_ack() -> None:
    pipeline = Pipeline()
    pipeline.graph.hold = asyncio.Event()
    first, second = a_delivery(), a_delivery(redelivered=True)
    running = asyncio.create_task(pipeline(first))
    await pipeline.graph.called.wait()
    await pipeline(second)
    assert pipeline.receipts.acked == []
    pipeline.graph.hold.set()
    await running
    assert len(pipeline.graph.sent) == 1
    assert [id(d) for d in pipeline.receipts.acked] == [id(first), id(second)]
    assert len(pipeline.process.in_flight) == 0


async def test_same_id_with_another_body_is_invalid_while_the_first_is_running() -> None:
    pipeline = Pipeline()
    pipeline.graph.hold = asyncio.Event()
    running = asyncio.create_task(pipeline(a_delivery()))
    await pipeline.graph.called.wait()
    await pipeline(a_delivery(message={"text": "something else"}))
    assert pipeline.publisher.buried[0][1].reason is Reason.INVALID
    pipeline.graph.hold.set()
    await running
    assert pipeline.publisher.announced[-1][0].status is Status.SENT


async def test_each_address_of_a_parked_request_keeps_a_copy() -> None:
    pipeline = Pipeline()
    pipeline.graph.hold = asyncio.Event()
    pipeline.graph.script = [NotSent(ERROR)]
    running = asyncio.create_task(pipeline(a_delivery(reply_to="one")))
    await pipeline.graph.called.wait()
    await pipeline(a_delivery(reply_to="two"))
    await pipeline(a_delivery(reply_to="one", redelivered=True))
    pipeline.graph.hold.set()
    await running
    addresses = {delivery.properties.reply_to for delivery, _, _ in pipeline.publisher.parked}
    assert addresses == {"one", "two"}
    assert len(pipeline.publisher.parked) == 2
    assert len(pipeline.receipts.acked) == 3


async def while_it_is_parked(*later: Delivery) -> Pipeline:
    """Park a request of the address "one"; `later` come while the broker has not confirmed that."""
    pipeline = Pipeline()
    pipeline.graph.script = [NotSent(ERROR)]
    park = pipeline.publisher.park
    coming = list(later)

    async def slowly(*arguments: Any, **named: Any) -> None:
        await park(*arguments, **named)
        if coming:
            await pipeline(coming.pop(0))

    pipeline.publisher.park = slowly  # type: ignore[method-assign]  # the moment under test
    await pipeline(a_delivery(reply_to="one"))
    assert not coming
    return pipeline


async def test_address_that_comes_while_the_request_is_parked_gets_a_copy_too() -> None:
    pipeline = await while_it_is_parked(a_delivery(reply_to="two"), a_delivery(reply_to="three"))
    addresses = [delivery.properties.reply_to for delivery, _, _ in pipeline.publisher.parked]
    assert addresses == ["one", "two", "three"]
    assert len(pipeline.receipts.acked) == 3
    assert pipeline.publisher.log[-1] == "ack"


async def test_redelivery_that_comes_while_the_request_is_parked_gets_its_ack_alone() -> None:
    pipeline = await while_it_is_parked(a_delivery(reply_to="one", redelivered=True))
    assert len(pipeline.publisher.parked) == 1
    assert len(pipeline.receipts.acked) == 2


async def test_every_delivery_that_comes_while_one_is_handed_back_is_handed_back() -> None:
    pipeline = Pipeline()
    pipeline.drain.begin()
    hand_back = pipeline.receipts.hand_back
    coming = [a_delivery(reply_to="two")]

    async def slowly(delivery: Delivery) -> None:
        await hand_back(delivery)
        if coming:
            await pipeline(coming.pop())

    pipeline.receipts.hand_back = slowly  # type: ignore[method-assign]  # the moment under test
    await pipeline(a_delivery(reply_to="one"))
    assert [each.properties.reply_to for each in pipeline.receipts.handed_back] == ["one", "two"]
    assert pipeline.publisher.log == ["hand back", "hand back"]
