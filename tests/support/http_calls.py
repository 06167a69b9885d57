"""One HTTP call as any client would make it, read to its end."""

import json
from dataclasses import dataclass
from typing import Any

import aiohttp

_WITHIN = aiohttp.ClientTimeout(total=60)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    text: str
    content_type: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


async def call(method: str, url: str, body: Any = None) -> Answer:
    """Call with a JSON body, or none; raises aiohttp.ClientError when nobody answers."""
    async with (
        aiohttp.ClientSession(timeout=_WITHIN) as session,
        session.request(method, url, json=body) as response,
    ):
        return Answer(response.status, await response.text(), response.content_type)
