"""A connection that publishes nothing publishes the probe, so that an alarm is heard of."""

import asyncio

import pytest

from tests.rabbit.fake_wire import Stage, settled
from tests.rabbit.test_mover import FakeObserver
from tests.support.waiting import eventually
from worker.core.delivery import Properties
from worker.rabbit import confirmed
from worker.rabbit.confirmed import ConfirmedPublishing, Message
from worker.rabbit.wire.properties import header_of

PROBE = Message("ig.dead", "probe", b"", header_of(Properties(), {}), is_mandatory=False)


async def until_written(stage: Stage, frames: int) -> None:
    async def is_written() -> bool:
        return len(await stage.written()) >= frames

    await eventually(is_written)


async def test_the_probe_is_published_again_only_when_it_was_confirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confirmed, "PROBE_AFTER_S", 0.01)
    stage = Stage()
    publishing = ConfirmedPublishing(FakeObserver(), probe=PROBE)
    using = asyncio.create_task(publishing.use(stage.wire))
    await until_written(stage, 2)
    (_, method), (_, _) = (await stage.written())[:2]
    assert b"\x07ig.dead\x05probe\x00" in method
    assert len(await stage.written()) == 2
    stage.splitter.feed_data(settled(1))
    await until_written(stage, 4)
    stage.fake_channel.closing.set_result(None)
    using.cancel()


async def test_without_a_probe_an_idle_connection_stays_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confirmed, "PROBE_AFTER_S", 0.0)
    stage = Stage()
    publishing = ConfirmedPublishing(FakeObserver())
    using = asyncio.create_task(publishing.use(stage.wire))
    await publishing.wire()
    for _ in range(20):
        await asyncio.sleep(0)
    assert await stage.written() == []
    using.cancel()
