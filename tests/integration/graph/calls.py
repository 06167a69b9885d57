"""A Graph client of one test, and the calls it makes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.builders import a_request, an_account
from worker.config import Config
from worker.core.account import Account
from worker.core.kind import Bucket, Kind
from worker.core.request import Part
from worker.core.send_result import SendResult
from worker.graph.client import GraphClient

SUCCESS = b'{"recipient_id":"1","message_id":"mid"}'
A_TEXT = a_request().parts[0]
A_VIDEO = Part(
    Kind.VIDEO,
    Bucket.MEDIA,
    {
        "recipient": {"id": "1"},
        "message": {"attachment": {"type": "video", "payload": {"url": "https://e.org/v.mp4"}}},
    },
)
A_REACTION = Part(
    Kind.REACT,
    Bucket.TEXT,
    {"recipient": {"id": "1"}, "sender_action": "react", "payload": {"message_id": "mid"}},
)


@asynccontextmanager
async def a_client(url: str, **settings: str) -> AsyncIterator[GraphClient]:
    """Give a client of this server; `settings` are fields of Config."""
    # Patient, for a machine that stands still a while: who tests a limit sets it.
    patient = {"connect_timeout_s": "60", "text_timeout_s": "60", "media_timeout_s": "60"}
    config = Config.model_validate({"graph_url": url, **patient, **settings})
    async with GraphClient(config) as client:
        yield client


async def send(
    client: GraphClient,
    account: Account | None = None,
    *,
    part: Part = A_TEXT,
    may_have_gone: bool = False,
    **tag: object,
) -> SendResult:
    """Send one part; `tag` are the tag's keys."""
    async with asyncio.timeout(180):
        return await client.send(
            account or an_account(), part, tag=tag, may_have_gone=may_have_gone
        )
