"""Fixtures that every test folder may use: the session's brokers, and a part of them per test.

`broker` and `redis` are what a test wants; `own_rabbitmq` and `own_redis` are for tests that
stop, restart or kill the node.
"""

import signal
from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.nodes import (
    Broker,
    RabbitServer,
    broker_for_one_test,
    rabbit_server,
    redis_for_session,
    require_rabbitmq,
    require_redis,
)
from worker.local.rabbitmq import RabbitNode, private_rabbitmq
from worker.local.redis import RedisNode, private_redis


def pytest_configure() -> None:
    """Let SIGTERM end the session as Ctrl-C does, so that fixtures clean up."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def rabbitmq() -> AsyncIterator[RabbitServer]:
    """The session's broker; started by the first test that asks for it."""
    async with rabbit_server() as server:
        yield server


@pytest_asyncio.fixture
async def broker(rabbitmq: RabbitServer) -> AsyncIterator[Broker]:
    """An empty part of the session's broker, for this test alone."""
    async with broker_for_one_test(rabbitmq) as broker:
        yield broker


@pytest_asyncio.fixture
async def own_rabbitmq() -> AsyncIterator[RabbitNode]:
    """A broker for this test alone, to restart or kill."""
    require_rabbitmq()
    async with private_rabbitmq() as node:
        yield node


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def redis() -> AsyncIterator[str]:
    """URL of the session's Redis; shared, so tests keep to keys of their own."""
    async with redis_for_session() as url:
        yield url


@pytest_asyncio.fixture
async def own_redis() -> AsyncIterator[RedisNode]:
    """A Redis that writes everything to disk, for this test alone, to restart or kill."""
    require_redis()
    async with private_redis(persistence=True) as node:
        yield node
