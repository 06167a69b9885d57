"""Stopping: nothing new begins, what is under way finishes or is settled as unknown."""

import asyncio

from tests.support.pipeline import Pipeline, a_delivery
from worker.core.progress import Progress
from worker.core.send_result import Sent


async def test_what_has_not_begun_is_handed_back() -> None:
    pipeline = Pipeline()
    pipeline.drain.begin()
    await pipeline(a_delivery())
    assert pipeline.publisher.log == ["hand back"]
    assert not pipeline.graph.sent


async def test_call_under_way_finishes_and_is_settled() -> None:
    pipeline = Pipeline()
    pipeline.graph.hold = asyncio.Event()
    stop = asyncio.Event()
    consuming = asyncio.create_task(pipeline.consumer.run(stop, drain_s=30))
    await asyncio.sleep(0)
    pipeline.consumer.submit(a_delivery())
    await pipeline.graph.called.wait()
    stop.set()
    await asyncio.sleep(0)
    pipeline.graph.hold.set()
    assert await consuming
    assert pipeline.publisher.log == ["announce", "ack"]


async def test_call_that_outlasts_the_drain_is_left_to_a_check_by_another_worker() -> None:
    pipeline = Pipeline()
    pipeline.graph.hold = asyncio.Event()
    stop = asyncio.Event()
    consuming = asyncio.create_task(pipeline.consumer.run(stop, drain_s=0.05))
    await asyncio.sleep(0)
    pipeline.consumer.submit(a_delivery())
    await pipeline.graph.called.wait()
    stop.set()
    assert await consuming
    (_, progress, _) = pipeline.publisher.parked[0]
    assert progress.is_doubtful
    assert pipeline.publisher.log == ["park", "ack"]


async def test_half_sent_request_is_parked_with_its_parts_when_the_worker_stops() -> None:
    pipeline = Pipeline()
    pipeline.graph.hold = asyncio.Event()
    pipeline.graph.script = [Sent("a", None)]
    running = asyncio.create_task(
        pipeline(a_delivery(message=None, messages=[{"text": "1"}, {"text": "2"}]))
    )
    await pipeline.graph.called.wait()
    pipeline.drain.begin()
    pipeline.graph.hold.set()
    await running
    assert pipeline.publisher.log == ["park", "ack"]
    assert pipeline.publisher.parked[0][1].sent == ("a",)


async def test_request_waiting_for_a_permit_is_handed_back_when_the_worker_stops() -> None:
    pipeline = Pipeline(concurrency=1)
    pipeline.graph.hold = asyncio.Event()
    first = asyncio.create_task(pipeline(a_delivery()))
    await pipeline.graph.called.wait()
    second = asyncio.create_task(pipeline(a_delivery(id="crm-2", recipient={"id": "other"})))
    await asyncio.sleep(0)
    pipeline.drain.begin()
    pipeline.graph.hold.set()
    await asyncio.gather(first, second)
    assert len(pipeline.graph.sent) == 1
    assert len(pipeline.receipts.handed_back) == 1


async def test_failure_to_settle_gives_the_delivery_back_to_the_broker() -> None:
    pipeline = Pipeline()

    async def broken(*_: object, **__: object) -> None:
        raise OSError("no ledger")

    pipeline.gate.conclude = broken  # type: ignore[method-assign]  # the failure under test
    stop = asyncio.Event()
    consuming = asyncio.create_task(pipeline.consumer.run(stop, drain_s=30))
    await asyncio.sleep(0)
    pipeline.consumer.submit(a_delivery(progress=Progress()))
    stop.set()
    assert await consuming
    assert pipeline.publisher.log == ["hand back"]
    assert [type(error) for error in pipeline.mishaps] == [OSError]
