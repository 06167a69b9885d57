"""A call whose slot has passed by the time it has a connection does not leave."""

import time
from typing import Any

import aiohttp
import pytest
from aiohttp.connector import Connection

from tests.integration.graph.calls import A_TEXT, a_client
from tests.support.builders import ACCOUNT_ID, TOKEN, an_account
from worker.core.send_result import Missed, SendResult, Sent
from worker.graph.client import GraphClient
from worker.ports import Departure
from worker.sandbox.graph_server import running_sandbox


class Door:
    """Counts the calls that left by it."""

    def __init__(self) -> None:
        self.left = 0

    def until(self, latest: float) -> Departure:
        return Departure(latest, self._leave)

    def _leave(self) -> None:
        self.left += 1


async def test_call_that_cannot_leave_in_time_does_not_leave() -> None:
    async with running_sandbox(accounts={ACCOUNT_ID: TOKEN}) as api, a_client(api.url) as client:
        door, past = Door(), time.time() - 1
        late = await _sent(client, door.until(past))
        assert late == Missed()
        assert not api.calls
        assert door.left == 0
        soon = await _sent(client, door.until(time.time() + 60))
        assert isinstance(soon, Sent)
        assert (len(api.calls), door.left) == (1, 1)


async def test_call_that_is_held_up_after_it_has_a_connection_does_not_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect = aiohttp.TCPConnector.connect

    async def connect_slowly(self: aiohttp.TCPConnector, *args: Any, **named: Any) -> Connection:
        connection = await connect(self, *args, **named)
        # As a process that is frozen just now.
        monkeypatch.setattr(time, "time", lambda: latest + 0.3)
        return connection

    async with running_sandbox(accounts={ACCOUNT_ID: TOKEN}) as api, a_client(api.url) as client:
        door, latest = Door(), time.time() + 60
        monkeypatch.setattr(aiohttp.TCPConnector, "connect", connect_slowly)
        late = await _sent(client, door.until(latest))
        assert late == Missed()
        assert (len(api.calls), door.left) == (0, 0)
        monkeypatch.undo()
        soon = await _sent(client, door.until(latest))
        assert isinstance(soon, Sent)
        assert len(api.calls) == 1


async def _sent(client: GraphClient, departure: Departure) -> SendResult:
    return await client.send(an_account(), A_TEXT, tag={}, may_have_gone=False, departure=departure)
