"""The HTTP token service: what is sent to it, what of its answers is believed, what is refused."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from worker.accounts.http_service import HttpService
from worker.accounts.origin import (
    Absent,
    Answer,
    Found,
    Mark,
    OriginUnavailable,
    Unchanged,
    Unusable,
)
from worker.accounts.reading import AccountsError

ID = "17841400000000001"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(
    handler: Handler, *, userinfo: str = "", timeout_s: float = 10.0, token_file: Path | None = None
) -> AsyncIterator[HttpService]:
    app = web.Application()
    app.router.add_get("/tokens/{account_id}", handler)
    server = TestServer(app)
    await server.start_server()
    url = f"http://{userinfo}127.0.0.1:{server.port}/tokens/{{account_id}}?app=1"
    service = HttpService(url, timeout_s=timeout_s, token_file=token_file)
    try:
        yield service
    finally:
        await service.close()
        await server.close()


async def answer_of(service: HttpService, mark: Mark = None) -> Answer:
    return (await service.ask({ID: mark}))[ID]


def constantly(**answer: Any) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(**answer)

    return handler


async def test_entry_is_read_and_its_etag_is_sent_back() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert (request.match_info["account_id"], request.query["app"]) == (ID, "1")
        if request.headers.get("If-None-Match") == '"7"':
            return web.Response(status=304)
        entry = {"token": "IGAAone", "human_agent": True, "graph_version": "v24.0"}
        return web.json_response(entry, headers={"ETag": '"7"'})

    async with served(handler) as service:
        found = await answer_of(service)
        assert isinstance(found, Found)
        assert (found.account.id, found.account.token.reveal, found.mark) == (ID, "IGAAone", '"7"')
        assert (found.account.human_agent, found.account.graph_version) == (True, "v24.0")
        assert isinstance(await answer_of(service, '"7"'), Unchanged)
        assert isinstance(await answer_of(service, '"6"'), Found)


async def test_404_says_that_there_is_no_such_account() -> None:
    async with served(constantly(status=404)) as service:
        assert isinstance(await answer_of(service), Absent)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (500, "it must answer 200, 304 or 404"),
        (503, "503"),
        (204, "204"),
        (304, "304"),
        (401, "look at the credentials"),
        (403, "IGSEND_ACCOUNTS_TOKEN_FILE"),
        (429, "429"),
    ],
)
async def test_other_answers_are_no_answer_about_the_account(status: int, says: str) -> None:
    async with served(constantly(status=status)) as service:
        with pytest.raises(OriginUnavailable, match=says):
            await answer_of(service)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"IGAAsecret", "is not JSON"),
        (b"[]", "must be a JSON object"),
        (b"{}", "the key token is missing"),
        (b'{"token": 5}', "token: "),
        (b'{"token": ""}', "is empty"),
        (b'{"token": "IGAA secret"}', "white space"),
        (b'{"token": "IGAAsecret", "human_agnt": true}', "did you mean human_agent"),
        (b'{"token_file": "/etc/passwd"}', "token_file: not in this source"),
        (b'{"token_env": "HOME"}', "token_env: not in this source"),
        (b'{"token": "IGAAsecret", "expires_at": "2027-01-01"}', "expires_at: must be a moment"),
        (b'{"token": "IGAAsecret", "graph_version": "23"}', "graph_version: "),
        (b'{"token": "' + b"x" * 70_000 + b'"}', "more than 65536 bytes"),
    ],
)
async def test_entry_that_cannot_be_used_is_named_without_its_token(body: bytes, says: str) -> None:
    async with served(constantly(body=body)) as service:
        answer = await answer_of(service)
    assert isinstance(answer, Unusable)
    assert says in answer.problem
    assert f"/tokens/{ID}" in answer.problem
    assert "secret" not in answer.problem


async def test_redirect_is_not_followed() -> None:
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=302, headers={"Location": "/tokens/5"})

    async with served(handler) as service:
        with pytest.raises(OriginUnavailable, match="redirects are not followed"):
            await answer_of(service)
    assert asked == [f"/tokens/{ID}"]


async def test_service_that_hangs_is_given_up_and_the_setting_named() -> None:
    over = asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    async with served(handler, timeout_s=0.05) as service:
        with pytest.raises(OriginUnavailable, match=r"within 0.05 s \(IGSEND_ACCOUNTS_TIMEOUT_S"):
            await answer_of(service)
        over.set()


async def test_body_that_never_ends_is_given_up() -> None:
    over = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"token": "IGAA')
        await over.wait()
        return response

    async with served(handler, timeout_s=0.05) as service:
        with pytest.raises(OriginUnavailable, match="no answer within"):
            await answer_of(service)
        over.set()


async def test_nobody_there_is_said_without_the_credentials() -> None:
    service = HttpService("http://u:hidden@127.0.0.1:1/{account_id}", timeout_s=5.0)
    with pytest.raises(OriginUnavailable) as caught:
        await answer_of(service)
    await service.close()
    assert "http://127.0.0.1:1/{account_id}: no answer" in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("userinfo", "expected"),
    [
        ("", None),
        ("user:pass%40word@", aiohttp.encode_basic_auth("user", "pass@word")),
        (":bearer-1@", "Bearer bearer-1"),
    ],
)
async def test_credentials_come_from_the_url(userinfo: str, expected: str | None) -> None:
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(text=json.dumps({"token": "IGAA"}))

    async with served(handler, userinfo=userinfo) as service:
        await answer_of(service)
        assert "bearer-1" not in service.shown
    assert seen == [expected]


async def test_credentials_from_a_file_are_read_each_time(tmp_path: Path) -> None:
    seen = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(status=404)

    file = tmp_path / "token"
    async with served(handler, token_file=file) as service:
        with pytest.raises(OriginUnavailable, match="IGSEND_ACCOUNTS_TOKEN_FILE="):
            await answer_of(service)
        for token in ("first\n", "second\n"):
            file.write_text(token)
            await answer_of(service)
    assert seen == ["Bearer first", "Bearer second"]


async def test_service_cannot_be_listed() -> None:
    service = HttpService("http://127.0.0.1:1/{account_id}", timeout_s=1.0)
    with pytest.raises(AccountsError, match="igsend accounts show ID"):
        [each async for each in service.ids()]


@pytest.mark.parametrize("host", ["a..b", "a" * 70 + ".example"])
async def test_host_that_no_name_server_can_be_asked_for_is_no_answer(host: str) -> None:
    service = HttpService(f"http://{host}/{{account_id}}", timeout_s=5.0)
    with pytest.raises(OriginUnavailable, match=r"no answer .*look at the service"):
        await answer_of(service)
    await service.close()


ENTRY = b'{"token": "IGAAone"}'
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(ENTRY)


@pytest.mark.parametrize(
    ("answer", "is_known"),
    [
        (WHOLE + b"\r\n" + ENTRY, True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + WHOLE + b"\r\n" + ENTRY, True),
        (WHOLE + b'ETag: "\xff\xe9"\r\nSet-Cookie: \xff;;=\r\n\r\n' + ENTRY, True),
        (WHOLE + b"\r\n" + ENTRY[:-1], False),
        (WHOLE + b"X: " + b"a" * 200_000 + b"\r\n\r\n" + ENTRY, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n" + ENTRY, False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + ENTRY, False),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", False),
        (b"<html>" + ENTRY, False),
        (b"\x00\xff\r\n\r\n", False),
        (b"", False),
    ],
)
async def test_bytes_of_a_broken_service_are_an_answer_or_none(
    answer: bytes, is_known: bool
) -> None:
    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(answering, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        service = HttpService(f"http://127.0.0.1:{port}/{{account_id}}", timeout_s=10.0)
        mark: Mark = None
        for _ in range(2):
            # The second time with the mark of the first, whatever that is.
            try:
                found = await answer_of(service, mark)
            except OriginUnavailable:
                assert not is_known
            else:
                assert isinstance(found, Found) == is_known
                mark = found.mark if isinstance(found, Found) else None
        await service.close()
