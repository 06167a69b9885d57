"""The canary hears of its own batch, whatever else is announced."""

import orjson
import pytest

from tests.dead.letters import FakeDeliveries, incoming
from worker.dead.outcomes import Outcomes

BATCH = "20261123T101500-7f3a"


def an_event(batch: object = BATCH, **fields: object) -> bytes:
    replay = {"batch": batch, "count": 1, "operator": "ada"}
    return orjson.dumps({"id": "a", "status": "sent", "replay": replay} | fields)


def heard(*bodies: bytes) -> dict[str, str]:
    outcomes, deliveries = Outcomes(BATCH), FakeDeliveries()
    for tag, body in enumerate(bodies):
        outcomes.take(incoming(b"", body, tag=tag, deliveries=deliveries))
    assert deliveries.settled == list(range(len(bodies))), "each is acked"
    return outcomes.status


def test_outcome_of_the_batch_is_heard() -> None:
    assert heard(an_event(), an_event(id="b", status="failed")) == {"a": "sent", "b": "failed"}


@pytest.mark.parametrize(
    "body",
    [
        an_event("another"),
        an_event(id=None),
        an_event(status=7),
        an_event(replay=None),
        an_event(replay=BATCH),
        an_event(["list", BATCH]),
        BATCH.encode(),
        f'["{BATCH}"]'.encode(),
        f'{{"{BATCH}'.encode(),
        b"\xff" + BATCH.encode(),
    ],
)
def test_everything_else_is_not(body: bytes) -> None:
    assert heard(body) == {}


async def test_what_is_missing_is_named_when_nothing_came_for_so_long() -> None:
    outcomes = Outcomes(BATCH, {"a": "sent"})
    assert await outcomes.of({"a"}, patience_s=60.0) == set()
    assert await outcomes.of({"a", "b"}, patience_s=0.01) == {"b"}
