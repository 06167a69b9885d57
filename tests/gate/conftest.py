"""Every gate, in turn."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.gate.world import World, memory_world, redis_world


@pytest_asyncio.fixture(params=["memory", "redis"], loop_scope="session")
async def gate(request: pytest.FixtureRequest, redis: str) -> AsyncIterator[World]:
    """A gate that nobody has used yet."""
    if request.param == "memory":
        async with memory_world() as world:
            yield world
        return
    async with redis_world(redis) as world:
        yield world
