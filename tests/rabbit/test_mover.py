"""What a diverted account still has in an interactive queue is moved; nothing else is."""

import asyncio

import pytest

from tests.rabbit.fake_wire import Stage, content, deliver, settled
from worker.core.progress import ATTEMPTS
from worker.rabbit.confirmed import ConfirmedPublishing
from worker.rabbit.mover import Mover
from worker.rabbit.names import Names
from worker.rabbit.wire.deliveries import Deliveries, Incoming
from worker.rabbit.wire.frames import method_of
from worker.rabbit.wire.properties import read_properties
from worker.rabbit.wire.table import write_table

NAMES = Names("ig", 8)
DIVERTED = "17841400000000001"
ACK, PUBLISH = (60, 80), (60, 40)
HEADERS = b"\x20\x00"
PLAIN = b"\x00\x00"


class FakeObserver:
    def publish_repeated(self, exchange: str, *, detail: str) -> None:
        raise AssertionError("a move is not repeated")

    def reply_dropped(self, *, detail: str) -> None:
        raise AssertionError("nothing here has an address")


class Site:
    """Two connections, a publishing and a consuming one, and the mover between them."""

    def __init__(self) -> None:
        self.consuming, self.publishing = Stage(), Stage()
        self.confirmed = ConfirmedPublishing(FakeObserver())
        self.moved_from: list[str] = []
        self.mover = Mover(
            NAMES, self.confirmed, lambda key: key == DIVERTED, on_moved=self.moved_from.append
        )
        self.came: list[Incoming] = []
        self.stayed: list[Incoming] = []
        Deliveries(self.consuming.wire, self.consuming.channel, self.came.append)

    async def connect(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self.confirmed.use(self.publishing.wire))
        await self.confirmed.wire()
        return task

    def deliver(self, key: str = DIVERTED, *, properties: bytes = PLAIN) -> bool:
        data = deliver(1, key=key) + content(b"body", properties=properties)
        self.consuming.splitter.feed_data(data)
        return self.mover.moves(self.came[-1], otherwise=self.stayed.append)

    async def acks(self) -> int:
        await asyncio.sleep(0)
        written = await self.consuming.written()
        return sum(method_of(payload) == ACK for _, payload in written)


def with_headers(**headers: object) -> bytes:
    return HEADERS + write_table(headers)


async def test_a_message_of_a_diverted_account_is_published_and_acked_when_confirmed() -> None:
    site = Site()
    using = await site.connect()
    assert site.deliver(properties=with_headers(traceparent="00-1-2-03", CC=["elsewhere"]))
    (_, method), (_, header), (_, body) = await site.publishing.written()
    assert method_of(method) == PUBLISH
    assert b"\x07ig.bulk" in method
    assert DIVERTED.encode() in method
    assert body == b"body"
    assert read_properties(header).headers == {"traceparent": "00-1-2-03"}
    assert await site.acks() == 0
    site.publishing.splitter.feed_data(settled(1))
    assert await site.acks() == 1
    assert not site.stayed
    using.cancel()


async def test_a_message_that_the_broker_does_not_take_runs_like_any_other() -> None:
    site = Site()
    using = await site.connect()
    assert site.deliver()
    site.publishing.splitter.feed_data(settled(1, method=120))
    await asyncio.sleep(0)
    assert site.stayed == site.came
    assert await site.acks() == 0
    using.cancel()


async def test_what_is_under_way_when_the_connection_goes_runs_like_any_other() -> None:
    site = Site()
    using = await site.connect()
    assert site.deliver()
    site.publishing.fake_channel.closing.set_exception(ConnectionError("gone"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert site.stayed == site.came
    using.cancel()


@pytest.mark.parametrize(
    ("key", "properties"),
    [("1784999", PLAIN), (DIVERTED, with_headers(**{ATTEMPTS: 1}))],
    ids=["another account", "parked by us"],
)
async def test_any_other_message_stays(key: str, properties: bytes) -> None:
    site = Site()
    using = await site.connect()
    assert not site.deliver(key, properties=properties)
    assert await site.publishing.written() == []
    using.cancel()


async def test_without_a_connection_to_publish_on_it_stays() -> None:
    assert not Site().deliver()
