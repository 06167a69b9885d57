"""A call whose slot has passed by the time it has a connection does not leave."""

import time
from typing import Any

import pytest
from aiohttp.connector import Connection

from tests.integration.graph.calls import A_TEXT, a_client
from tests.support.builders import ACCOUNT_ID, TOKEN, an_account
from worker.core.send_result import Missed, Sent
from worker.graph.punctual import PunctualConnector
from worker.sandbox.graph_server import running_sandbox


async def test_call_that_cannot_leave_in_time_does_not_leave() -> None:
    async with running_sandbox(accounts={ACCOUNT_ID: TOKEN}) as api, a_client(api.url) as client:
        past = time.time() - 1
        late = await client.send(an_account(), A_TEXT, tag={}, is_first_attempt=True, latest=past)
        assert late == Missed()
        assert not api.calls
        soon = await client.send(
            an_account(), A_TEXT, tag={}, is_first_attempt=True, latest=time.time() + 60
        )
        assert isinstance(soon, Sent)
        assert len(api.calls) == 1


async def test_call_that_is_held_up_after_it_has_a_connection_does_not_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect = PunctualConnector.connect

    async def connect_slowly(self: PunctualConnector, *args: Any, **named: Any) -> Connection:
        connection = await connect(self, *args, **named)
        # As a process that is frozen just now.
        monkeypatch.setattr(time, "time", lambda: latest + 0.3)
        return connection

    async with running_sandbox(accounts={ACCOUNT_ID: TOKEN}) as api, a_client(api.url) as client:
        latest = time.time() + 60
        monkeypatch.setattr(PunctualConnector, "connect", connect_slowly)
        late = await client.send(an_account(), A_TEXT, tag={}, is_first_attempt=True, latest=latest)
        assert late == Missed()
        assert not api.calls
        monkeypatch.undo()
        soon = await client.send(an_account(), A_TEXT, tag={}, is_first_attempt=True, latest=latest)
        assert isinstance(soon, Sent)
        assert len(api.calls) == 1
