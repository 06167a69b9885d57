"""Brokers for tests: one private node a session, or the one IGSEND_TEST_AMQP_URL names.

On the private node each test has a virtual host of its own. On a foreign broker it has only a
prefix of its own, and what was declared under it is deleted afterwards.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
import aiohttp
import pytest

from worker.local.errors import NodeMissingError
from worker.local.rabbitmq import Installation, RabbitNode, private_rabbitmq
from worker.local.redis import private_redis, redis_is_present
from worker.rabbit.names import Names
from worker.rabbit.topology import topology_of

AMQP_URL_VARIABLE = "IGSEND_TEST_AMQP_URL"
REDIS_URL_VARIABLE = "IGSEND_TEST_REDIS_URL"
# The directory of another Debian, whose RabbitMQ the private node then is.
ROOT_VARIABLE = "IGSEND_TEST_RABBITMQ_ROOT"
# `make test` sets it: a test that cannot run is then a failure, not a skip.
REQUIRED_VARIABLE = "IGSEND_TEST_REQUIRE_NODES"
_MOST_PARTITIONS = 64


@dataclass(frozen=True, slots=True)
class RabbitServer:
    """What the whole session shares; `node` is None when it is a foreign broker."""

    amqp_url: str
    node: RabbitNode | None


@dataclass(frozen=True, slots=True)
class Broker:
    """What one test gets: a URL, and a prefix nobody else uses."""

    amqp_url: str
    prefix: str
    vhost: str
    server: RabbitServer

    async def close_connections(self, reason: str = "closed by a test") -> None:
        """Make the broker close every connection of this test, as an operator would."""
        if self.server.node is None:
            pytest.skip(f"only on a private node: unset {AMQP_URL_VARIABLE}")
        await self.server.node.control("close_all_connections", "--vhost", self.vhost, reason)


@asynccontextmanager
async def rabbit_server() -> AsyncIterator[RabbitServer]:
    """Give the broker the session uses; skips when there is none and none is required."""
    if foreign := os.environ.get(AMQP_URL_VARIABLE):
        yield RabbitServer(foreign, None)
        return
    require_rabbitmq()
    async with private_rabbitmq(installation=installation(), management=True) as node:
        yield RabbitServer(node.amqp_url, node)


def installation() -> Installation:
    """Say which RabbitMQ the tests run."""
    root = os.environ.get(ROOT_VARIABLE)
    return Installation(command_prefix=("chroot", root)) if root else Installation()


def require_rabbitmq() -> None:
    """Skip the test when RabbitMQ is not installed; fail it when `make test` runs it."""
    _require("RabbitMQ", AMQP_URL_VARIABLE, is_present=installation().is_present)


def require_redis() -> None:
    """Skip the test when Redis is not installed; fail it when `make test` runs it."""
    _require("Redis", REDIS_URL_VARIABLE, is_present=redis_is_present())


def _require(name: str, variable: str, *, is_present: bool) -> None:
    if is_present:
        return
    reason = f"{name} is not installed: run `make setup`, or set {variable} to a running one"
    if os.environ.get(REQUIRED_VARIABLE):
        raise NodeMissingError(reason)
    pytest.skip(reason)


@asynccontextmanager
async def broker_for_one_test(server: RabbitServer) -> AsyncIterator[Broker]:
    """Give a part of `server` that starts empty, and empty it again."""
    name = f"t{secrets.token_hex(5)}"
    if server.node is None:
        broker = Broker(server.amqp_url, name, "", server)
        try:
            yield broker
        finally:
            await _delete_topology(broker)
        return
    await _manage(server.node, "PUT", f"/api/vhosts/{name}")
    await _manage(server.node, "PUT", f"/api/permissions/{name}/guest", _ALL)
    try:
        yield Broker(server.amqp_url + name, name, name, server)
    finally:
        await _manage(server.node, "DELETE", f"/api/vhosts/{name}")


_ALL = {"configure": ".*", "write": ".*", "read": ".*"}


async def _manage(
    node: RabbitNode, method: str, path: str, body: dict[str, str] | None = None
) -> None:
    credentials = aiohttp.encode_basic_auth("guest", "guest")
    async with (
        aiohttp.ClientSession(headers={"Authorization": credentials}) as session,
        session.request(method, f"{node.management_url}{path}", json=body or {}) as response,
    ):
        response.raise_for_status()


async def _delete_topology(broker: Broker) -> None:
    topology = topology_of(Names(broker.prefix, _MOST_PARTITIONS))
    async with await aio_pika.connect(broker.amqp_url) as connection:
        channel = await connection.channel()
        for queue in topology.queues:
            await channel.queue_delete(queue.name)
        for exchange in topology.exchanges:
            await channel.exchange_delete(exchange.name)


@asynccontextmanager
async def redis_for_session() -> AsyncIterator[str]:
    """Give the URL of the Redis the session uses; skips when there is none and none is required."""
    if foreign := os.environ.get(REDIS_URL_VARIABLE):
        yield foreign
        return
    require_redis()
    async with private_redis() as node:
        yield node.url
