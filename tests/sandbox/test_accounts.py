"""Accounts come from files in every documented format, follow their changes, and from HTTP."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.sandbox.caller import ACCOUNT, OTHER_ACCOUNT, TOKEN, Caller, a_text
from worker.sandbox.account_files import AccountsError, read_accounts
from worker.sandbox.accounts import AccountBook
from worker.sandbox.graph_server import running_sandbox
from worker.sandbox.state import SandboxState


@asynccontextmanager
async def _caller_of(path: Path) -> AsyncIterator[Caller]:
    book = AccountBook(path)
    book.load()
    state = SandboxState(accounts=book)
    async with running_sandbox(state) as sandbox, aiohttp.ClientSession() as session:
        yield Caller(sandbox.url, session)


def _tokens_of(path: Path, **environment: str) -> dict[str, tuple[str, bool]]:
    accounts = read_accounts(path, environment)
    return {key: (account.token, account.human_agent) for key, account in accounts.items()}


def test_directory_of_token_files_is_read(tmp_path: Path) -> None:
    (tmp_path / ACCOUNT).write_text(f"{TOKEN}\n")
    (tmp_path / OTHER_ACCOUNT).write_text("  IGAAother  ")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "README").write_text("x")
    assert _tokens_of(tmp_path) == {
        ACCOUNT: (TOKEN, False),
        OTHER_ACCOUNT: ("IGAAother", False),
    }


def test_file_of_a_directory_may_hold_an_entry(tmp_path: Path) -> None:
    (tmp_path / ACCOUNT).write_text('{"token": "IGAAentry", "graph_version": "v24.0"}')
    assert _tokens_of(tmp_path) == {ACCOUNT: ("IGAAentry", False)}
    (tmp_path / ACCOUNT).write_text('{"token": "IGAAentry"')
    with pytest.raises(AccountsError, match="not readable as JSON"):
        _tokens_of(tmp_path)


def test_toml_and_json_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("IGAAfile\n")
    toml = tmp_path / "accounts.toml"
    toml.write_text(
        '[defaults.limits]\ntext = "100/s"\n'
        f'[accounts.{ACCOUNT}]\ntoken = "{TOKEN}"\nhuman_agent = true\n'
        f'[accounts.{ACCOUNT}.limits]\nprivate_reply = "750/h"\n'
        '[accounts.2]\ntoken_file = "secret"\n[accounts.3]\ntoken_env = "THIRD"\n'
    )
    expected = {ACCOUNT: (TOKEN, True), "2": ("IGAAfile", False), "3": ("IGAAenv", False)}
    assert _tokens_of(toml, THIRD="IGAAenv") == expected
    document = tmp_path / "accounts.json"
    accounts = {
        ACCOUNT: {"token": TOKEN, "human_agent": True},
        "2": {"token_file": "secret"},
        "3": {"token_env": "THIRD"},
    }
    document.write_text(json.dumps({"accounts": accounts}))
    assert _tokens_of(document, THIRD="IGAAenv") == expected


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.toml", "accounts = 5", "accounts.ID"),
        ("a.toml", f'token = "{TOKEN}', "not readable"),
        ("a.json", f'{{"accounts": {{"1": "{TOKEN}"', "not readable"),
        ("a.json", "[]", "table"),
        ("a.json", '{"accounts": {"1": 5}}', "accounts.1"),
        ("a.json", '{"accounts": {"1": {}}}', "token_file"),
        ("a.json", '{"accounts": {"1": {"token": 5}}}', "token_file"),
        ("a.json", '{"accounts": {"1": {"token": ""}}}', "account 1"),
        ("a.json", f'{{"accounts": {{"1": {{"token": "{TOKEN} x"}}}}}}', "account 1"),
        ("a.json", '{"accounts": {"1": {"token_env": "MISSING"}}}', "account 1"),
        ("a.json", '{"accounts": {"1": {"token_file": "missing"}}}', "No such file"),
        ("a.json", f'{{"accounts": {{"shop": {{"token": "{TOKEN}"}}}}}}', "shop"),
        ("a.json", '{"accounts": {"1": {"token": "t", "human_agent": "no"}}}', "human_agent"),
    ],
)
def test_wrong_file_is_refused_without_showing_a_token(
    name: str, text: str, what: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(AccountsError, match=what) as caught:
        AccountBook(path).load()
    assert TOKEN not in str(caught.value)


def test_missing_path_and_shared_token_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AccountsError, match="No such file"):
        AccountBook(tmp_path / "nowhere.toml").load()
    (tmp_path / "1").write_text(TOKEN)
    (tmp_path / "2").write_text(TOKEN)
    with pytest.raises(AccountsError, match=r"accounts [12] and [12]") as caught:
        AccountBook(tmp_path).load()
    assert TOKEN not in str(caught.value)


async def test_token_written_while_running_is_known_at_once(tmp_path: Path) -> None:
    (tmp_path / ACCOUNT).write_text(TOKEN)
    async with _caller_of(tmp_path) as caller:
        (tmp_path / OTHER_ACCOUNT).write_text("IGAAnew")
        reply = await caller.send(a_text(), account=OTHER_ACCOUNT, token="IGAAnew")
        assert reply.status == 200, reply.text


async def test_mounted_secret_is_followed_through_its_swap(tmp_path: Path) -> None:
    for version, token in (("..v1", "IGAAold"), ("..v2", "IGAAnew")):
        (tmp_path / version).mkdir()
        (tmp_path / version / ACCOUNT).write_text(token)
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / ACCOUNT).symlink_to(f"..data/{ACCOUNT}")
    async with _caller_of(tmp_path) as caller:
        assert (await caller.send(a_text(), token="IGAAold")).status == 200
        (tmp_path / "..data_tmp").symlink_to("..v2")
        (tmp_path / "..data_tmp").replace(tmp_path / "..data")
        assert (await caller.send(a_text(), token="IGAAnew")).status == 200
        assert (await caller.send(a_text(), token="IGAAold")).error == (400, 190, None)


async def test_unreadable_change_keeps_the_accounts_and_says_why(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps({"accounts": {ACCOUNT: {"token": TOKEN}}}))
    async with _caller_of(path) as caller:
        path.write_text("{")
        assert (await caller.send(a_text(), token="IGAAnew")).error == (400, 190, None)
        listed = await caller.admin("GET", "accounts")
        assert "not readable" in listed["last_error"]
        assert (await caller.send(a_text())).status == 200


async def test_account_put_over_http_sends_and_revoked_does_not(tmp_path: Path) -> None:
    (tmp_path / ACCOUNT).write_text(TOKEN)
    async with _caller_of(tmp_path) as caller:
        await caller.admin("PUT", f"accounts/{ACCOUNT}", {"token": "IGAAnew"})
        assert (await caller.send(a_text(), token="IGAAnew")).status == 200
        assert (await caller.send(a_text(), token=TOKEN)).error == (400, 190, None)
        await caller.admin("DELETE", f"accounts/{ACCOUNT}")
        assert (await caller.send(a_text(), token="IGAAnew")).error == (400, 190, None)
        assert (await caller.call("DELETE", f"/_sandbox/accounts/{ACCOUNT}")).status == 404


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "token"),
        ({"token": ""}, "token"),
        ({"token": "a b"}, "token"),
        ({"token": "t", "human_agent": "yes"}, "human_agent"),
        ({"token": "t", "limits": {}}, "limits"),
        ({"token": TOKEN}, ACCOUNT),
    ],
)
async def test_wrong_account_is_refused(body: Any, place: str, caller: Caller) -> None:
    reply = await caller.call("PUT", "/_sandbox/accounts/123", json=body)
    assert reply.status == 400
    assert place in reply.json["error"]
    assert TOKEN not in reply.text


async def test_accounts_are_listed_without_tokens(caller: Caller) -> None:
    await caller.admin("PUT", "accounts/5", {"token": "IGAAfive", "human_agent": True})
    listed = await caller.admin("GET", "accounts")
    five = {"id": "5", "human_agent": True, "issued_at": None, "expires_at": None}
    assert five in listed["accounts"]
    assert "IGAA" not in json.dumps(listed)


async def test_vanished_directory_keeps_the_accounts_and_says_why(tmp_path: Path) -> None:
    directory = tmp_path / "tokens"
    directory.mkdir()
    (directory / ACCOUNT).write_text(TOKEN)
    async with _caller_of(directory) as caller:
        directory.rename(tmp_path / "elsewhere")
        assert (await caller.send(a_text(), token="IGAAnew")).error == (400, 190, None)
        assert (await caller.send(a_text())).status == 200
        assert "No such file" in (await caller.admin("GET", "accounts"))["last_error"]


def test_sandbox_without_files_starts_without_accounts() -> None:
    book = AccountBook()
    book.load()
    assert book.known() == []


async def test_shared_token_in_a_change_keeps_the_accounts_and_http_still_works(
    tmp_path: Path,
) -> None:
    (tmp_path / ACCOUNT).write_text(TOKEN)
    async with _caller_of(tmp_path) as caller:
        (tmp_path / OTHER_ACCOUNT).write_text(TOKEN)
        assert (await caller.send(a_text(), token="IGAAnew")).error == (400, 190, None)
        assert "same token" in (await caller.admin("GET", "accounts"))["last_error"]
        await caller.admin("PUT", f"accounts/{ACCOUNT}", {"token": "IGAAnew"})
        assert (await caller.send(a_text(), token="IGAAnew")).status == 200
        # The conflict is over, so the token in the files is the other account's now.
        reply = await caller.send(a_text(), account=OTHER_ACCOUNT, token=TOKEN)
        assert reply.status == 200
