"""A worker whose connections are cut again and again is afterwards what it was before."""

import asyncio
import gc
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.builders import TOKEN
from tests.support.live_worker import live_worker
from tests.support.nodes import Broker
from tests.support.stage import ACCOUNT, Stage, a_message, a_stage
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from tests.support.waiting import eventually
from worker.rabbit import link

pytestmark = pytest.mark.broker

WARM_UP = 5
RECONNECTS = 30


@dataclass(frozen=True, slots=True)
class Held:
    """What this process holds: tasks, open files (so sockets), objects."""

    tasks: int
    files: int
    objects: int


def held() -> Held:
    gc.collect()
    files = len(list(Path("/proc/self/fd").iterdir()))
    return Held(len(asyncio.all_tasks()), files, len(gc.get_objects()))


def holds_no_more_than(before: Held) -> bool:
    now = held()
    return now.tasks <= before.tasks and now.files <= before.files


async def test_30_reconnects_leak_no_task_connection_or_memory(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The test runner keeps every record with its traceback, and so each lost connection.
    monkeypatch.setattr(logging.getLogger("aiormq"), "propagate", False)
    # In life the pauses grow up to 15 s, so that a broker in trouble is left alone.
    monkeypatch.setattr(link, "FIRST_PAUSE_S", 0.05)
    monkeypatch.setattr(link, "LONGEST_PAUSE_S", 0.1)
    url = urlsplit(broker.amqp_url)
    async with (
        a_stage(broker, has_worker=False) as stage,
        tcp_proxy(url.hostname or "", url.port or 5672) as road,
    ):
        way = url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{road.port}").geturl()
        settings = {**stage.settings(), "IGSEND_AMQP_URL": way}
        async with live_worker(settings, {ACCOUNT: TOKEN}) as stage.worker:
            for number in range(WARM_UP):
                await reconnect(stage, road, sent=number + 1)
            before = held()
            for number in range(WARM_UP, WARM_UP + RECONNECTS):
                await reconnect(stage, road, sent=number + 1)
            # What the last one left behind may take a moment to end.
            await eventually(partial(holds_no_more_than, before))
            after = held()
            downs = stage.worker.link_changes("down")
            lines = len(stage.worker.lines)
    assert downs >= 2 * (WARM_UP + RECONNECTS)
    # The test keeps every log line and accepted message itself, about 20 objects each time.
    assert after.objects - before.objects < 60 * RECONNECTS, (before, after, lines)


async def reconnect(stage: Stage, road: TcpProxy, *, sent: int) -> None:
    """Cut every connection, and have a message sent over the new ones."""
    road.cut()
    await eventually(lambda: not stage.live.is_ready)
    await eventually(lambda: stage.live.is_ready)
    await stage.publish(a_message())
    await stage.idle(sent=sent)
    # Consume and publish; those that were cut are gone.
    await eventually(lambda: road.open == 2)
