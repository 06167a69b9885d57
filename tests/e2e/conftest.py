"""What the tests from outside share: one system for all, and a part of the broker per module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.nodes import Broker, RabbitServer, broker_for_one_test
from tests.support.system import System, running_system

# Each module that uses the shared system sends from an account of its own.
TOKENS = {f"1784140000000000{number}": f"IGAAshared{number}" for number in range(1, 6)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_broker(rabbitmq: RabbitServer) -> AsyncIterator[Broker]:
    """An empty part of the session's broker, for the tests of one module."""
    async with broker_for_one_test(rabbitmq) as broker:
        yield broker


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def system(
    rabbitmq: RabbitServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """A sandbox and a worker that run as long as the session; no test stops them."""
    async with (
        broker_for_one_test(rabbitmq) as broker,
        running_system(broker, tmp_path_factory.mktemp("system"), TOKENS) as running,
    ):
        yield running
