"""What the wire says decides between not sent and unknown; every row on a real socket."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import orjson
import pytest

from tests.integration.graph.calls import SUCCESS, a_client, send
from tests.support.builders import a_request, an_account
from tests.support.raw_http import Exchange, raw_peer
from tests.support.waiting import eventually
from worker.core.account import Account
from worker.core.secret import Secret
from worker.core.send_result import NotSent, Sent, Unknown


async def test_success_is_sent_with_the_body_and_only_the_bearer_token() -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.read_request()
        await exchange.answer(200, SUCCESS)

    async with raw_peer(answer) as peer, a_client(peer.url, graph_version="v25.0") as client:
        result = await client.send(
            an_account(), a_request().parts[0], tag={"tag": "HUMAN_AGENT"}, may_have_gone=False
        )
    assert result == Sent("mid", "1")
    head, body = peer.requests[0].split(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == f"POST /v25.0/{an_account().id}/messages HTTP/1.1"
    assert f"Authorization: Bearer {an_account().token.reveal}" in lines
    assert head.decode().count(an_account().token.reveal) == 1
    assert orjson.loads(body) == {**a_request().parts[0].body, "tag": "HUMAN_AGENT"}


async def closes_at_once(exchange: Exchange) -> None:
    exchange.writer.close()


async def reads_and_closes(exchange: Exchange) -> None:
    await exchange.read_request()


async def reads_and_resets(exchange: Exchange) -> None:
    await exchange.read_request()
    exchange.reset()


async def reads_and_hangs(exchange: Exchange) -> None:
    await exchange.read_request()
    await exchange.reader.read()


async def cuts_the_body(exchange: Exchange) -> None:
    await exchange.read_request()
    exchange.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + SUCCESS)
    await exchange.writer.drain()


async def answers_garbage(exchange: Exchange) -> None:
    await exchange.read_request()
    exchange.writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    await exchange.writer.drain()


async def answers_too_much(exchange: Exchange) -> None:
    await exchange.read_request()
    await exchange.answer(200, b" " * (2 * 1024 * 1024) + SUCCESS)


async def drips_the_answer(exchange: Exchange) -> None:
    await exchange.read_request()
    exchange.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
    while not exchange.writer.is_closing():
        exchange.writer.write(b" ")
        await exchange.writer.drain()
        if await _gone(exchange):
            return


async def _gone(exchange: Exchange) -> bool:
    """Wait a moment for the client to leave."""
    try:
        async with asyncio.timeout(0.3):
            return await exchange.reader.read(1) == b""
    except TimeoutError:
        return False


async def redirects(exchange: Exchange) -> None:
    await exchange.read_request()
    await exchange.answer(307, b"", headers="Location: http://127.0.0.1:1/\r\n")


@pytest.mark.parametrize(
    "behaviour",
    [
        reads_and_closes,
        reads_and_resets,
        reads_and_hangs,
        cuts_the_body,
        answers_garbage,
        answers_too_much,
        drips_the_answer,
        redirects,
    ],
)
async def test_what_was_written_and_not_answered_is_unknown_and_not_repeated(
    behaviour: Callable[[Exchange], Awaitable[None]],
) -> None:
    async with raw_peer(behaviour) as peer, a_client(peer.url, text_timeout_s="1") as client:
        result = await send(client)
    assert isinstance(result, Unknown)
    assert len(peer.requests) == 1
    assert "127.0.0.1" not in result.error.meaning


async def test_connection_closed_before_it_was_read_is_never_sent_twice() -> None:
    async def closes_at_the_first_byte(exchange: Exchange) -> None:
        await exchange.first_byte()
        exchange.writer.close()

    async with raw_peer(closes_at_the_first_byte) as peer, a_client(peer.url) as client:
        result = await send(client)
    assert isinstance(result, Unknown)
    assert peer.connections == 1


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "url",
    [f"http://127.0.0.1:{_unused_port()}", "http://graph.instagram.invalid"],
    ids=["refused", "no such host"],
)
async def test_no_connection_is_not_sent(url: str) -> None:
    async with a_client(url) as client:
        result = await send(client)
    assert isinstance(result, NotSent)
    assert "instagram.invalid" not in result.error.meaning


async def test_name_that_takes_too_long_to_resolve_is_not_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never_resolves(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", never_resolves)
    async with a_client("http://graph.instagram.invalid", connect_timeout_s="0.3") as client:
        result = await send(client)
    assert isinstance(result, NotSent)
    assert "connecting to the API took too long" in result.error.meaning


async def test_peer_that_does_not_accept_is_not_sent() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        async with a_client(f"http://127.0.0.1:{address[1]}", connect_timeout_s="1") as client:
            result = await send(client)
        for one in waiting:
            one.close()
    assert isinstance(result, NotSent)


async def test_peer_without_tls_is_not_sent() -> None:
    async with raw_peer(closes_at_once) as peer:
        url = peer.url.replace("http://", "https://")
        async with a_client(url) as client:
            result = await send(client)
    assert isinstance(result, NotSent)


async def test_idle_connection_that_was_closed_is_replaced() -> None:
    async def answer_once(exchange: Exchange) -> None:
        await exchange.read_request()
        await exchange.answer(200, SUCCESS)

    async with raw_peer(answer_once) as peer, a_client(peer.url) as client:
        assert isinstance(await send(client), Sent)
        await asyncio.sleep(0)
        second = await send(client)
        if isinstance(second, Unknown):
            # The close crossed our write: then, and only then, it cannot be known.
            assert len(peer.requests) == 1
        else:
            assert isinstance(second, Sent)
            assert len(peer.requests) == 2


async def test_connection_is_kept_alive_between_requests() -> None:
    async def answer_always(exchange: Exchange) -> None:
        while True:
            await exchange.read_request()
            await exchange.answer(200, SUCCESS)

    async with raw_peer(answer_always) as peer, a_client(peer.url) as client:
        for _ in range(5):
            assert isinstance(await send(client), Sent)
    assert (peer.connections, len(peer.requests)) == (1, 5)


async def test_reset_of_a_reused_connection_after_the_write_is_unknown() -> None:
    async def answer_then_reset(exchange: Exchange) -> None:
        await exchange.read_request()
        await exchange.answer(200, SUCCESS)
        await exchange.read_request()
        exchange.reset()

    async with raw_peer(answer_then_reset) as peer, a_client(peer.url) as client:
        assert isinstance(await send(client), Sent)
        assert isinstance(await send(client), Unknown)
    assert len(peer.requests) == 2


async def test_token_that_no_header_can_carry_is_never_written_and_never_shown() -> None:
    async with raw_peer(reads_and_closes) as peer, a_client(peer.url) as client:
        result = await send(client, Account("1", Secret("IGAA\r\nX: y")))
    assert isinstance(result, NotSent)
    assert "IGAA" not in result.error.meaning
    assert peer.requests == []


async def test_cancelled_call_passes_the_cancellation_on() -> None:
    async with raw_peer(reads_and_hangs) as peer, a_client(peer.url) as client:
        task = asyncio.create_task(send(client))
        await eventually(lambda: bool(peer.requests))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
