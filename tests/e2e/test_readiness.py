"""Each cause why a worker is not ready: told in /readyz in words, mended without a restart.

Meanwhile it is alive: what ails others must not become a restart storm.
"""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aio_pika
import pytest

from tests.support.builders import a_document
from tests.support.commands import exit_code
from tests.support.nodes import Broker, require_redis
from tests.support.producer import a_producer
from tests.support.system import (
    RunningWorker,
    Sandbox,
    running_sandbox,
    running_worker,
    settings_for,
    token_files,
)
from tests.support.waiting import eventually
from worker.local.redis import RedisNode
from worker.rabbit.declare import declare
from worker.rabbit.names import Names
from worker.rabbit.topology import topology_of

pytestmark = pytest.mark.broker

ACCOUNT = "17841400000000001"
WATERMARK = ("set_vm_memory_high_watermark", "absolute")
NO_MEMORY, ENOUGH_MEMORY = "1", "1GB"


@asynccontextmanager
async def a_worker(
    broker: Broker, folder: Path, **settings: str
) -> AsyncIterator[tuple[RunningWorker, Sandbox]]:
    """Run a worker and its sandbox; `settings` are names of IGSEND_ settings without that."""
    tokens = {ACCOUNT: "IGAAalone"}
    accounts = token_files(folder / "accounts", tokens)
    valid = token_files(folder / "valid-tokens", tokens)
    async with running_sandbox(folder, accounts=valid) as sandbox:
        chosen = settings_for(broker, graph_url=sandbox.url, accounts=accounts)
        chosen |= {f"IGSEND_{name.upper()}": value for name, value in settings.items()}
        async with running_worker(folder, chosen) as worker:
            yield worker, sandbox


async def says(worker: RunningWorker, *words: str) -> None:
    """Wait until /readyz is a 503 with all the words; /livez is fine all the same."""

    async def are_said() -> bool:
        answer = await worker.get("/readyz")
        reasons = " ".join(answer.json["reasons"])
        return answer.status == 503 and all(word in reasons for word in words)

    await eventually(are_said)
    assert (await worker.get("/livez")).status == 200
    assert (await worker.get("/status")).json["ready"] is False


async def shows(worker: RunningWorker, sample: str) -> bool:
    return sample in (await worker.get("/metrics")).text.splitlines()


async def sends(broker: Broker, request_id: str) -> None:
    async with a_producer(broker) as producer:
        outcome = await producer.outcome_of(a_document(id=request_id, account_id=ACCOUNT))
    assert outcome["status"] == "sent"


async def test_a_broker_out_of_memory_makes_an_idle_worker_unready_until_it_has_some(
    broker: Broker, tmp_path: Path
) -> None:
    node = broker.server.node
    if node is None:
        pytest.skip("only on a private node: an alarm is for everybody on the broker")
    async with a_worker(broker, tmp_path) as (worker, _):
        try:
            await node.control(*WATERMARK, NO_MEMORY)
            await says(worker, "RabbitMQ has blocked the publish connection")
        finally:
            await node.control(*WATERMARK, ENOUGH_MEMORY)
        await eventually(worker.is_ready)
        await sends(broker, "after-the-alarm")


async def test_a_redis_that_is_away_makes_it_unready_until_it_is_back(
    broker: Broker, own_redis: RedisNode, tmp_path: Path
) -> None:
    require_redis()
    async with a_worker(broker, tmp_path, gate_url=own_redis.url) as (worker, _):
        await own_redis.stop()
        await says(worker, "Redis at", own_redis.url.rpartition(":")[2].partition("/")[0])
        async with a_producer(broker) as producer:
            for number in range(3):
                await producer.publish(a_document(id=f"waits-{number}", account_id=ACCOUNT))
            await eventually(partial(shows, worker, "igsend_in_hand 3.0"))
        assert await shows(worker, "igsend_sendable_backlog 0.0"), "more workers would not help"
        await own_redis.start()
        await eventually(worker.is_ready)
        await sends(broker, "after-redis")


async def test_queues_that_are_gone_leave_it_without_consumers_until_they_are_declared(
    broker: Broker, tmp_path: Path
) -> None:
    names = Names(broker.prefix, 2)
    async with await aio_pika.connect(broker.amqp_url) as connection:
        assert connection.transport is not None
        topology = topology_of(names)
        await declare(connection.transport.connection, topology)
        async with a_worker(broker, tmp_path, declare="false") as (worker, _):
            channel = await connection.channel()
            await channel.queue_delete(names.send_queues[1])
            await says(
                worker,
                "0 of 3 consumers are registered",
                f"queue {names.send_queues[1]} does not exist; run `igsend topology declare`",
            )
            await declare(connection.transport.connection, topology)
            await eventually(worker.is_ready)
            await sends(broker, "after-the-queue")


async def test_accounts_that_are_all_taken_away_make_it_unready_until_one_is_back(
    broker: Broker, tmp_path: Path
) -> None:
    async with a_worker(broker, tmp_path) as (worker, _):
        file = tmp_path / "accounts" / ACCOUNT
        token = file.read_text()
        file.unlink()
        await says(worker, "there are no accounts; look at IGSEND_ACCOUNTS")
        file.write_text(token)
        await eventually(worker.is_ready)
        await sends(broker, "after-the-token")


async def test_a_worker_that_stops_says_so_while_it_finishes_what_it_has_in_hand(
    broker: Broker, tmp_path: Path
) -> None:
    async with a_worker(broker, tmp_path) as (worker, sandbox), a_producer(broker) as producer:
        await sandbox.admin("POST", "faults", {"latency_s": 2.0, "times": 1})
        key = await producer.publish(a_document(id="slow", account_id=ACCOUNT))

        async def is_called() -> bool:
            return bool(await sandbox.calls(ACCOUNT))

        await eventually(is_called)
        assert worker.process.pid is not None
        os.kill(worker.process.pid, signal.SIGTERM)
        await says(worker, "the worker is stopping")
        assert (await producer.outcome(key))["status"] == "sent"
        assert await exit_code(worker.process) == 0
