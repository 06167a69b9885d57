"""Path, version, token and account, and what the read endpoints say."""

from typing import Any

import pytest

from tests.sandbox.caller import (
    ACCOUNT,
    OTHER_ACCOUNT,
    OTHER_TOKEN,
    TOKEN,
    Caller,
    a_text,
)
from worker.sandbox.graph_server import RunningSandbox

_BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": TOKEN},
        {"Authorization": f"bearer {TOKEN}"},
        {"Authorization": f"OAuth {TOKEN}"},
        {"Authorization": f"Bearer  {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}\t{TOKEN}"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer IGAAunknown"},
        {"X-Access-Token": TOKEN},
    ],
)
async def test_token_anywhere_but_in_a_bearer_header_is_refused(
    headers: dict[str, str], sandbox: RunningSandbox, caller: Caller
) -> None:
    path = f"/v23.0/{ACCOUNT}/messages"
    reply = await caller.call("POST", path, json=a_text(), headers=headers)
    assert reply.error == (400, 190, None)
    assert reply.json["error"]["type"] == "OAuthException"
    assert "invalid_token" in reply.headers["www-authenticate"]
    assert TOKEN not in reply.text
    assert sandbox.accepted == []


async def test_two_bearer_headers_are_refused(caller: Caller) -> None:
    headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {OTHER_TOKEN}")]
    path = f"/v23.0/{ACCOUNT}/messages"
    reply = await caller.call("POST", path, json=a_text(), headers=headers)
    assert reply.error == (400, 190, None)


async def test_token_in_the_query_is_refused_even_beside_the_header(caller: Caller) -> None:
    path = f"/v23.0/{ACCOUNT}/messages?access_token={TOKEN}"
    alone = await caller.call("POST", path, json=a_text())
    beside = await caller.call("POST", path, json=a_text(), headers=_BEARER)
    assert alone.error == (400, 190, None)
    assert beside.error == (400, 100, None)


@pytest.mark.parametrize("account", [OTHER_ACCOUNT, "17841400000000000", "someone"])
async def test_token_opens_its_own_account_only(
    account: str, sandbox: RunningSandbox, caller: Caller
) -> None:
    reply = await caller.send(a_text(), account=account)
    assert reply.error == (400, 100, 33)
    assert sandbox.accepted == []


async def test_each_token_sends_for_its_account(sandbox: RunningSandbox, caller: Caller) -> None:
    await caller.send(a_text())
    await caller.send(a_text(), account=OTHER_ACCOUNT, token=OTHER_TOKEN)
    assert [message.account_id for message in sandbox.accepted] == [ACCOUNT, OTHER_ACCOUNT]


@pytest.mark.parametrize("version", ["23.0", "v23", "V23.0", "v23.0.1", "latest"])
async def test_path_without_a_version_is_refused(version: str, caller: Caller) -> None:
    path = f"/{version}/{ACCOUNT}/messages"
    reply = await caller.call("POST", path, json=a_text(), headers=_BEARER)
    assert reply.error == (400, 2500, None)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/{ACCOUNT}/messages"),
        ("POST", f"/v23.0/{ACCOUNT}"),
        ("POST", f"/v23.0/{ACCOUNT}/messages/"),
        ("POST", f"/v23.0/{ACCOUNT}/message"),
        ("PUT", f"/v23.0/{ACCOUNT}/messages"),
        ("GET", f"/v23.0/{ACCOUNT}/messages"),
        ("GET", "/"),
    ],
)
async def test_unknown_path_or_method_is_answered_in_graphs_form(
    method: str, path: str, sandbox: RunningSandbox, caller: Caller
) -> None:
    reply = await caller.call(method, path, headers=_BEARER)
    assert reply.error == (400, 2500, None)
    [call] = sandbox.calls
    assert (call.method, call.path, call.verdict) == (method, path, "refused")


async def test_version_of_the_path_is_recorded_and_answered(
    sandbox: RunningSandbox, caller: Caller
) -> None:
    path = f"/v25.0/{ACCOUNT}/messages"
    reply = await caller.call("POST", path, json=a_text(), headers=_BEARER)
    assert reply.headers["instagram-api-version"] == "v25.0"
    assert sandbox.accepted[0].api_version == "v25.0"


async def test_me_tells_the_two_ids_of_an_account_apart(caller: Caller) -> None:
    reply = await caller.call("GET", "/v23.0/me?fields=id,user_id,username", headers=_BEARER)
    assert reply.status == 200
    assert reply.json.keys() == {"id", "user_id", "username"}
    assert reply.json["user_id"] == ACCOUNT != reply.json["id"]


@pytest.mark.parametrize("path", ["/v23.0/me", f"/v23.0/{ACCOUNT}"])
async def test_account_without_fields_is_its_id_alone(path: str, caller: Caller) -> None:
    reply = await caller.call("GET", path, headers=_BEARER)
    assert (reply.status, list(reply.json)) == (200, ["id"])


@pytest.mark.parametrize(
    ("path", "headers", "error"),
    [
        ("/v23.0/me", {}, (400, 190, None)),
        (f"/v23.0/me?access_token={TOKEN}", {}, (400, 190, None)),
        (f"/v23.0/me?access_token={TOKEN}", _BEARER, (400, 100, None)),
        ("/v23.0/me?fields=id,secret", _BEARER, (400, 100, None)),
        (f"/v23.0/{OTHER_ACCOUNT}", _BEARER, (400, 100, 33)),
        ("/x/me", _BEARER, (400, 2500, None)),
    ],
)
async def test_wrong_read_is_refused(
    path: str, headers: dict[str, str], error: Any, caller: Caller
) -> None:
    assert (await caller.call("GET", path, headers=headers)).error == error


async def test_error_has_the_shape_of_graph(caller: Caller) -> None:
    reply = await caller.send({"recipient": {"id": "1"}})
    error = reply.json["error"]
    assert reply.json.keys() == {"error"}
    assert error.keys() == {"message", "type", "code", "error_subcode", "fbtrace_id"}
    assert error["message"].startswith("(#100) ")
    assert error["fbtrace_id"].startswith("A")
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.headers["www-authenticate"].startswith('OAuth "Facebook Platform"')


async def test_subcode_is_left_out_when_there_is_none(caller: Caller) -> None:
    reply = await caller.send(a_text(stray=1))
    assert "error_subcode" not in reply.json["error"]
