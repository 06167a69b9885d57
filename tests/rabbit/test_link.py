"""The supervised connection ends when it is told to, whatever it is doing just then."""

import asyncio
from typing import Any, cast

import pytest

from worker.rabbit import link
from worker.rabbit.link import Link
from worker.rabbit.wire.connection import Wire


class FakeConnection:
    """Open for as long as the test wants; whoever waits for it takes a moment to be cancelled."""

    is_closed = False

    def __init__(self) -> None:
        self.is_waited_for = asyncio.Event()
        self.is_ending = asyncio.Event()
        self.may_end = asyncio.Event()

    async def ready(self) -> None:
        try:
            self.is_waited_for.set()
            await asyncio.get_running_loop().create_future()
        finally:
            self.is_ending.set()
            await self.may_end.wait()

    async def close(self) -> None: ...


class SilentConnection(FakeConnection):
    """Its broker never answers the goodbye."""

    async def close(self) -> None:
        await asyncio.get_running_loop().create_future()


class FakeWriter:
    def __init__(self) -> None:
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


class FakeObserver:
    def link_changed(self, role: str, *, state: str, detail: str) -> None: ...


async def test_a_stop_while_the_connection_is_lost_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = FakeConnection()
    wire = Wire(cast(Any, connection), cast(Any, None), cast(Any, None))

    async def connect(*_: object, **__: object) -> tuple[Any, Wire]:
        return connection, wire

    async def lost(_: Wire) -> None:
        await connection.is_waited_for.wait()
        raise ConnectionError("lost")

    monkeypatch.setattr(link, "connect", connect)
    running = asyncio.create_task(
        Link("amqp://somewhere/", role="consume", name="test", observer=FakeObserver()).run(lost)
    )
    await connection.is_ending.wait()
    running.cancel()
    await asyncio.sleep(0)
    connection.may_end.set()
    await asyncio.wait([running], timeout=30)
    assert running.cancelled()


async def test_a_silent_broker_does_not_hold_up_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    connection, writer = SilentConnection(), FakeWriter()
    connection.may_end.set()
    wire = Wire(cast(Any, connection), cast(Any, None), cast(Any, writer))

    async def connect(*_: object, **__: object) -> tuple[Any, Wire]:
        return connection, wire

    async def used(_: Wire) -> None:
        await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(link, "connect", connect)
    monkeypatch.setattr(link, "CLOSE_TIMEOUT_S", 0.01)
    running = asyncio.create_task(
        Link("amqp://somewhere/", role="consume", name="test", observer=FakeObserver()).run(used)
    )
    await connection.is_waited_for.wait()
    running.cancel()
    await asyncio.wait([running], timeout=30)
    assert running.cancelled()
    assert writer.is_aborted
