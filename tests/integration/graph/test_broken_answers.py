"""Answers that end early, late, never, or are too much: what the status still tells."""

import asyncio

import pytest

from tests.integration.graph.calls import A_VIDEO, SUCCESS, a_client, send
from tests.support.raw_http import Behaviour, Exchange, raw_peer
from worker.core.kind import Bucket, Kind
from worker.core.request import Part
from worker.core.send_result import Refused, Scope, Sent, Throttled, Unknown


def writing(data: bytes, *, ends: bool = True) -> Behaviour:
    """Read the request, write these bytes, then close or wait for the client to leave."""

    async def behave(exchange: Exchange) -> None:
        await exchange.read_request()
        await exchange.write(data)
        if not ends:
            await exchange.client_left()

    return behave


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + SUCCESS, "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", "broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope", "("),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b" " * 2_000_000, "larger"),
    ],
    ids=["cut", "cut in a chunk", "not gzip", "too large"],
)
async def test_unreadable_body_after_success_is_unknown_and_tells_the_status(
    data: bytes, says: str
) -> None:
    async with raw_peer(writing(data)) as peer, a_client(peer.url) as client:
        result = await send(client)
    assert isinstance(result, Unknown)
    assert result.error.http_status == 200
    assert says in result.error.meaning


async def test_throttle_whose_body_breaks_off_is_a_throttle_still() -> None:
    cut = b"HTTP/1.1 429 Slow\r\nRetry-After: 9\r\nContent-Length: 500\r\n\r\n{"
    async with raw_peer(writing(cut)) as peer, a_client(peer.url) as client:
        result = await send(client)
    assert isinstance(result, Throttled)
    assert (result.scope, result.retry_after_s) == (Scope.ACCOUNT, 9.0)


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
    ids=["a banner", "binary", "no status", "an endless header"],
)
async def test_what_is_no_http_is_unknown(data: bytes) -> None:
    async with raw_peer(writing(data)) as peer, a_client(peer.url) as client:
        assert isinstance(await send(client), Unknown)
    assert len(peer.requests) == 1


async def test_answer_in_pieces_is_read_whole() -> None:
    async def writes_byte_by_byte(exchange: Exchange) -> None:
        await exchange.read_request()
        answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer += b"".join(b"1\r\n%c\r\n" % byte for byte in SUCCESS) + b"0\r\n\r\n"
        for byte in answer:
            await exchange.write(bytes([byte]))
            await asyncio.sleep(0)

    async with raw_peer(writes_byte_by_byte) as peer, a_client(peer.url) as client:
        assert await send(client) == Sent("mid", "1")


async def test_refusal_before_the_body_was_taken_is_read() -> None:
    async def refuses_from_the_head(exchange: Exchange) -> None:
        await exchange.reader.readuntil(b"\r\n\r\n")
        await exchange.answer(400, b'{"error":{"code":100}}')
        await exchange.client_left()

    part = Part(Kind.TEXT, Bucket.TEXT, {"message": {"text": "x" * 900_000}})
    async with raw_peer(refuses_from_the_head) as peer, a_client(peer.url) as client:
        result = await send(client, part=part)
    assert isinstance(result, Refused)


async def test_no_answer_in_time_is_unknown() -> None:
    silent = writing(b"", ends=False)
    async with raw_peer(silent) as peer, a_client(peer.url, text_timeout_s="0.3") as client:
        result = await send(client)
    assert isinstance(result, Unknown)
    assert "did not answer in time" in result.error.meaning


async def test_media_may_take_longer_than_text() -> None:
    answer_now = asyncio.Event()

    async def answers_late(exchange: Exchange) -> None:
        await exchange.read_request()
        await answer_now.wait()
        await exchange.answer(200, SUCCESS)

    async with (
        raw_peer(answers_late) as peer,
        a_client(peer.url, text_timeout_s="0.3", media_timeout_s="60") as client,
    ):
        video = asyncio.create_task(send(client, part=A_VIDEO))
        assert isinstance(await send(client), Unknown)
        answer_now.set()
        assert isinstance(await video, Sent)


async def drips(exchange: Exchange) -> None:
    await exchange.read_request()
    await exchange.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    gone = asyncio.create_task(exchange.client_left())
    while not gone.done():
        await exchange.write(b" ")
        await asyncio.wait([gone], timeout=0.05)


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [(drips, 200), (writing(b"HTTP/1.1 100 Continue\r\n\r\n", ends=False), None)],
    ids=["a body without end", "an interim answer and then none"],
)
async def test_answer_that_goes_on_for_ever_is_cut(
    behaviour: Behaviour, status: int | None
) -> None:
    async with (
        raw_peer(behaviour) as peer,
        a_client(peer.url, text_timeout_s="0.3") as client,
    ):
        result = await send(client)
    assert isinstance(result, Unknown)
    assert "did not answer in time" in result.error.meaning
    assert result.error.http_status == status


async def test_reset_after_the_first_bytes_is_unknown() -> None:
    async def resets_early(exchange: Exchange) -> None:
        await exchange.first_byte()
        exchange.reset()

    async with raw_peer(resets_early) as peer, a_client(peer.url) as client:
        assert isinstance(await send(client), Unknown)
        assert peer.connections == 1
