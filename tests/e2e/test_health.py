"""The HTTP endpoints of a running worker, and what it says while the broker is away."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex

import pytest
import pytest_asyncio

from tests.support.builders import a_document
from tests.support.commands import exit_code, said, started
from tests.support.nodes import Broker, RabbitServer
from tests.support.producer import a_producer
from tests.support.system import RunningWorker, System, running_system, token_files
from tests.support.waiting import eventually
from worker.local.rabbitmq import RabbitNode

pytestmark = pytest.mark.broker

ACCOUNT = "17841400000000001"
ROLES = ("consume", "publish")
SAMPLE = re.compile(r"^(igsend_\w+)(\{[^}]*\})? ([-+.\deE]+|NaN|\+Inf)$")


async def test_a_running_worker_is_alive_ready_and_says_what_it_holds(system: System) -> None:
    alive = await system.worker.get("/livez")
    ready = await system.worker.get("/readyz")
    status = await system.worker.get("/status")
    assert (alive.status, alive.json) == (200, {"alive": True})
    assert (ready.status, ready.json) == (200, {"ready": True, "reasons": []})
    assert (status.status, status.json["ready"]) == (200, True)
    assert status.json["accounts"]["loaded"] >= 3
    assert {answer.content_type for answer in (alive, ready, status)} == {"application/json"}


async def test_metrics_are_for_prometheus_counted_and_without_accounts(system: System) -> None:
    before = sent_by((await system.worker.get("/metrics")).text)
    async with a_producer(system.broker) as producer:
        for _ in range(3):
            request = a_document(id=token_hex(6), account_id=ACCOUNT)
            assert (await producer.outcome_of(request))["status"] == "sent"

    async def all_are_counted() -> bool:
        return sent_by((await system.worker.get("/metrics")).text) == before + 3

    await eventually(all_are_counted)
    answer = await system.worker.get("/metrics")
    assert (answer.status, answer.content_type) == (200, "text/plain")
    ours = [line for line in answer.text.splitlines() if line.startswith("igsend_")]
    assert all(SAMPLE.match(line) for line in ours)
    types = dict(re.findall(r"^# TYPE (igsend_\w+) (\w+)$", answer.text, re.MULTILINE))
    assert {"counter", "gauge", "histogram"} <= set(types.values())
    assert ACCOUNT not in answer.text


def sent_by(text: str) -> float:
    """Read how many requests were sent."""
    labels = r'\{(?:[^}]*,)?status="sent"[^}]*\}'
    return sum(float(n) for n in re.findall(rf"^igsend_outcomes_total{labels} (\S+)$", text, re.M))


async def test_what_is_not_there_is_said_in_json(system: System) -> None:
    missing = await system.worker.get("/metricz")
    assert missing.status == 404
    assert "/metrics" in missing.json["error"]


@pytest_asyncio.fixture
async def alone(own_rabbitmq: RabbitNode, tmp_path: Path) -> AsyncIterator[System]:
    """A system on a broker that the test may stop."""
    server = RabbitServer(own_rabbitmq.amqp_url, own_rabbitmq)
    broker = Broker(own_rabbitmq.amqp_url, "ig", "/", server)
    settings = {"IGSEND_PARTITIONS": "1"}
    async with running_system(
        broker, tmp_path, {ACCOUNT: "IGAAalone"}, settings=settings
    ) as system:
        yield system


async def test_a_broker_that_stops_makes_it_unready_with_reasons_and_heals(
    alone: System, own_rabbitmq: RabbitNode
) -> None:
    worker = alone.worker
    await own_rabbitmq.stop()

    async def says_why() -> bool:
        answer = await worker.get("/readyz")
        reasons = " ".join(answer.json["reasons"])
        roles = all(f"the {role} connection to RabbitMQ is" in reasons for role in ROLES)
        return answer.status == 503 and roles

    await eventually(says_why)
    assert "0 of 2 consumers are registered" in (await worker.get("/readyz")).text
    assert (await worker.get("/livez")).status == 200, "an outage must not restart it"
    assert (await worker.get("/status")).json["ready"] is False
    assert (await worker.get("/metrics")).status == 200

    await own_rabbitmq.start()
    await eventually(worker.is_ready)
    async with a_producer(alone.broker) as producer:
        outcome = await producer.outcome_of(a_document(id="after", account_id=ACCOUNT))
    assert outcome["status"] == "sent"


async def test_it_starts_while_the_broker_is_away_says_so_and_stops(tmp_path: Path) -> None:
    accounts = token_files(tmp_path / "accounts", {ACCOUNT: "IGAAalone"})
    settings = {
        "IGSEND_AMQP_URL": "amqp://guest:geheim@127.0.0.1:1/",
        "IGSEND_GRAPH_URL": "http://127.0.0.1:1",
        "IGSEND_ACCOUNTS": str(accounts),
        "IGSEND_HTTP_HOST": "127.0.0.1",
        "IGSEND_HTTP_PORT": "0",
        "IGSEND_LOG_FORMAT": "json",
    }
    process = started("worker", settings=settings, folder=tmp_path)
    try:
        port = (await said(process, r'"http_port":(\d+)'))[1]
        worker = RunningWorker(process, f"http://127.0.0.1:{port}")
        alive, ready = await worker.get("/livez"), await worker.get("/readyz")
        assert (alive.status, ready.status) == (200, 503)
        assert len(ready.json["reasons"]) >= 3
        assert "geheim" not in ready.text
        await process.end(patience_s=40)
        assert await exit_code(process) == 0
    finally:
        process.kill()
