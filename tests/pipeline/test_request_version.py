"""Which version a request is in: it is said in the outcome and the log, and never guessed."""

import orjson
import pytest

from tests.support.pipeline import Pipeline, a_body, a_delivery
from worker.core.delivery import Delivery
from worker.core.outcome_event import Status
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.send_result import GraphError, NotSent
from worker.telemetry.wide_event import facts_of


def typed(type_: str | None, body: bytes | None = None) -> Delivery:
    delivery = a_delivery(body)
    return delivery._replace(properties=delivery.properties._replace(type=type_))


async def passed(delivery: Delivery) -> Pipeline:
    pipeline = Pipeline()
    await pipeline(delivery)
    return pipeline


@pytest.mark.parametrize("type_", [None, "igsend.request.v1", "crm.message"])
async def test_the_first_version_is_sent_and_named_in_event_and_log(type_: str | None) -> None:
    pipeline = await passed(typed(type_))
    [(event, _)] = pipeline.publisher.announced
    assert event.status is Status.SENT
    assert event.document()["request_schema"] == "igsend.request.v1"
    [report] = pipeline.observer.reports
    assert facts_of(report)["request_schema"] == "igsend.request.v1"


async def test_a_version_that_is_not_known_is_invalid_and_nothing_is_sent() -> None:
    delivery = typed("igsend.request.v2")
    pipeline = await passed(delivery)
    assert not pipeline.graph.sent
    [(buried, dead, identity)] = pipeline.publisher.buried
    assert (buried, dead.reason) == (delivery, Reason.INVALID), "body and properties untouched"
    assert "igsend.request.v2" in dead.detail
    [(event, _)] = pipeline.publisher.announced
    document = event.document()
    assert (document["request_schema"], document["id"]) == (None, identity.id)
    assert document["id"] == "crm-1"
    [report] = pipeline.observer.reports
    assert facts_of(report)["request_schema"] is None


async def test_of_another_version_nothing_is_said_but_that() -> None:
    body = orjson.dumps({"id": "crm-1", "account_id": "17841405822304914", "new": True})
    pipeline = await passed(typed("igsend.request.v2", body))
    [(_, dead, _)] = pipeline.publisher.buried
    assert len(dead.problems) == 1


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]"])
async def test_a_body_of_another_version_need_not_be_json(body: bytes) -> None:
    pipeline = await passed(typed("igsend.request.v2", body))
    [(_, dead, identity)] = pipeline.publisher.buried
    assert (dead.reason, identity.id) == (Reason.INVALID, None)
    assert "igsend.request.v2" in dead.detail


async def test_an_invalid_request_of_the_first_version_is_said_to_be_of_it() -> None:
    pipeline = await passed(a_delivery(a_body(extra=True)))
    [(event, _)] = pipeline.publisher.announced
    assert event.document()["request_schema"] == "igsend.request.v1"


async def test_the_version_goes_with_a_parked_copy() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [NotSent(GraphError("no connection"))]
    await pipeline(typed("igsend.request.v1"))
    copy = pipeline.come_back()
    assert copy.properties.type == "igsend.request.v1"
    await pipeline(copy)
    assert pipeline.publisher.announced[0][0].status is Status.SENT


async def test_a_letter_of_a_version_that_is_known_by_now_is_sent_when_it_is_put_back() -> None:
    back = typed("igsend.request.v1")._replace(
        progress=Progress(is_republished=True, returned_from=Reason.INVALID.value)
    )
    pipeline = await passed(back)
    assert pipeline.publisher.announced[0][0].status is Status.SENT
