"""A Redis of a test's own, a proxy in front of it, and a store on the proxy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.integration.gate.redis_servers import RedisServer, redis_server, running
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from worker.gate.redis.store import Store


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    """A Redis for this test alone, to restart, kill or stop; it keeps everything on disk."""
    async with redis_server(tmp_path / "redis", appendonly="yes") as server:
        yield server


@pytest_asyncio.fixture
async def proxy(server: RedisServer) -> AsyncIterator[TcpProxy]:
    """What is between the store and the Redis."""
    async with tcp_proxy("127.0.0.1", server.port) as proxy:
        yield proxy


@pytest_asyncio.fixture
async def store(proxy: TcpProxy) -> AsyncIterator[Store]:
    """A store that works, through the proxy."""
    async with running(Store(f"redis://127.0.0.1:{proxy.port}/0")) as store:
        yield store
