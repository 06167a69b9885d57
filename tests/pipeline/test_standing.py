"""What a request in hand is doing: a place of this process, or something else, is what it lacks."""

import asyncio
from collections import Counter

from tests.support.builders import a_request
from tests.support.pipeline import ACCOUNT, Pipeline, a_delivery
from tests.support.waiting import eventually
from worker.core.account import Account
from worker.core.kind import Bucket
from worker.core.progress import Progress
from worker.core.rate_limit import parse_limit
from worker.core.secret import Secret
from worker.core.sendable import Standing
from worker.pipeline.in_flight import Attempt
from worker.pipeline.permits import Permit, Permits

FAST = {Bucket.TEXT: parse_limit("100000/s")}


def standings(pipeline: Pipeline) -> Counter[Standing]:
    return Counter(each.standing for each in pipeline.process.in_flight.all())


async def test_calls_are_under_way_and_others_wait_for_a_place_or_for_their_turn() -> None:
    pipeline = Pipeline(concurrency=2)
    pipeline.accounts.known[ACCOUNT] = Account(ACCOUNT, Secret("IGAAtoken"), limits=FAST)
    pipeline.graph.hold = asyncio.Event()
    people = ["60001", "60001", "60002", "60003", "60004"]
    async with asyncio.TaskGroup() as tasks:
        for number, person in enumerate(people):
            delivery = a_delivery(id=f"r-{number}", recipient={"id": person})
            tasks.create_task(pipeline(delivery))
        await eventually(lambda: len(pipeline.graph.sent) == 2)
        assert standings(pipeline) == {
            Standing.CALLING: 2,
            Standing.UNASKED: 2,
            Standing.HELD: 1,
        }
        in_hand = pipeline.process.in_flight.all()
        assert {each.queue for each in in_hand} == {"ig.send.v1.03"}
        assert {each.request.account_id for each in in_hand} == {ACCOUNT}
        pipeline.graph.hold.set()
    assert standings(pipeline) == {}


async def test_answered_call_is_done_while_the_broker_is_told() -> None:
    pipeline = Pipeline()
    seen: list[Counter[Standing]] = []
    pipeline.publisher.before_announce = lambda: seen.append(standings(pipeline))
    await pipeline(a_delivery())
    assert seen == [{Standing.DONE: 1}]


async def test_request_with_a_slot_that_finds_no_place_is_next() -> None:
    permits = Permits(1)
    first, second = Permit(permits), Permit(permits)
    await first.take()
    waiting = asyncio.create_task(second.take(is_urgent=True))
    await asyncio.sleep(0)
    attempt = Attempt(a_request(), [a_delivery()], Progress(), 0.0, permit=second)
    attempt.is_in_our_hands = attempt.is_slot_unused = True
    assert attempt.standing is Standing.NEXT
    first.give_back()
    await waiting
    assert attempt.standing.name == "HELD", "its slot is a moment away"
