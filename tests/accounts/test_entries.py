"""Entries of accounts: the same keys in every source, own settings before those of all."""

import json
import os
import time
from pathlib import Path

import pytest

from worker.accounts.on_demand import OnDemandAccounts
from worker.accounts.opening import accounts_of
from worker.accounts.source import AccountSource
from worker.config import Config, ConfigError
from worker.core.account import Account
from worker.core.request import AccountId

ONE, TWO = AccountId("17841400000000001"), AccountId("17841400000000002")
NOBODY = AccountId("17841400000000009")
ENTRY = {"token": "IGAAone", "graph_version": "v24.0", "expires_at": "1970-01-02T00:00:00Z"}


async def loaded(path: Path) -> AccountSource:
    source = AccountSource(path, environment={})
    await source.load()
    return source


async def account_of(source: AccountSource, account_id: AccountId = ONE) -> Account:
    account = await source.find(account_id)
    assert isinstance(account, Account)
    return account


def is_as_said(account: Account) -> bool:
    said = (account.token.reveal, account.graph_version, account.expires_at)
    return said == ("IGAAone", "v24.0", 86400.0)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "accounts"
    path.mkdir()
    (path / ONE).write_text(json.dumps(ENTRY))
    (path / TWO).write_text("IGAAtwo\n")
    return path


async def test_file_of_a_directory_may_hold_an_entry_or_the_bare_token(directory: Path) -> None:
    source = await loaded(directory)
    assert is_as_said(await account_of(source))
    assert (await account_of(source, TWO)).token.reveal == "IGAAtwo"


@pytest.mark.parametrize("moment", ['"1970-01-02T00:00:00Z"', "1970-01-02T00:00:00Z"])
async def test_file_has_the_same_keys(tmp_path: Path, moment: str) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(
        f'[accounts.{ONE}]\ntoken = "IGAAone"\ngraph_version = "v24.0"\nexpires_at = {moment}\n'
    )
    assert is_as_said(await account_of(await loaded(file)))


@pytest.mark.parametrize(
    ("name", "text", "changed"),
    [
        (
            "defaults.json",
            '{"graph_version": "v22.0", "human_agent": true}',
            '{"graph_version": "v21.0"}',
        ),
        (
            "defaults.toml",
            'graph_version = "v22.0"\nhuman_agent = true',
            'graph_version = "v21.0"',
        ),
    ],
)
async def test_defaults_of_a_directory_are_for_whoever_says_nothing_else(
    directory: Path, name: str, text: str, changed: str
) -> None:
    defaults = directory / name
    defaults.write_text(text)
    source = await loaded(directory)
    one, two = await account_of(source), await account_of(source, TWO)
    assert (one.graph_version, one.human_agent) == ("v24.0", True)
    assert (two.graph_version, two.human_agent) == ("v22.0", True)
    assert source.last_error is None

    hour_ago = time.time() - 3600
    for file in (ONE, TWO, name):
        os.utime(directory / file, (hour_ago, hour_ago))
    defaults.write_text(changed)
    assert await source.find(NOBODY) is None
    two = await account_of(source, TWO)
    assert (two.graph_version, two.human_agent) == ("v21.0", False)

    defaults.write_text('{"graph_version": 5' if name.endswith("json") else "human_agent = 1")
    assert await source.find(NOBODY) is None
    assert name in str(source.last_error)
    assert (await account_of(source, TWO)).graph_version == "v21.0", "the last good ones stay"

    defaults.unlink()
    assert await source.find(NOBODY) is None
    assert (await account_of(source, TWO)).graph_version is None
    assert source.last_error is None


async def test_two_files_of_defaults_are_a_problem(directory: Path) -> None:
    (directory / "defaults.json").write_text('{"graph_version": "v22.0"}')
    (directory / "defaults.toml").write_text('graph_version = "v21.0"')
    source = await loaded(directory)
    assert "keep one of them" in str(source.last_error)
    assert (await account_of(source, TWO)).graph_version == "v22.0"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({**ENTRY, "human_agnt": True}, "did you mean human_agent"),
        ({**ENTRY, "expires_at": "tomorrow"}, "expires_at: must be a moment"),
        ({**ENTRY, "expires_at": "2027-01-01T00:00:00"}, "expires_at: must be a moment"),
        ({**ENTRY, "graph_version": "24"}, "graph_version: "),
        ({"token_env": "HOME"}, "token_env"),
    ],
)
async def test_entry_that_cannot_be_used_leaves_the_others(
    directory: Path, fields: dict[str, object], says: str
) -> None:
    (directory / ONE).write_text(json.dumps(fields))
    source = await loaded(directory)
    assert source.count == 1
    assert says in str(source.last_error)
    assert "IGAA" not in str(source.last_error)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("https://host/path", "once in its path"),
        ("https://{account_id}/", "once in its path"),
        ("https://host/{account_id}/{account_id}", "once in its path"),
        ("https://IGAAsecret@host/{account_id}", "user:password@"),
        ("https://:IGAAsecret@host:x/{account_id}", "no URL"),
        ("https://host/{account_id}#x", "fragment"),
        ("ftp://host/{account_id}", "must be a path, or start with https://"),
        ("redis://:IGAAsecret@host/x", "number of a database"),
    ],
)
def test_url_that_is_no_source_is_refused(value: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_env({"IGSEND_ACCOUNTS": value})
    assert says in str(caught.value)
    assert "IGSEND_ACCOUNTS: " in str(caught.value)
    assert "IGAAsecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "shown", "kind"),
    [
        ("/etc/igsend", "/etc/igsend", AccountSource),
        ("https://h/{account_id}", "https://h/{account_id}", OnDemandAccounts),
        ("https://:hid@h/{account_id}", "https://h/{account_id}", OnDemandAccounts),
        ("http://u:hid@h:1/a/{account_id}?b=1", "http://h:1/a/{account_id}?b=1", OnDemandAccounts),
        ("redis://u:hid@h/1", "redis://h/1", OnDemandAccounts),
    ],
)
async def test_setting_chooses_the_source_and_its_secret_is_never_shown(
    value: str, shown: str, kind: type
) -> None:
    config = Config.from_env({"IGSEND_ACCOUNTS": value})
    source = accounts_of(config, environment={})
    assert isinstance(source, AccountSource | OnDemandAccounts)
    assert (type(source), source.shown) == (kind, shown)
    assert "hid@" not in str(config.shown()) + repr(config) + repr(source)
    await source.close()


def test_there_is_no_source_without_the_setting() -> None:
    assert accounts_of(Config.from_env({}), environment={}) is None
