"""The stage of a test: an empty part of the broker, a fake Instagram, a worker in this process."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.nodes import Broker, RabbitServer, broker_for_one_test
from tests.support.stage import Stage, a_stage


@pytest_asyncio.fixture
async def stage(broker: Broker) -> AsyncIterator[Stage]:
    """A stage for this test alone."""
    async with a_stage(broker) as stage:
        yield stage


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_stage(rabbitmq: RabbitServer) -> AsyncIterator[Stage]:
    """One stage for all tests of a module, which leave it as they found it."""
    async with broker_for_one_test(rabbitmq) as broker, a_stage(broker) as stage:
        yield stage
