"""A running sandbox with two accounts, and a client to call it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.sandbox.caller import ACCOUNT, OTHER_ACCOUNT, OTHER_TOKEN, TOKEN, Caller
from worker.sandbox.graph_server import RunningSandbox, running_sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    accounts = {ACCOUNT: TOKEN, OTHER_ACCOUNT: OTHER_TOKEN}
    async with running_sandbox(accounts=accounts) as running:
        yield running


@pytest.fixture
async def caller(sandbox: RunningSandbox) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession() as session:
        yield Caller(sandbox.url, session)
