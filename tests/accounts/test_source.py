"""Sources of accounts: what is read, what is refused and how, and that changes are seen."""

import asyncio
import json
import os
from pathlib import Path
from typing import cast

import pytest

from tests.support.waiting import eventually
from worker.accounts.source import AccountsError, AccountSource
from worker.core.account import Account, Disclosure
from worker.core.kind import Bucket
from worker.core.rate_limit import Limit
from worker.core.request import AccountId

ONE, TWO = AccountId("17841400000000001"), AccountId("17841400000000002")


async def loaded(path: Path, **environment: str) -> AccountSource:
    source = AccountSource(path, environment=environment)
    await source.load()
    return source


async def token_of(source: AccountSource, account_id: AccountId) -> str | None:
    account = await source.find(account_id)
    return account.token.reveal if account else None


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "accounts"
    path.mkdir()
    (path / ONE).write_text("IGAAone\n")
    return path


async def test_directory_gives_one_account_for_each_token_file(directory: Path) -> None:
    source = await loaded(directory)
    assert (source.count, source.last_error) == (1, None)
    assert await source.find(ONE) == Account(ONE, (await _account(source)).token)
    assert await token_of(source, ONE) == "IGAAone"
    assert await source.find(TWO) is None


async def _account(source: AccountSource) -> Account:
    account = await source.find(ONE)
    assert account is not None
    return account


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("shop", b"IGAA", "numeric id"),
        (TWO, b"", "is empty"),
        (TWO, b"  \n", "is empty"),
        (TWO, b"IGAA secret", "white space"),
        (TWO, b"IGAA\x00", "white space or other"),
        (TWO, b"\xff\xfe", "UTF-8"),
    ],
)
async def test_unusable_token_file_is_left_out_and_named_without_its_token(
    directory: Path, name: str, content: bytes, says: str
) -> None:
    (directory / name).write_bytes(content)
    source = await loaded(directory)
    assert source.count == 1
    assert source.last_error is not None
    assert says in source.last_error
    assert name in source.last_error
    assert "secret" not in source.last_error


async def test_volume_and_editors_leave_no_trouble_behind(directory: Path) -> None:
    (directory / "lost+found").mkdir()
    (directory / ONE).write_text("IGAAmarked", encoding="utf-8-sig")
    (directory / TWO).write_text('{"token": "IGAAmarked"}', encoding="utf-8-sig")
    source = await loaded(directory)
    assert source.last_error is None
    assert [each.token.reveal for each in source.accounts.values()] == ["IGAAmarked"] * 2


async def test_hidden_files_of_a_mounted_secret_are_no_accounts(directory: Path) -> None:
    (directory / "..2026").mkdir()
    (directory / ".hidden").write_text("x")
    source = await loaded(directory)
    assert (source.count, source.last_error) == (1, None)


async def test_new_account_is_found_at_once_though_nobody_watches(directory: Path) -> None:
    source = await loaded(directory)
    (directory / TWO).write_text("IGAAtwo")

    async def is_known() -> bool:
        return await token_of(source, TWO) == "IGAAtwo"

    await eventually(is_known)


async def test_watch_sees_rotation_and_removal(directory: Path) -> None:
    source = await loaded(directory)
    watching = asyncio.create_task(source.watch())
    (directory / ONE).write_text("IGAArotated")

    async def is_rotated() -> bool:
        return await token_of(source, ONE) == "IGAArotated"

    await eventually(is_rotated)
    (directory / ONE).unlink()
    await eventually(lambda: source.count == 0)
    watching.cancel()


async def test_watch_sees_the_symlink_swap_of_a_mounted_secret(tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / ONE).write_text(f"IGAA{version}")
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "..data").symlink_to(tmp_path / "v1")
    (mounted / ONE).symlink_to(Path("..data") / ONE)
    source = await loaded(mounted)
    assert await token_of(source, ONE) == "IGAAv1"
    watching = asyncio.create_task(source.watch())
    (mounted / "..tmp").symlink_to(tmp_path / "v2")
    os.replace(mounted / "..tmp", mounted / "..data")

    async def is_swapped() -> bool:
        return await token_of(source, ONE) == "IGAAv2"

    await eventually(is_swapped)
    watching.cancel()


async def test_last_good_accounts_stay_when_the_source_becomes_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps({"accounts": {ONE: {"token": "IGAAone"}}}))
    source = await loaded(path)
    watching = asyncio.create_task(source.watch())
    path.write_text("{")
    await eventually(lambda: source.last_error is not None)
    assert await token_of(source, ONE) == "IGAAone"
    path.write_text(json.dumps({"accounts": {ONE: {"token": "IGAAnew"}}}))
    await eventually(lambda: source.last_error is None)
    assert await token_of(source, ONE) == "IGAAnew"
    watching.cancel()


TOML = """
[defaults]
human_agent = true
bulk_share = 0.5
check_media = true
[defaults.disclosure]
text = "You are talking to our bot."
texts = { de = "Du schreibst mit unserem Bot." }
[defaults.limits]
text = "50/s"
media = "5/s"
[accounts.17841400000000001]
token_env = "TOKEN_ONE"
[accounts.17841400000000001.limits]
text = "70/s"
[accounts.17841400000000002]
token_file = "two.token"
human_agent = false
bulk_share = 1
check_media = false
disclosure = false
"""


async def test_file_gives_tokens_from_all_three_places_and_overrides_defaults(
    tmp_path: Path,
) -> None:
    (tmp_path / "accounts.toml").write_text(TOML)
    (tmp_path / "two.token").write_text("IGAAtwo\n")
    source = await loaded(tmp_path / "accounts.toml", TOKEN_ONE="IGAAone")
    one, two = await source.find(ONE), await source.find(TWO)
    assert one is not None
    assert two is not None
    assert (one.token.reveal, two.token.reveal) == ("IGAAone", "IGAAtwo")
    assert (one.human_agent, two.human_agent) == (True, False)
    assert (one.bulk_share, two.bulk_share) == (0.5, 1.0)
    assert (one.check_media, two.check_media) == (True, False)
    german = {"de": "Du schreibst mit unserem Bot."}
    told = Disclosure("You are talking to our bot.", german, after_s=86_400.0)
    assert (one.disclosure, two.disclosure) == (told, None)
    assert one.limits == {Bucket.TEXT: Limit(70, 1.0), Bucket.MEDIA: Limit(5, 1.0)}
    assert two.limits == {Bucket.TEXT: Limit(50, 1.0), Bucket.MEDIA: Limit(5, 1.0)}


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("IGAAsecret", "must be a table"),
        (None, "must be a table"),
        ({"tokn": "IGAAsecret"}, "did you mean token?"),
        ({}, "exactly one of token"),
        ({"token": "IGAAsecret", "token_env": "X"}, "exactly one of token"),
        ({"token_env": "MISSING"}, "MISSING"),
        ({"token_file": "missing"}, "cannot read"),
        ({"token": "IGAA secret"}, "white space"),
        ({"token": "IGAA", "limits": {"text": "fast"}}, "like 100/s"),
        ({"token": "IGAA", "limits": {"text": 100}}, "like 100/s"),
        ({"token": "IGAA", "limits": {"sms": "1/s"}}, "limits.sms is not a known key; did you"),
        (
            {"token": "IGAA", "limits": {"txt": "1/s"}},
            "limits.txt is not a known key; did you mean text?",
        ),
        ({"token": "IGAA", "limits": []}, "limits: must be a table"),
        ({"token": "IGAA", "human_agent": "perhaps"}, "human_agent: must be true or false"),
        (
            {"token": "IGAA", "graph_version": "v23"},
            'graph_version: must be a version of the API, like "v23.0"',
        ),
        ({"token": "IGAA", "disclosure": {}}, "disclosure.text"),
        ({"token": "IGAA", "disclosure": True}, "disclosure: must be a table with the key text"),
        ({"token": "IGAA", "disclosure": {"text": " "}}, "disclosure.text: must be text"),
        ({"token": "IGAA", "disclosure": {"text": "ü" * 501}}, "is 1002 bytes in UTF-8"),
        ({"token": "IGAA", "disclosure": {"text": "x", "after_s": 0}}, "seconds from 1"),
        ({"token": "IGAA", "disclosure": {"text": "x", "after": 60}}, "did you mean after_s?"),
        (
            {"token": "IGAA", "disclosure": {"text": "x", "texts": {"Deutsch!": "y"}}},
            "disclosure.texts.Deutsch!: must be a language tag such as de",
        ),
        *(
            ({"token": "IGAA", "bulk_share": share}, "bulk_share: must be a number above 0")
            for share in cast(list[object], [0, -0.5, 1.01, True, "0.5", None, [], 1e400])
        ),
    ],
)
async def test_unusable_entry_is_left_out_and_named_without_its_token(
    tmp_path: Path, entry: object, says: str
) -> None:
    path = tmp_path / "accounts.json"
    path.write_text(json.dumps({"accounts": {ONE: {"token": "IGAAone"}, TWO: entry}}))
    source = await loaded(path)
    assert source.count == 1
    assert source.last_error is not None
    assert says in source.last_error
    assert TWO in source.last_error
    assert "secret" not in source.last_error


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("accounts.toml", "[accounts", "not TOML"),
        ("accounts.json", "{", "not JSON"),
        ("accounts.json", '{"account": {}}', "did you mean accounts?"),
        ("accounts.json", "[]", "accounts.json"),
        ("accounts.yaml", "", "directory of token files"),
    ],
)
async def test_unusable_file_ends_the_start_with_a_sentence(
    tmp_path: Path, name: str, content: str, says: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(AccountsError, match=says.replace("?", r"\?")):
        await loaded(tmp_path / name)


async def test_missing_source_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(AccountsError, match="IGSEND_ACCOUNTS"):
        await loaded(tmp_path / "missing.toml")
