"""What the client asks the API for, and what it makes of plain answers."""

from dataclasses import replace

import pytest
from yarl import URL

from tests.support.builders import a_request, an_account
from tests.support.mocked_api import mocked_api
from worker.config import Config
from worker.core.send_result import Refused, Scope, Sent
from worker.graph.client import GraphClient

URL_OF_ACCOUNT = f"https://graph.instagram.com/v23.0/{an_account().id}/messages"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"recipient_id": "1", "message_id": "m"}, Sent("m", "1")),
        ({"error": {"code": 551}}, Scope.RECIPIENT),
    ],
)
async def test_one_post_to_the_documented_url(answer: dict[str, object], expected: object) -> None:
    with mocked_api(URL_OF_ACCOUNT, status=200, payload=answer) as api:
        async with GraphClient(Config.from_env({})) as client:
            result = await client.send(
                an_account(), a_request().parts[0], tag={}, may_have_gone=False
            )
    assert list(api.requests) == [("POST", URL(URL_OF_ACCOUNT))]
    assert (result.scope if isinstance(result, Refused) else result) == expected


async def test_version_of_the_account_comes_before_the_configured_one() -> None:
    own = replace(an_account(), graph_version="v24.0")
    urls = [URL_OF_ACCOUNT.replace("v23.0", "v24.0"), URL_OF_ACCOUNT]
    answer = {"recipient_id": "1", "message_id": "m"}
    for account, url in zip([own, an_account()], urls, strict=True):
        headers = {"instagram-api-version": url.split("/")[3]}
        with mocked_api(url, status=200, payload=answer, headers=headers) as api:
            async with GraphClient(Config.from_env({})) as client:
                await client.send(account, a_request().parts[0], tag={}, may_have_gone=False)
        assert list(api.requests) == [("POST", URL(url))]
        assert client.version_seen is None
