"""A kept-alive connection that dies: what was not written may go again, what was may not."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from tests.integration.graph.calls import SUCCESS, a_client, send
from tests.support.raw_http import Exchange, raw_peer
from worker.core.send_result import Sent, Unknown

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(SUCCESS), SUCCESS)


async def test_idle_connection_that_the_api_closed_is_replaced() -> None:
    client_saw_it = asyncio.Event()

    async def answers_once_and_closes(exchange: Exchange) -> None:
        await exchange.read_request()
        await exchange.answer(200, SUCCESS)
        exchange.writer.write_eof()
        await exchange.client_left()
        client_saw_it.set()

    async with raw_peer(answers_once_and_closes) as peer, a_client(peer.url) as client:
        assert isinstance(await send(client), Sent)
        async with asyncio.timeout(60):
            await client_saw_it.wait()
        assert isinstance(await send(client), Sent)
        assert (peer.connections, len(peer.requests)) == (2, 2)


async def test_connection_whose_end_only_the_kernel_has_seen_is_replaced() -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        async with a_client(f"http://127.0.0.1:{listener.getsockname()[1]}") as client:

            async def answered() -> socket.socket:
                connection, _ = await loop.sock_accept(listener)
                await loop.sock_recv(connection, 65536)
                await loop.sock_sendall(connection, ANSWER)
                return connection

            first = asyncio.create_task(send(client))
            connection = await answered()
            assert isinstance(await first, Sent)
            # The end arrives in the very turn of the loop in which the call starts.
            second = asyncio.create_task(send(client))
            connection.close()
            (await answered()).close()
            assert isinstance(await second, Sent)


async def resets(exchange: Exchange) -> None:
    exchange.reset()


async def closes(exchange: Exchange) -> None:
    exchange.writer.close()


@pytest.mark.parametrize("ends", [resets, closes])
async def test_request_on_a_reused_connection_is_never_repeated(
    ends: Callable[[Exchange], Awaitable[None]],
) -> None:
    async def answers_once_then_ends(exchange: Exchange) -> None:
        await exchange.read_request()
        await exchange.answer(200, SUCCESS)
        await exchange.read_request()
        await ends(exchange)

    async with raw_peer(answers_once_then_ends) as peer, a_client(peer.url) as client:
        assert isinstance(await send(client), Sent)
        assert isinstance(await send(client), Unknown)
        assert (peer.connections, len(peer.requests)) == (1, 2)


async def test_connection_with_an_answer_left_unread_is_not_used_again() -> None:
    async def answers_too_much(exchange: Exchange) -> None:
        await exchange.read_request()
        await exchange.answer(200, b" " * (2 * 1024 * 1024))

    async with raw_peer(answers_too_much) as peer, a_client(peer.url) as client:
        for _ in range(2):
            assert isinstance(await send(client), Unknown)
        assert peer.connections == 2
