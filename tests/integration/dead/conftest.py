"""A dead-letter queue full of letters, each different, on an empty part of the broker."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.dead.graveyard import Graveyard, a_graveyard
from tests.support.nodes import Broker


@pytest_asyncio.fixture
async def graveyard(broker: Broker) -> AsyncIterator[Graveyard]:
    """Ninety letters of three accounts by turns."""
    async with a_graveyard(broker) as graveyard:
        yield graveyard
