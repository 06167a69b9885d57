"""Tokens have an age and an end, and are refreshed by the rules Meta documents."""

import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.sandbox.caller import ACCOUNT, TOKEN, Caller, Reply, a_text
from worker.sandbox.graph_server import running_sandbox
from worker.sandbox.token_edge import LIFE_S

DAY_S = 86400.0


@pytest_asyncio.fixture
async def caller() -> AsyncIterator[Caller]:
    async with (
        running_sandbox(accounts={ACCOUNT: TOKEN}) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        yield Caller(sandbox.url, session)


async def refresh(caller: Caller, token: str = TOKEN, **changes: str) -> Reply:
    query = {"grant_type": "ig_refresh_token", "access_token": token, **changes}
    return await caller.call("GET", "/refresh_access_token", params=query)


async def me(caller: Caller, token: str = TOKEN, path: str = "/me") -> Reply:
    headers = {"Authorization": f"Bearer {token}"}
    return await caller.call("GET", f"{path}?fields=id,user_id,username", headers=headers)


async def put(caller: Caller, **fields: Any) -> None:
    await caller.admin("PUT", f"accounts/{ACCOUNT}", {"token": TOKEN, **fields})


async def test_refreshed_token_works_and_the_old_one_does_too(caller: Caller) -> None:
    answer = await refresh(caller)
    assert answer.json.keys() == {"access_token", "token_type", "expires_in"}
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("bearer", LIFE_S)
    for token in (answer.json["access_token"], TOKEN):
        assert (await caller.send(a_text(), token=token)).status == 200


async def test_old_token_ends_if_that_is_wanted(caller: Caller) -> None:
    await caller.admin("PUT", "settings", {"refreshed_token_stays": False})
    token = (await refresh(caller)).json["access_token"]
    assert (await me(caller, token)).status == 200
    assert (await me(caller)).error == (400, 190, None)


async def test_revocation_ends_all_tokens_of_the_account(caller: Caller) -> None:
    token = (await refresh(caller)).json["access_token"]
    await caller.admin("DELETE", f"accounts/{ACCOUNT}")
    assert (await me(caller)).error == (await me(caller, token)).error == (400, 190, None)


async def test_token_of_less_than_a_day_is_not_refreshed(caller: Caller) -> None:
    await put(caller, issued_at=time.time() - DAY_S + 60)
    assert (await refresh(caller)).error == (400, 100, None)
    await put(caller, issued_at=time.time() - DAY_S - 60)
    token = (await refresh(caller)).json["access_token"]
    assert (await refresh(caller, token)).error == (400, 100, None)


async def test_expired_token_is_good_for_nothing(caller: Caller) -> None:
    await put(caller, expires_at=time.time() - 1)
    for answer in (await refresh(caller), await me(caller), await caller.send(a_text())):
        assert answer.error == (400, 190, 463)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "ig_exchange_token"}, (400, 100, None)),
        ({"access_token": "IGAAnobody"}, (400, 190, None)),
        ({"client_secret": "x"}, (400, 100, None)),
    ],
)
async def test_wrong_refreshes_are_refused(
    caller: Caller, changes: dict[str, str], error: tuple[int, int, int | None]
) -> None:
    assert (await refresh(caller, **changes)).error == error


async def test_evidence_has_no_token(caller: Caller) -> None:
    token = (await refresh(caller)).json["access_token"]
    calls = await caller.call("GET", "/_sandbox/calls")
    accounts = await caller.call("GET", "/_sandbox/accounts")
    assert calls.json[-1]["path"] == "/refresh_access_token"
    assert TOKEN not in calls.text + accounts.text
    assert token not in calls.text + accounts.text


@pytest.mark.parametrize("path", ["/me", "/v23.0/me", f"/v23.0/{ACCOUNT}"])
async def test_token_tells_whose_it_is(caller: Caller, path: str) -> None:
    found = (await me(caller, path=path)).json
    assert found["user_id"] == ACCOUNT
    assert found["id"] != ACCOUNT
    assert found["username"]
