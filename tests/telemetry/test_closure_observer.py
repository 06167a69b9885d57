"""An account that the API refuses is told of once, however many of its requests die."""

from structlog.testing import capture_logs

from tests.support.pipeline import Pipeline, a_delivery
from worker.core.send_result import GraphError, Refused, Scope
from worker.telemetry.closure_observer import ClosureObserver

REVOKED = Refused(Scope.ACCOUNT, GraphError("the token is revoked", 190, 460, http_status=400))
NO_PERSON = Refused(Scope.RECIPIENT, GraphError("no such person", 100, 2534014))


async def said_of(pipeline: Pipeline, count: int) -> list[tuple[str, str]]:
    for number in range(count):
        await pipeline(a_delivery(id=f"r-{number}", recipient={"id": f"60000{number}"}))
    with capture_logs() as lines:
        observer = ClosureObserver()
        for report in pipeline.observer.reports:
            observer.observe(report)
    return [(line["log_level"], line["event"]) for line in lines]


async def test_refused_account_is_told_of_once_although_many_die() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [REVOKED]
    assert await said_of(pipeline, 5) == [("warning", "account closed: the API refuses it")]


async def test_account_that_sends_again_is_told_of_once_too() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [REVOKED]
    await pipeline(a_delivery(id="refused"))
    pipeline.clock.time += 3600
    assert await said_of(pipeline, 3) == [
        ("warning", "account closed: the API refuses it"),
        ("info", "account sends again"),
    ]


async def test_refusal_of_a_message_says_nothing_of_the_account() -> None:
    pipeline = Pipeline()
    pipeline.graph.script = [NO_PERSON]
    assert await said_of(pipeline, 2) == []
