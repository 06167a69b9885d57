"""What the API receives: one POST, exactly the part's body, and no more headers than needed."""

import asyncio
from dataclasses import replace

import orjson
import pytest

from tests.integration.graph.calls import A_REACTION, A_TEXT, A_VIDEO, SUCCESS, a_client, send
from tests.support.builders import an_account
from tests.support.raw_http import Behaviour, Exchange, raw_peer
from worker.core.kind import Bucket, Kind
from worker.core.request import Part
from worker.core.send_result import NotSent, Scope, Sent, Unknown


def answering(*header_lines: str, status: int = 200) -> Behaviour:
    """Answer with success, each request with the next header line; the last goes on for ever."""

    async def behave(exchange: Exchange) -> None:
        lines = list(header_lines) or [""]
        while True:
            await exchange.read_request()
            await exchange.answer(status, SUCCESS, headers=lines[0])
            lines = lines[1:] or lines

    return behave


def headers_of(request: bytes) -> dict[str, str]:
    head, _, _ = request.partition(b"\r\n\r\n")
    return dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])


@pytest.mark.parametrize("part", [A_TEXT, A_VIDEO, A_REACTION], ids=lambda part: part.kind)
async def test_the_body_is_the_parts_body_and_nothing_else(part: Part) -> None:
    async with raw_peer(answering()) as peer, a_client(peer.url) as client:
        assert isinstance(await send(client, part=part), Sent)
    _, _, body = peer.requests[0].partition(b"\r\n\r\n")
    assert orjson.loads(body) == part.body


async def test_tag_keys_leave_the_part_as_it_was() -> None:
    before = dict(A_TEXT.body)
    async with raw_peer(answering()) as peer, a_client(peer.url) as client:
        await send(client, messaging_type="MESSAGE_TAG", tag="HUMAN_AGENT")
        await send(client)
    _, _, untagged = peer.requests[1].partition(b"\r\n\r\n")
    assert A_TEXT.body == before == orjson.loads(untagged)


async def test_path_below_the_configured_address_is_kept() -> None:
    async with raw_peer(answering()) as peer, a_client(f"{peer.url}/proxy") as client:
        await send(client)
    line = f"POST /proxy/v23.0/{an_account().id}/messages HTTP/1.1"
    assert peer.requests[0].decode().startswith(line)


async def test_version_of_the_account_comes_before_the_configured_one() -> None:
    own = replace(an_account(), graph_version="v24.0")
    versions = answering("instagram-api-version: v24.0\r\n", "instagram-api-version: v23.0\r\n")
    async with raw_peer(versions) as peer, a_client(peer.url) as client:
        for account in (own, an_account()):
            await send(client, account)
        assert client.version_seen is None
    lines = [request.decode().split("\r\n")[0] for request in peer.requests]
    assert [line.split("/")[1] for line in lines] == ["v24.0", "v23.0"]


async def test_headers_are_ours_and_ask_for_plain_json() -> None:
    async with raw_peer(answering()) as peer, a_client(peer.url) as client:
        await send(client)
    headers = headers_of(peer.requests[0])
    assert set(headers) == {
        "Host", "Authorization", "User-Agent", "Accept", "Accept-Encoding", "Content-Type",
        "Content-Length",
    }  # fmt: skip
    assert (headers["Accept"], headers["Accept-Encoding"]) == ("application/json", "identity")
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("igsend/")


async def test_cookies_of_the_api_are_not_sent_back() -> None:
    cookie = answering("Set-Cookie: datr=abc; Path=/\r\n")
    async with raw_peer(cookie) as peer:
        # By name: aiohttp's own jar takes no cookies from an address.
        by_name = peer.url.replace("127.0.0.1", "localhost")
        async with a_client(by_name) as client:
            await send(client)
            await send(client)
    assert "Cookie" not in headers_of(peer.requests[1])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed_and_proves_nothing(status: int) -> None:
    async with raw_peer(answering()) as elsewhere:
        redirect = answering(f"Location: {elsewhere.url}/x\r\n", status=status)
        async with raw_peer(redirect) as peer, a_client(peer.url) as client:
            result = await send(client)
        assert isinstance(result, Unknown)
        assert result.error.http_status == status
        assert (len(peer.requests), elsewhere.connections) == (1, 0)


async def test_proxy_settings_of_the_process_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with raw_peer(answering()) as peer, a_client(peer.url) as client:
        assert isinstance(await send(client), Sent)


async def test_calls_at_the_same_time_do_not_wait_for_each_others_connection() -> None:
    everybody_is_here = asyncio.Barrier(120)  # aiohttp's own pool would let 100 in

    async def answer_when_all_have_come(exchange: Exchange) -> None:
        await exchange.read_request()
        await everybody_is_here.wait()
        await exchange.answer(200, SUCCESS)
        await exchange.client_left()

    async with raw_peer(answer_when_all_have_come) as peer, a_client(peer.url) as client:
        results = await asyncio.gather(*(send(client) for _ in range(120)))
    assert all(isinstance(result, Sent) for result in results)


async def test_part_that_is_no_json_is_refused_without_a_call() -> None:
    part = Part(Kind.TEXT, Bucket.TEXT, {"message": {"text": "\ud800"}})
    async with raw_peer(answering()) as peer, a_client(peer.url) as client:
        result = await send(client, part=part)
    assert isinstance(result, NotSent)
    assert (result.max_attempts, result.refused_as) == (1, Scope.MESSAGE)
    assert peer.connections == 0


async def test_closed_client_sends_nothing_and_raises_nothing() -> None:
    async with raw_peer(answering()) as peer:
        async with a_client(peer.url) as client:
            pass
        result = await send(client)
    assert isinstance(result, NotSent)
    assert "RuntimeError" in result.error.meaning
    assert peer.connections == 0


async def test_another_version_than_the_configured_one_is_remembered_once() -> None:
    versions = answering(*(f"instagram-api-version: v2{minor}.0\r\n" for minor in (3, 4, 5)))
    async with raw_peer(versions) as peer, a_client(peer.url) as client:
        await send(client)
        assert client.version_seen is None
        await send(client)
        await send(client)
        assert client.version_seen == "v24.0"


async def test_version_header_that_is_no_version_is_ignored() -> None:
    odd = answering("instagram-api-version: v24.0; and more\r\n")
    async with raw_peer(odd) as peer, a_client(peer.url) as client:
        await send(client)
        assert client.version_seen is None
