"""A connection that something came on while nobody asked is not used: it has ended, or lies."""

import asyncio

import pytest

from tests.integration.graph.calls import SUCCESS, a_client, send
from tests.support.raw_http import Exchange, raw_peer
from worker.core.kind import Bucket, Kind
from worker.core.request import Part
from worker.core.send_result import Sent

STRANGE = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n" + b'{"recipient_id":"9","message_id":"other"}'
)
TIMED_OUT = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("unasked", [STRANGE, TIMED_OUT, b""], ids=["answer", "408", "end"])
async def test_connection_on_which_something_came_unasked_is_not_used(unasked: bytes) -> None:
    first_is_over = asyncio.Event()

    async def says_more_than_it_was_asked(exchange: Exchange) -> None:
        await exchange.read_request()
        await exchange.answer(200, SUCCESS)
        if len(peer.requests) > 1:
            return
        await first_is_over.wait()
        exchange.writer.write(unasked)
        if not unasked:
            exchange.writer.write_eof()
        await exchange.writer.drain()
        said.set()
        await exchange.client_left()

    said = asyncio.Event()
    async with raw_peer(says_more_than_it_was_asked) as peer, a_client(peer.url) as client:
        assert await send(client) == Sent("mid", "1")
        first_is_over.set()
        async with asyncio.timeout(60):
            await said.wait()
        # Whether the event loop has seen it by now, or only the kernel has.
        assert await send(client) == Sent("mid", "1")
    assert (peer.connections, len(peer.requests)) == (2, 2)


async def test_connection_whose_end_only_the_kernel_knows_is_not_used() -> None:
    ended = asyncio.Event()

    async def answers_and_ends(exchange: Exchange) -> None:
        await exchange.read_request()
        await exchange.answer(200, SUCCESS)
        if len(peer.requests) == 1:
            exchange.reset()
            ended.set()

    async with raw_peer(answers_and_ends) as peer, a_client(peer.url) as client:
        assert isinstance(await send(client), Sent)
        async with asyncio.timeout(60):
            await ended.wait()
        assert isinstance(await send(client), Sent)
    assert len(peer.requests) == 2


async def test_answer_before_all_was_read_leaves_the_connection() -> None:
    """What the API did not read yet would stand before the next call."""

    async def answers_at_the_first_byte(exchange: Exchange) -> None:
        await exchange.first_byte()
        await exchange.answer(200, SUCCESS)
        await exchange.client_left()

    large = Part(Kind.TEXT, Bucket.TEXT, {"message": {"text": "x" * 8_000_000}})
    async with raw_peer(answers_at_the_first_byte) as peer, a_client(peer.url) as client:
        for _ in range(2):
            assert isinstance(await send(client, part=large), Sent)
        assert peer.connections == 2
