"""The short way for messages: frames in any slices, deliveries, confirms, returns."""

import asyncio

import pytest
from aiormq.exceptions import ChannelNotFoundEntity
from hypothesis import given
from hypothesis import strategies as st

from tests.rabbit.fake_wire import (
    CHANNEL,
    LARGEST,
    Stage,
    content,
    deliver,
    frame,
    frames_in,
    settled,
)
from worker.core.delivery import Properties
from worker.rabbit.wire.confirms import Confirms, Nacked, Unroutable
from worker.rabbit.wire.deliveries import Deliveries, Incoming
from worker.rabbit.wire.frames import A_HEARTBEAT, BODY, HEADER, METHOD
from worker.rabbit.wire.properties import body_size, header_of, read_properties

PLAIN = header_of(Properties(), {})
A_CALL = frame(METHOD, b"\x00\x14\x00\x0b\x00\x00\x00\x00")
OTHER_CHANNEL = frame(METHOD, b"\x00\x3c\x00\x50" + bytes(9), channel=CHANNEL + 1)


def receiving(stage: Stage) -> list[Incoming]:
    came: list[Incoming] = []
    Deliveries(stage.wire, stage.channel, came.append)
    return came


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_frames_may_come_in_any_slices(cuts: list[int]) -> None:
    async def run() -> None:
        stage = Stage()
        came = receiving(stage)
        data = A_CALL + deliver(1) + content(b"x" * 25) + OTHER_CHANNEL + deliver(2) + content(b"")
        data += A_CALL
        at = 0
        for cut in [*cuts, len(data)]:
            stage.splitter.feed_data(data[at : at + cut])
            at += cut
        assert [(message.deliver.tag, message.body) for message in came] == [
            (1, b"x" * 25),
            (2, b""),
        ]
        left = (await stage.others()).replace(A_HEARTBEAT, b"")
        assert left == A_CALL + OTHER_CHANNEL + A_CALL

    asyncio.run(run())


async def test_a_delivery_says_where_it_comes_from() -> None:
    stage = Stage()
    came = receiving(stage)
    stage.splitter.feed_data(deliver(9, consumer="ig.q", exchange="ig.x", key="17") + content(b"b"))
    said = came[0].deliver
    assert (said.consumer, said.tag, said.exchange, said.routing_key) == ("ig.q", 9, "ig.x", "17")
    assert said.is_redelivered


async def test_aiormq_sees_a_sign_of_life_when_all_frames_are_taken() -> None:
    stage = Stage()
    receiving(stage)
    stage.splitter.feed_data(deliver(1) + content(b"b"))
    assert await stage.others() == A_HEARTBEAT


@pytest.mark.parametrize(
    "data", [b"AMQP\x00\x00\x09\x01", frame(METHOD, b"1234")[:-1] + b"\x00 more"]
)
async def test_what_is_no_frame_is_left_to_aiormq(data: bytes) -> None:
    stage = Stage()
    receiving(stage)
    stage.splitter.feed_data(data)
    stage.splitter.feed_data(b"rest")
    assert await stage.others() == data + b"rest"


async def test_settling_writes_a_frame_and_nothing_once_the_channel_is_gone() -> None:
    stage = Stage()
    came = receiving(stage)
    stage.splitter.feed_data(deliver(3) + content(b"a") + deliver(4) + content(b"b"))
    came[0].receipt.ack()
    came[1].receipt.requeue()
    assert await stage.written() == [
        (METHOD, b"\x00\x3c\x00\x50" + (3).to_bytes(8) + b"\x00"),
        (METHOD, b"\x00\x3c\x00\x78" + (4).to_bytes(8) + b"\x02"),
    ]
    stage.fake_channel.closing.set_result(None)
    came[0].receipt.ack()
    assert len(await stage.written()) == 2


async def publishing(stage: Stage, number: int = 1) -> list[asyncio.Future[None]]:
    confirms = Confirms(stage.wire, stage.channel)
    futures = [
        confirms.publish("x", f"k{n}", PLAIN, b"body", is_mandatory=True) for n in range(number)
    ]
    await asyncio.sleep(0)
    return futures


async def test_publish_ends_with_its_own_confirm() -> None:
    stage = Stage()
    first, second = await publishing(stage, 2)
    stage.splitter.feed_data(settled(2))
    await second
    assert not first.done()
    stage.splitter.feed_data(settled(1))
    await first
    assert await stage.others() == A_HEARTBEAT


async def test_one_confirm_may_be_for_all_up_to_it() -> None:
    stage = Stage()
    tasks = await publishing(stage, 4)
    stage.splitter.feed_data(settled(3, is_all=True))
    await asyncio.gather(*tasks[:3])
    assert not tasks[3].done()
    tasks[3].cancel()


async def test_a_nack_is_a_refusal() -> None:
    stage = Stage()
    tasks = await publishing(stage, 2)
    stage.splitter.feed_data(settled(2, method=120, is_all=True))
    for task in tasks:
        with pytest.raises(Nacked):
            await task


async def test_a_returned_message_fails_alone() -> None:
    stage = Stage()
    tasks = await publishing(stage, 3)
    headers = [payload for kind, payload in await stage.written() if kind == HEADER]
    returned = frame(METHOD, b"\x00\x3c\x00\x32\x01\x38\x08NO_ROUTE\x01x\x02k1")
    stage.splitter.feed_data(
        returned + frame(HEADER, headers[1]) + frame(BODY, b"body") + settled(3, is_all=True)
    )
    await tasks[0]
    await tasks[2]
    with pytest.raises(Unroutable):
        await tasks[1]


async def test_a_cancelled_publish_harms_no_other() -> None:
    stage = Stage()
    first, second = await publishing(stage, 2)
    first.cancel()
    await asyncio.sleep(0)
    stage.splitter.feed_data(settled(2, is_all=True))
    await second
    assert first.cancelled()


async def test_a_closed_channel_ends_every_publish_with_the_reason() -> None:
    stage = Stage()
    tasks = await publishing(stage, 2)
    stage.fake_channel.closing.set_exception(ChannelNotFoundEntity("no exchange 'x'"))
    for task in tasks:
        with pytest.raises(ChannelNotFoundEntity, match="no exchange 'x'"):
            await task
    stage.splitter.feed_data(settled(1))
    assert await stage.others() == settled(1)


@pytest.mark.parametrize("size", [0, 1, LARGEST - 8, LARGEST - 7, 3 * LARGEST])
async def test_bodies_are_cut_to_the_frames_the_broker_takes(size: int) -> None:
    stage = Stage()
    confirms = Confirms(stage.wire, stage.channel)
    body = bytes(n % 251 for n in range(size))
    confirmed = confirms.publish("x", "k", PLAIN, body, is_mandatory=False)
    (_, method), (_, header), *bodies = await stage.written()
    assert method == b"\x00\x3c\x00\x28\x00\x00\x01x\x01k\x00"
    assert body_size(header) == size
    assert read_properties(header).message_id
    assert b"".join(payload for _, payload in bodies) == body
    assert all(len(payload) + 8 <= LARGEST for _, payload in bodies)
    assert not confirmed.done()


async def test_names_over_255_bytes_are_refused_before_anything_is_written() -> None:
    stage = Stage()
    confirms = Confirms(stage.wire, stage.channel)
    with pytest.raises(ValueError, match="255"):
        await confirms.publish("x", "k" * 256, PLAIN, b"", is_mandatory=False)
    assert frames_in(stage.socket.written) == []
