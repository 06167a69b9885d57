"""The private nodes keep their promises: data, addresses, and above all that nothing is left."""

import asyncio
import json
import shutil
import signal
import socket
import sys
from pathlib import Path

import aio_pika
import aiohttp
import pytest
from redis.asyncio import Redis

from tests.support.nodes import require_rabbitmq, require_redis
from tests.support.processes import ended, listening_beyond_loopback, with_descendants
from worker.local.errors import NodeError, NodeMissingError
from worker.local.rabbitmq import (
    Installation,
    RabbitNode,
    RabbitOptions,
    private_rabbitmq,
)
from worker.local.redis import RedisNode, private_redis

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]
QUORUM = {"x-queue-type": "quorum"}


@pytest.fixture(autouse=True)
def _installed() -> None:
    require_rabbitmq()
    require_redis()


async def put(node: RabbitNode, queue: str) -> None:
    async with await aio_pika.connect(node.amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True, arguments=dict(QUORUM))
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, routing_key=queue)


async def take(node: RabbitNode, queue: str) -> bytes:
    async with await aio_pika.connect(node.amqp_url) as connection:
        channel = await connection.channel()
        declared = await channel.declare_queue(queue, durable=True, arguments=dict(QUORUM))
        message = await declared.get(timeout=30)
        await message.ack()
        return message.body


async def test_a_node_that_is_left_by_an_exception_leaves_nothing() -> None:
    started: list[tuple[RabbitNode, set[int]]] = []

    async def fail_inside() -> None:
        async with private_rabbitmq() as node:
            started.append((node, with_descendants(node.pids)))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_inside()
    ((node, processes),) = started
    await ended(processes)
    assert len(processes) >= 3, "the node, its name server and the node's own children"
    assert not node.pids
    assert not node.directory.exists()


async def test_a_stopped_node_has_no_process_and_keeps_its_folder() -> None:
    async with private_rabbitmq() as node:
        processes = with_descendants(node.pids)
        await node.stop()
        await ended(processes)
        assert not node.is_running
        assert (node.directory / "data").exists()


async def test_messages_and_address_survive_a_restart_and_a_kill(own_rabbitmq: RabbitNode) -> None:
    address = own_rabbitmq.amqp_url
    await put(own_rabbitmq, "queue")
    await own_rabbitmq.restart()
    assert await take(own_rabbitmq, "queue") == b"kept"

    # The same queue on purpose: RabbitMQ 3.10 forgets a quorum queue that was declared less than
    # about a second before a crash, and what is in it.
    await put(own_rabbitmq, "queue")
    killed = with_descendants(own_rabbitmq.pids[:1])
    await own_rabbitmq.kill()
    await ended(killed)
    assert not own_rabbitmq.is_running
    await own_rabbitmq.start()
    assert await take(own_rabbitmq, "queue") == b"kept"
    assert own_rabbitmq.amqp_url == address


async def test_a_given_folder_keeps_the_data_from_one_node_to_the_next(tmp_path: Path) -> None:
    async with private_redis(persistence=True, directory=tmp_path) as first:
        await set_key(first, "kept")
    assert not first.is_running
    async with private_redis(persistence=True, directory=tmp_path) as second:
        assert await get_key(second) == b"kept"


async def test_two_nodes_run_side_by_side_and_know_nothing_of_each_other() -> None:
    async with private_rabbitmq() as one, private_rabbitmq() as other:
        await put(one, "mine")
        async with await aio_pika.connect(other.amqp_url) as connection:
            channel = await connection.channel()
            with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
                await channel.declare_queue("mine", passive=True)
        assert await take(one, "mine") == b"kept"
        assert "rabbit@" not in await one.control("cluster_status")


async def test_management_is_there_when_asked_for_and_nothing_is_reachable_from_outside() -> None:
    credentials = aiohttp.encode_basic_auth("guest", "guest")
    async with private_rabbitmq(management=True) as node:
        async with (
            aiohttp.ClientSession(headers={"Authorization": credentials}) as session,
            session.get(f"{node.management_url}/api/overview") as response,
        ):
            overview = await response.json()
        assert overview["rabbitmq_version"]
        assert "consistent-hash" in str(overview["exchange_types"])
        assert listening_beyond_loopback(node.pids) == []


async def test_without_management_there_is_no_http_and_settings_of_the_caller_hold() -> None:
    async with private_rabbitmq(settings={"channel_max": "7"}) as node:
        assert node.management_url is None
        assert await node.control("eval", "application:get_env(rabbit, channel_max).") == "{ok,7}"


async def test_a_port_taken_in_between_is_no_obstacle(tmp_path: Path) -> None:
    node = RabbitNode(tmp_path, RabbitOptions())
    taken = node.amqp_url
    with socket.create_server(("127.0.0.1", int(taken.rsplit(":", 1)[1].rstrip("/")))):
        try:
            await node.start()
            assert node.amqp_url != taken
            await put(node, "elsewhere")
        finally:
            node.end_now()


async def test_a_node_that_cannot_start_says_why_and_leaves_nothing() -> None:
    with pytest.raises(NodeError, match="no_such_setting") as failure:
        async with private_rabbitmq(settings={"no_such_setting": "1"}):
            pytest.fail("it started with a setting that does not exist")
    assert "rabbitmq-server" in str(failure.value)


async def test_missing_programs_name_the_package_and_the_set_up(tmp_path: Path) -> None:
    nowhere = Installation(lib_dir=tmp_path)
    with pytest.raises(NodeMissingError, match=r"make setup.*rabbitmq-server"):
        async with private_rabbitmq(installation=nowhere):
            pytest.fail("it started without programs")


async def set_key(node: RedisNode, value: str) -> None:
    async with Redis.from_url(node.url) as client:
        await client.set("key", value)


async def get_key(node: RedisNode) -> bytes | str | None:
    async with Redis.from_url(node.url) as client:
        return await client.get("key")


async def test_redis_keeps_its_data_over_a_restart_and_a_kill(own_redis: RedisNode) -> None:
    await set_key(own_redis, "restarted")
    await own_redis.restart()
    assert await get_key(own_redis) == b"restarted"
    await set_key(own_redis, "killed")
    await own_redis.kill()
    assert not own_redis.pids
    await own_redis.start()
    assert await get_key(own_redis) == b"killed"


async def test_redis_without_persistence_starts_empty_and_leaves_nothing() -> None:
    async with private_redis() as node:
        processes = node.pids
        await set_key(node, "lost")
        await node.restart()
        assert await get_key(node) is None
        assert listening_beyond_loopback(node.pids) == []
    await ended(processes)
    assert not node.directory.exists()


@pytest.mark.parametrize(
    ("number", "cleans_up"),
    [(signal.SIGKILL, False), (signal.SIGTERM, True), (signal.SIGINT, True)],
)
async def test_nodes_end_with_the_process_that_owns_them(
    number: signal.Signals, cleans_up: bool
) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.node_owner",
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert owner.stdout is not None
    directories: list[Path] = []
    try:
        started = json.loads(await asyncio.wait_for(owner.stdout.readline(), 120))
        directories = [Path(name) for name in started["directories"]]
        processes = with_descendants(started["pids"])
        owner.send_signal(number)
        await asyncio.wait_for(owner.wait(), 60)
        await ended(processes)
        assert len(processes) >= 4, "Redis, the node, its name server and the node's own children"
        assert [folder.exists() for folder in directories] == [not cleans_up] * 2
    finally:
        if owner.returncode is None:
            owner.kill()
            await owner.wait()
        for folder in directories:
            shutil.rmtree(folder, ignore_errors=True)
