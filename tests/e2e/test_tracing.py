"""With the standard OTEL_* variables a request's way shows as spans in its producer's trace."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

import aio_pika
import pytest
import pytest_asyncio

from tests.support.builders import a_document
from tests.support.collector import CollectedSpan, Collector, a_collector
from tests.support.nodes import Broker
from tests.support.producer import a_producer
from tests.support.system import System, running_system
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker

ACCOUNT = "17841400000000701"


@dataclass(frozen=True, slots=True)
class Scene:
    """A system that exports its spans."""

    system: System
    collector: Collector

    async def spans(self, trace: str) -> dict[str, CollectedSpan]:
        """Wait until a trace has the pass of its request, and give its spans by name."""

        def has_come() -> bool:
            return any(s.name.startswith("process") for s in self.collector.of_trace(trace))

        await eventually(has_come)
        return {span.name: span for span in self.collector.of_trace(trace)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(
    module_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("tracing")
    async with a_collector() as collector:
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
            "IGSEND_PARTITIONS": "1",
        }
        tokens = {ACCOUNT: "IGAAtraced"}
        async with running_system(module_broker, folder, tokens, settings=settings) as system:
            yield Scene(system, collector)


def a_request(**fields: Any) -> dict[str, Any]:
    """Build a request with an id of its own."""
    return a_document(id=token_hex(6), account_id=ACCOUNT, **fields)


def a_trace(*, is_sampled: bool = True) -> tuple[str, str, str]:
    """Give (traceparent, trace, span) of a producer."""
    trace, span = token_hex(16), token_hex(8)
    return f"00-{trace}-{span}-{'01' if is_sampled else '00'}", trace, span


@pytest.mark.asyncio(loop_scope="module")
async def test_steps_and_calls_are_spans_of_the_producers_trace_and_linked_to_it(
    scene: Scene,
) -> None:
    parent, trace, producer_span = a_trace()
    async with a_producer(scene.system.broker) as producer:
        request = a_request()
        headers: dict[str, aio_pika.abc.FieldValue] = {"traceparent": parent}
        outcome = await producer.outcome_of(request, headers=headers)
    assert outcome["status"] == "sent"

    spans = await scene.spans(trace)
    queue = f"{scene.system.broker.prefix}.send.v1.00"
    handled = spans[f"process {queue}"]
    assert (handled.kind, handled.parent) == ("consumer", producer_span)
    assert handled.links == [(trace, producer_span)]
    assert {spans[step].parent for step in ("admit", "send", "settle")} == {handled.id}
    call = spans["POST /{account_id}/messages"]
    assert (call.kind, call.parent) == ("client", spans["send"].id)
    assert call.attributes["server.address"] == "127.0.0.1"
    assert not any(span.is_error for span in spans.values())
    said = handled.attributes
    assert (said["igsend.outcome"], said["igsend.id"]) == ("sent", request["id"])
    assert (said["igsend.account_id"], said["messaging.system"]) == (ACCOUNT, "rabbitmq")
    assert said["messaging.destination.name"] == queue
    assert handled.resource["service.name"] == "igsend"
    assert handled.resource["deployment.environment.name"] == "test"


@pytest.mark.asyncio(loop_scope="module")
async def test_outcome_carries_the_trace_on_and_the_log_line_names_it(scene: Scene) -> None:
    request = a_request()
    parent, trace, _ = a_trace()
    async with await aio_pika.connect(scene.system.broker.amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(f"{scene.system.broker.prefix}.outcomes", routing_key="#")
        async with a_producer(scene.system.broker) as producer:
            await producer.outcome_of(request, headers={"traceparent": parent, "tracestate": "a=1"})
        event = await queue.get(timeout=30)
    spans = await scene.spans(trace)
    assert event.headers["traceparent"] == f"00-{trace}-{spans['settle'].id}-01"
    assert event.headers["tracestate"] == "a=1"
    assert f'"trace_id":"{trace}"' in scene.system.worker.process.log.read_text()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_fails_is_an_error_that_says_why(scene: Scene) -> None:
    request = a_request(recipient={"id": "70501"})
    script = {"match": {"recipient_id": "70501"}, "scenario": "person_unavailable"}
    await scene.system.sandbox.admin("POST", "faults", script)
    parent, trace, _ = a_trace()
    async with a_producer(scene.system.broker) as producer:
        outcome = await producer.outcome_of(request, headers={"traceparent": parent})
    spans = await scene.spans(trace)
    call = spans["POST /{account_id}/messages"]
    assert call.is_error
    assert call.attributes["igsend.result"] == "refused"
    assert call.attributes["igsend.code"] == outcome["error"]["code"]
    (handled,) = [span for name, span in spans.items() if name.startswith("process")]
    assert handled.is_error
    assert handled.attributes["igsend.reason"] == "rejected"


@pytest.mark.asyncio(loop_scope="module")
async def test_every_pass_of_a_request_that_had_to_wait_is_in_the_same_trace(scene: Scene) -> None:
    request = a_request(recipient={"id": "70502"})
    script = {"match": {"recipient_id": "70502"}, "scenario": "throttled_retry_after"}
    await scene.system.sandbox.admin("POST", "faults", script)
    parent, trace, producer_span = a_trace()
    async with a_producer(scene.system.broker) as producer:
        await producer.outcome_of(request, headers={"traceparent": parent})

    def passes() -> list[CollectedSpan]:
        spans = scene.collector.of_trace(trace)
        return [span for span in spans if span.name.startswith("process")]

    await eventually(lambda: any(s.attributes["igsend.outcome"] == "sent" for s in passes()))
    assert len(passes()) > 1
    assert {span.parent for span in passes()} == {producer_span}


@pytest.mark.asyncio(loop_scope="module")
async def test_producer_that_does_not_sample_decides_for_the_worker_too(scene: Scene) -> None:
    unsampled, silent, _ = a_trace(is_sampled=False)
    sampled, trace, _ = a_trace()
    person = {"id": "70503"}
    async with a_producer(scene.system.broker) as producer:
        first = a_request(recipient=person)
        await producer.outcome_of(first, headers={"traceparent": unsampled})
        then = a_request(recipient=person)
        await producer.outcome_of(then, headers={"traceparent": sampled})
    await scene.spans(trace)
    assert scene.collector.of_trace(silent) == []


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("header", ["", "nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01"])
async def test_request_without_a_valid_trace_begins_one(scene: Scene, header: str) -> None:
    request = a_request()
    async with a_producer(scene.system.broker) as producer:
        await producer.outcome_of(request, headers={"traceparent": header, "tracestate": "=,=\n"})

    def roots() -> list[CollectedSpan]:
        return [s for s in scene.collector.spans if s.attributes.get("igsend.id") == request["id"]]

    await eventually(lambda: bool(roots()))
    (root,) = roots()
    assert (root.parent, root.links) == ("", [])


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_no_request_has_a_span_as_well(scene: Scene) -> None:
    parent, trace, _ = a_trace()
    async with a_producer(scene.system.broker) as producer:
        await producer.outcome_of(b"not JSON", headers={"traceparent": parent})
    spans = await scene.spans(trace)
    (handled,) = [span for name, span in spans.items() if name.startswith("process")]
    assert handled.attributes["igsend.reason"] == "invalid"
    assert "settle" in spans


async def test_collector_that_is_away_costs_no_request_and_holds_up_no_stop(
    module_broker: Broker, tmp_path: Path
) -> None:
    broker = Broker(
        module_broker.amqp_url, f"{module_broker.prefix}.away", "", module_broker.server
    )
    settings = {
        # Nobody listens there: port 9 of this machine.
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "OTEL_BSP_SCHEDULE_DELAY": "10",
    }
    tokens = {ACCOUNT: "IGAAtraced"}
    async with (
        running_system(broker, tmp_path, tokens, settings=settings),
        a_producer(broker) as producer,
    ):
        for _ in range(5):
            outcome = await producer.outcome_of(a_request())
            assert outcome["status"] == "sent"
