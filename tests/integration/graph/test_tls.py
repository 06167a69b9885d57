"""Without a good certificate and a finished handshake nothing leaves, least of all a token."""

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.integration.graph.calls import SUCCESS, a_client, send
from tests.support.builders import an_account
from tests.support.raw_http import Exchange, raw_peer
from worker.core.send_result import NotSent, Sent

# A key made for this test alone; it protects nothing.
SELF_SIGNED = Path(__file__).with_name("self_signed.pem")


async def test_certificate_that_nobody_vouches_for_is_not_sent() -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(SELF_SIGNED)

    async def reads(exchange: Exchange) -> None:
        await exchange.client_left()

    async with raw_peer(reads, tls=tls) as peer, a_client(peer.url) as client:
        result = await send(client)
    assert isinstance(result, NotSent)
    assert "certificate was not accepted" in result.error.meaning


async def test_handshake_that_hangs_is_ended_by_the_connect_limit_and_not_sent() -> None:
    heard: list[bytes] = []

    async def says_nothing(exchange: Exchange) -> None:
        heard.append(await exchange.reader.read(65536))
        await exchange.client_left()

    async with raw_peer(says_nothing) as peer:
        https = peer.url.replace("http:", "https:")
        async with a_client(https, connect_timeout_s="0.5") as client:
            result = await send(client)
    assert isinstance(result, NotSent)
    assert "connecting to the API took too long" in result.error.meaning
    assert an_account().token.reveal.encode() not in b"".join(heard)


async def test_handshake_answered_with_plain_http_is_not_sent() -> None:
    async def answers_plainly(exchange: Exchange) -> None:
        await exchange.first_byte()
        await exchange.answer(400, b"plain HTTP to a TLS port")
        await asyncio.wait_for(exchange.client_left(), 60)

    async with raw_peer(answers_plainly) as peer:
        https = peer.url.replace("http:", "https:")
        async with a_client(https) as client:
            assert isinstance(await send(client), NotSent)


async def test_connection_is_kept_between_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """What TLS itself says on a new connection is not taken for its end."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(SELF_SIGNED)
    trusting = ssl.create_default_context(cafile=SELF_SIGNED)
    trusting.check_hostname = False
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)

    async def answers(exchange: Exchange) -> None:
        while True:
            await exchange.read_request()
            await exchange.answer(200, SUCCESS)

    async with raw_peer(answers, tls=tls) as peer, a_client(peer.url) as client:
        for _ in range(5):
            assert isinstance(await send(client), Sent)
    assert (peer.connections, len(peer.requests)) == (1, 5)
