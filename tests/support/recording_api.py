"""Stands between a worker and the API: writes down each call as it came, and passes it on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call; `target` is the path with its query, header names are in small letters."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    raw: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.raw)


@dataclass(frozen=True, slots=True)
class RecordingApi:
    """Listens at `url`; `calls` grows with each call, before it is answered."""

    url: str
    calls: list[RecordedCall] = field(default_factory=list)


@asynccontextmanager
async def recording_api(behind: str) -> AsyncIterator[RecordingApi]:
    """Serve on a free loopback port, in this event loop, and ask the API at `behind`."""
    calls: list[RecordedCall] = []
    async with aiohttp.ClientSession() as session:

        async def pass_on(request: web.Request) -> web.Response:
            raw = await request.read()
            headers = [(name.lower(), value) for name, value in request.headers.items()]
            calls.append(RecordedCall(request.method, request.raw_path, headers, raw))
            async with session.request(
                request.method,
                behind + request.raw_path,
                data=raw,
                headers={name: value for name, value in headers if name != "host"},
            ) as answer:
                return web.Response(
                    status=answer.status,
                    body=await answer.read(),
                    headers={"Content-Type": answer.headers["Content-Type"]},
                )

        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", pass_on)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
            yield RecordingApi(f"http://127.0.0.1:{port}", calls)
        finally:
            await runner.cleanup()
