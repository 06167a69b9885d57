"""How deep the queues are, asked of a real broker beside a worker's consumers."""

import asyncio
from collections.abc import Mapping

import aio_pika
import pytest

from tests.support.nodes import Broker
from tests.support.raw_amqp import raw_amqp
from tests.support.stage import a_message
from tests.support.waiting import eventually
from worker.core.sendable import Depth
from worker.rabbit import depths
from worker.rabbit.declare import declare
from worker.rabbit.depths import Depths
from worker.rabbit.names import Names
from worker.rabbit.topology import topology_of
from worker.rabbit.wire.connection import Wire, connect

pytestmark = pytest.mark.broker


class Told:
    """Keeps what was told last."""

    def __init__(self) -> None:
        self.times = 0
        self.last: Mapping[str, Depth] = {}

    def looked(self, found: Mapping[str, Depth]) -> None:
        self.times += 1
        self.last = found


async def wire_to(broker: Broker) -> tuple[aio_pika.abc.AbstractConnection, Wire]:
    return await connect(broker.amqp_url, client_properties={}, timeout_s=10)


async def keep(_: aio_pika.abc.AbstractIncomingMessage) -> None:
    """Take a message and never settle it."""


async def test_it_tells_what_is_ready_and_who_consumes_and_goes_on_after_a_refusal(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depths, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(depths, "QUESTION_EVERY_S", 0.0)
    monkeypatch.setattr(depths, "REST_S", 0.05)
    names = Names(broker.prefix, 2)
    first, second, bulk = names.intake
    connection, wire = await wire_to(broker)
    told = Told()
    looking = asyncio.create_task(Depths(names.intake, told.looked).use(wire))
    await eventually(lambda: told.times > 0)
    assert told.last == {}, "there are no queues yet"

    await declare(wire.connection, topology_of(names))
    async with raw_amqp(broker.amqp_url) as producer:
        for _ in range(5):
            await producer.publish(a_message(), exchange=names.bulk, routing_key="1")
    expected = {first: Depth(0, 0), second: Depth(0, 0), bulk: Depth(5, 0)}
    await eventually(lambda: told.last == expected)

    channel = await connection.channel()
    await channel.set_qos(prefetch_count=2)
    queue = await channel.get_queue(bulk, ensure=False)
    await queue.consume(keep)
    await eventually(lambda: told.last == expected | {bulk: Depth(3, 1)})

    await (await connection.channel()).queue_delete(second)
    await eventually(lambda: told.last == {})
    await declare(wire.connection, topology_of(names))
    await eventually(lambda: second in told.last)

    await connection.close()
    await asyncio.wait_for(looking, 10)
    assert told.last == {}, "without a connection nothing is known"


async def test_it_ends_when_it_is_told_to_in_whatever_it_is_just_doing(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depths, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(depths, "QUESTION_EVERY_S", 0.0)
    names = Names(broker.prefix, 2)
    connection, wire = await wire_to(broker)
    await declare(wire.connection, topology_of(names))
    for turns in range(150):
        told = Told()
        looking = asyncio.create_task(Depths(names.intake, told.looked).use(wire))
        for _ in range(turns):
            await asyncio.sleep(0)
        looking.cancel()
        done, _ = await asyncio.wait([looking], timeout=5)
        assert done, f"it goes on though it was cancelled after {turns} turns of the loop"
    await connection.close()
