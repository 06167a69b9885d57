"""What the client asks the API for when it looks something up, and what it makes of the answer."""

from dataclasses import replace

import pytest
from yarl import URL

from tests.support.builders import an_account
from tests.support.mocked_api import mocked_api
from worker.config import Config
from worker.core.graph_reply import Reply
from worker.core.send_result import GraphError
from worker.graph.client import GraphClient

ME = "https://graph.instagram.com/v23.0/me?fields=id"


@pytest.mark.parametrize("status", [200, 400])
async def test_one_look_at_the_documented_url(status: int) -> None:
    with mocked_api(ME, status=status, payload={"id": "1"}) as api:
        async with GraphClient(Config.from_env({})) as client:
            reply = await client.read(an_account(), "me", {"fields": "id"})
    assert list(api.requests) == [("GET", URL(ME))]
    assert reply == Reply(status, {"id": "1"})


async def test_version_of_the_account_comes_before_the_configured_one() -> None:
    own = replace(an_account(), graph_version="v24.0")
    with mocked_api(ME.replace("v23.0", "v24.0"), status=200, payload={}) as api:
        async with GraphClient(Config.from_env({})) as client:
            await client.read(own, "me", {"fields": "id"})
    assert list(api.requests) == [("GET", URL(ME.replace("v23.0", "v24.0")))]


async def test_look_that_cannot_be_made_is_an_error_without_the_url() -> None:
    with mocked_api("https://elsewhere.example/", status=200, payload={}):
        async with GraphClient(Config.from_env({})) as client:
            reply = await client.read(an_account(), "me", {"fields": "id"})
    assert isinstance(reply, GraphError)
    assert "graph.instagram.com" not in reply.meaning
