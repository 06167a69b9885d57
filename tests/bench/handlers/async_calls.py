"""The POST of the asyncio frameworks' handlers: the same as the bare loop's."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

_HEADERS = {"Content-Type": "application/json", "Authorization": "Bearer IGAAbench"}


class Calls:
    """One kept session; `open` it on the loop that runs the handlers."""

    _session: aiohttp.ClientSession

    def __init__(self) -> None:
        self._sink = os.environ["BENCH_SINK_URL"]
        self._permits = asyncio.Semaphore(int(os.environ["BENCH_IN_FLIGHT"]))

    async def open(self) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(connector=connector, headers=_HEADERS)

    async def close(self) -> None:
        await self._session.close()

    async def send(self, request: Mapping[str, Any]) -> None:
        content = {"recipient": request["recipient"], "message": request["message"]}
        url = f"{self._sink}/v23.0/{request['account_id']}/messages"
        async with (
            self._permits,
            self._session.post(url, data=orjson.dumps(content)) as answer,
        ):
            await answer.read()
            answer.raise_for_status()
