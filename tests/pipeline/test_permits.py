"""Permits: as many at a time as there are, the urgent first, none lost, none asked for in vain."""

import asyncio

import pytest

from tests.support.pipeline import ACCOUNT, Pipeline, a_delivery
from tests.support.waiting import eventually
from worker.core.account import Account
from worker.core.kind import Bucket
from worker.core.rate_limit import parse_limit
from worker.core.secret import Secret
from worker.pipeline.permits import LEAVING, Permit, Permits


async def test_urgent_goes_before_those_that_came_earlier() -> None:
    permits, order = Permits(1), list[str]()
    first = Permit(permits)
    await first.take()

    async def take(name: str, *, is_urgent: bool) -> None:
        permit = Permit(permits)
        await permit.take(is_urgent=is_urgent)
        order.append(name)
        permit.give_back()

    async with asyncio.TaskGroup() as tasks:
        for name, is_urgent in (("a", False), ("b", False), ("urgent", True)):
            tasks.create_task(take(name, is_urgent=is_urgent))
        await asyncio.sleep(0)
        first.give_back()
    assert order == ["urgent", "a", "b"]
    assert permits.calls.free == 1


async def test_permit_is_taken_and_given_back_once() -> None:
    permits = Permits(2)
    permit = Permit(permits)
    await permit.take()
    await permit.take()
    assert permits.calls.free == 1
    permit.give_back()
    permit.give_back()
    assert permits.calls.free == 2


@pytest.mark.parametrize("is_handed_over", [False, True])
async def test_permit_of_a_cancelled_waiter_is_not_lost(is_handed_over: bool) -> None:
    permits = Permits(1)
    first = Permit(permits)
    await first.take()
    waiter = asyncio.create_task(Permit(permits).take())
    await asyncio.sleep(0)
    if is_handed_over:
        first.give_back()
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    first.give_back()
    assert permits.calls.free == 1


async def test_only_a_few_are_at_the_door_until_their_calls_have_left() -> None:
    permits, order = Permits(3, leaving=1), list[str]()
    first, second = Permit(permits), Permit(permits)
    await first.take()

    async def take() -> None:
        await second.take()
        order.append("second is at the door")

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(take())
        await asyncio.sleep(0)
        assert (permits.calls.free, order) == (1, [])
        first.leave_door()
    assert order == ["second is at the door"]
    assert (permits.calls.free, permits.door.free) == (1, 0)
    first.give_back()
    second.give_back()
    assert (permits.calls.free, permits.door.free) == (3, 1)


async def test_request_leaves_the_door_when_its_call_has_left() -> None:
    pipeline = Pipeline(concurrency=5, leaving=1)
    limits = {Bucket.TEXT: parse_limit("100000/s")}
    pipeline.accounts.known[ACCOUNT] = Account(ACCOUNT, Secret("IGAAtoken"), limits=limits)
    pipeline.graph.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for number in range(5):
            delivery = a_delivery(id=f"r-{number}", recipient={"id": f"60000{number}"})
            tasks.create_task(pipeline(delivery))
        await eventually(lambda: len(pipeline.graph.sent) == 5)
        pipeline.graph.hold.set()
    assert len(pipeline.publisher.announced) == 5


@pytest.mark.parametrize(
    ("limit", "is_at_door"),
    [("100/s", True), ("50/s", False)],
    ids=["10 ms ahead", "20 ms ahead"],
)
async def test_slot_is_waited_for_at_the_door_only_when_it_is_very_near(
    limit: str, is_at_door: bool
) -> None:
    pipeline = Pipeline()
    limits = {Bucket.TEXT: parse_limit(limit)}
    pipeline.accounts.known[ACCOUNT] = Account(ACCOUNT, Secret("IGAAtoken"), limits=limits)
    await pipeline(a_delivery(id="first"))
    seen: list[bool] = []
    permits = pipeline.permits
    sleep_until = pipeline.clock.sleep_until

    async def watched(moment: float) -> None:
        seen.append(permits.door.free < LEAVING)
        await sleep_until(moment)

    pipeline.clock.sleep_until = watched  # type: ignore[method-assign]  # the moment under test
    await pipeline(a_delivery(id="second"))
    assert seen == [is_at_door]
    assert len(pipeline.graph.sent) == 2
    assert permits.door.free == LEAVING


async def test_nobody_asks_the_gate_who_could_not_call() -> None:
    pipeline = Pipeline(concurrency=2)
    limits = {Bucket.TEXT: parse_limit("100000/s")}
    pipeline.accounts.known[ACCOUNT] = Account(ACCOUNT, Secret("IGAAtoken"), limits=limits)
    pipeline.graph.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for number in range(10):
            delivery = a_delivery(id=f"r-{number}", recipient={"id": f"60000{number}"})
            tasks.create_task(pipeline(delivery))
        await pipeline.graph.called.wait()
        await asyncio.sleep(0)
        assert pipeline.gate.status()["remembered"] == 2
        pipeline.graph.hold.set()
    assert len(pipeline.graph.sent) == 10


async def test_request_that_waits_in_hand_leaves_its_permit_to_others() -> None:
    pipeline = Pipeline(concurrency=2)
    other = Account("17841405822304999", Secret("IGAAother"))
    pipeline.accounts.known[other.id] = other
    pipeline.graph.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        # The second waits for its turn behind the first; the third is somebody else's.
        for delivery in (
            a_delivery(id="first"),
            a_delivery(id="second"),
            a_delivery(id="third", account_id=other.id),
        ):
            tasks.create_task(pipeline(delivery))
        await eventually(lambda: [each[0] for each in pipeline.graph.sent] == [ACCOUNT, other.id])
        pipeline.graph.hold.set()
    assert len(pipeline.graph.sent) == 3
