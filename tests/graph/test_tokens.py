"""What the API says of a token becomes a value; no token and no URL gets out beside it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from tests.support.builders import NOW, TOKEN
from tests.telemetry.captured_logs import captured_logs
from worker.core.secret import Secret
from worker.core.send_result import GraphError
from worker.core.token_life import Fresh
from worker.graph.tokens import Refresher

FRESH = "IGAAfresh"


@asynccontextmanager
async def refresher_at(answer: Any, *, timeout_s: float = 30) -> AsyncIterator[Refresher]:
    """Serve one handler for refreshes."""
    app = web.Application()
    app.add_routes([web.get("/refresh_access_token", answer)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with Refresher(url, timeout_s=timeout_s, now=lambda: NOW) as refresher:
            yield refresher
    finally:
        await runner.cleanup()


def answering(body: Any, status: int = 200) -> Any:
    async def answer(request: web.Request) -> web.Response:
        assert request.query["access_token"] == TOKEN
        assert request.query["grant_type"] == "ig_refresh_token"
        assert "Authorization" not in request.headers
        return web.json_response(body, status=status)

    return answer


async def hanging_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


async def redirecting(_: web.Request) -> web.Response:
    raise web.HTTPFound("/elsewhere")


async def endless(_: web.Request) -> web.Response:
    return web.Response(body=b"x" * (1024 * 1024 + 1))


async def silent(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


@pytest.mark.parametrize(
    ("lasts", "ends"),
    [(5_183_944, NOW + 5_183_944), (None, None), ("soon", None), (True, None), (0, None)],
)
async def test_new_token_comes_with_its_end(lasts: object, ends: float | None) -> None:
    body = {"access_token": FRESH, "token_type": "bearer", "expires_in": lasts}
    async with refresher_at(answering(body)) as refresher:
        assert await refresher.refreshed(Secret(TOKEN)) == Fresh(Secret(FRESH), ends)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"error": {"code": 190, "error_subcode": 463, "message": TOKEN}}, 400, 190),
        ({"error": {"code": 100, "message": TOKEN}}, 400, 100),
        ({"error": {"code": 4, "message": "too much"}}, 400, 4),
        ({"error": {"code": 2, "message": "later"}}, 500, 2),
        ({"error": "what"}, 200, None),
        ({}, 200, None),
        ([], 200, None),
        ({"access_token": ""}, 200, None),
        ({"access_token": FRESH}, 500, None),
    ],
)
async def test_refusals_and_nonsense_become_errors(
    body: Any, status: int, code: int | None
) -> None:
    async with refresher_at(answering(body, status)) as refresher:
        error = await refresher.refreshed(Secret(TOKEN))
    assert isinstance(error, GraphError)
    assert error.code == code
    assert TOKEN not in repr(error)


@pytest.mark.parametrize("answer", [hanging_up, redirecting, endless, silent])
async def test_call_that_gets_nowhere_quotes_no_url(answer: Any) -> None:
    with captured_logs() as logs:
        async with refresher_at(answer, timeout_s=0.05 if answer is silent else 30) as refresher:
            error = await refresher.refreshed(Secret(TOKEN))
    assert isinstance(error, GraphError)
    assert error.meaning
    assert TOKEN not in repr(error)
    assert TOKEN.encode() not in logs.raw


async def test_api_that_is_not_there_is_an_error() -> None:
    async with Refresher("http://127.0.0.1:1", timeout_s=30) as refresher:
        error = await refresher.refreshed(Secret(TOKEN))
    assert isinstance(error, GraphError)
    assert error.meaning == "the API gave no answer (ClientConnectorError)"
