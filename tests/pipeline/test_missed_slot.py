"""A slot that was missed, be it by a late connection, costs no attempt."""

from tests.support.pipeline import Pipeline, a_delivery
from worker.core.outcome_event import Status
from worker.core.send_result import Missed


async def test_call_that_missed_its_slot_is_made_in_another_one() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [Missed(), Missed()]
    await pipeline(a_delivery())
    event, _ = pipeline.publisher.announced[0]
    assert (event.status, event.attempts) == (Status.SENT, 1)
    assert len(pipeline.graph.sent) == 3
