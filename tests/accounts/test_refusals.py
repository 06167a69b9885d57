"""What a source may not hold: each refusal says what is wrong and where, and shows no token."""

import json
import os
from pathlib import Path

import pytest

from worker.accounts.source import AccountsError, AccountSource
from worker.core.request import AccountId

ONE, TWO = AccountId("17841400000000001"), AccountId("17841400000000002")
TOKEN = "IGAAsecret" + "0" * 160


async def loaded(path: Path, **environment: str) -> AccountSource:
    source = AccountSource(path, environment=environment)
    await source.load()
    return source


async def refusal_of(path: Path) -> str:
    with pytest.raises(AccountsError) as caught:
        await loaded(path)
    return str(caught.value)


def written(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


async def test_empty_directory_is_refused_at_start(tmp_path: Path) -> None:
    assert "IGSEND_ACCOUNTS" in await refusal_of(tmp_path)


async def test_file_without_accounts_is_refused_at_start(tmp_path: Path) -> None:
    text = await refusal_of(written(tmp_path / "a.json", {"accounts": {}}))
    assert "no usable account" in text


async def test_directory_of_bad_files_alone_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"shop{number}").write_text(TOKEN)
    text = await refusal_of(tmp_path)
    assert "numeric id" in text
    assert "and 2 more" in text


async def test_missing_path_says_what_to_give(tmp_path: Path) -> None:
    text = await refusal_of(tmp_path / "missing")
    assert "IGSEND_ACCOUNTS" in text
    assert "No such file" in text
    assert "directory of token files" in text


@pytest.mark.parametrize("content", [f"accounts = {TOKEN}", f'{TOKEN} = "x', f"[{TOKEN}]\nx=1"])
async def test_broken_toml_does_not_show_what_it_holds(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.toml").write_text(content)
    assert "secret" not in await refusal_of(tmp_path / "a.toml")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.toml", "[accounts.1]\ntoken = IGAAsecret\n", "is not TOML at line 2, column 9"),
        ("a.toml", "[accounts.1]\n[accounts.1]\n", "is not TOML at line 2, column "),
        ("a.toml", "token = ", "is not TOML at its end"),
        ("a.json", '{"accounts":\n {"1": "IGAAsecret" 5}}', "is not JSON at line 2, column 21"),
        (ONE, '{"token" "IGAAsecret"}', "is not JSON at line 1, column 10"),
        ("defaults.toml", "limits = IGAAsecret", "is not TOML at line 1, column 10"),
        ("defaults.json", "\n{IGAAsecret}", "is not JSON at line 2, column 2"),
    ],
)
async def test_broken_file_says_where_it_is_broken(
    tmp_path: Path, name: str, content: str, says: str
) -> None:
    (tmp_path / name).write_text(content)
    is_whole = name.startswith("a.")
    said = await refusal_of(tmp_path / name if is_whole else tmp_path)
    assert says in said
    assert "secret" not in said


async def test_token_in_the_place_of_a_file_name_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / ONE).write_text("IGAAone")
    (tmp_path / TOKEN).write_text(TWO)
    source = await loaded(tmp_path)
    assert "170 characters" in (source.last_error or "")
    assert "secret" not in (source.last_error or "")


@pytest.mark.parametrize(
    "entry",
    [
        {TOKEN: TWO},
        {"token_file": TOKEN},
        {"token_file": f"tokens/{TOKEN}"},
        {"token_env": TOKEN},
        {"token": f"{TOKEN} {TOKEN}"},
        {"token": [TOKEN]},
        {"token": TOKEN, "human_agent": TOKEN},
        {"token": TOKEN, "bulk_share": TOKEN},
        {"token": TOKEN, "token_env": TOKEN},
        {"token": TOKEN, "limits": {TOKEN: "1/s"}},
        {"token": f"{TOKEN}\n{TOKEN}"},
        {"token": f"{TOKEN}é"},
    ],
    ids=lambda entry: "+".join(key[:12] for key in entry),
)
async def test_token_in_the_wrong_place_of_an_entry_is_not_shown(
    tmp_path: Path, entry: dict[str, object]
) -> None:
    accounts = {ONE: {"token": "IGAAone"}, TWO: entry}
    source = await loaded(written(tmp_path / "a.json", {"accounts": accounts}))
    assert source.count == 1
    assert TWO in (source.last_error or "")
    assert "secret" not in (source.last_error or "")


async def test_token_in_the_place_of_an_id_is_not_shown(tmp_path: Path) -> None:
    accounts = {ONE: {"token": "IGAAone"}, TOKEN: {"token": TWO}}
    source = await loaded(written(tmp_path / "a.json", {"accounts": accounts}))
    assert "numeric id" in (source.last_error or "")
    assert "secret" not in (source.last_error or "")


async def test_accounts_and_sources_do_not_print_their_tokens(tmp_path: Path) -> None:
    (tmp_path / ONE).write_text(TOKEN)
    source = await loaded(tmp_path)
    account = await source.find(ONE)
    assert account is not None
    assert account.token.reveal == TOKEN
    assert "secret" not in f"{account!r} {account} {source!r} {vars(source)!r}"


async def test_what_is_no_file_is_reported_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    (tmp_path / ONE).write_text("IGAAone")
    os.mkfifo(tmp_path / "1")
    (tmp_path / "2").mkdir()
    (tmp_path / "3").symlink_to(tmp_path / "nowhere")
    (tmp_path / "4").write_bytes(b"x" * 20_000)
    source = AccountSource(tmp_path, environment={})
    await source.load()
    assert source.count == 1
    problems = source.last_error or ""
    assert f"{tmp_path / '1'} is not a file" in problems
    assert f"{tmp_path / '2'} is not a file" in problems
    assert f"{tmp_path / '3'}: cannot read it (No such file" in problems
    assert "and 1 more" in problems


@pytest.mark.parametrize("bucket", ["app", "stories"])
async def test_limit_that_nothing_would_heed_is_refused(tmp_path: Path, bucket: str) -> None:
    entry = {"token": "IGAA", "limits": {bucket: "2/s"}}
    accounts = {ONE: {"token": "IGAAone"}, TWO: entry}
    source = await loaded(written(tmp_path / "a.json", {"accounts": accounts}))
    assert f"limits.{bucket}" in (source.last_error or "")
    assert "is not a known key; did you mean " in (source.last_error or "")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"acounts": {}}, "did you mean accounts?"),
        ({"default": {}, "accounts": {}}, "did you mean defaults?"),
        (
            {"defaults": {"limit": {}}, "accounts": {}},
            "defaults.limit is not a known key; did you mean limits?",
        ),
        ({"defaults": {"bulk_share": 2}, "accounts": {}}, "defaults.bulk_share: must be"),
        ({"defaults": {"human_agent": "yes"}, "accounts": {}}, "defaults.human_agent"),
        ({"defaults": {"limits": {"text": "fast"}}, "accounts": {}}, "defaults.limits.text"),
        ({"accounts": []}, "accounts"),
        ({"defaults": {"limits": {"txt": "1/s"}}, "accounts": {}}, "did you mean text?"),
        ({"defaults": "IGAAsecret", "accounts": {}}, "defaults: must be a table"),
        (["IGAAsecret"], "must be a table"),
    ],
    ids=str,
)
async def test_wrong_file_is_refused_as_a_whole(
    tmp_path: Path, document: dict[str, object], says: str
) -> None:
    text = await refusal_of(written(tmp_path / "a.json", document))
    assert says in text
    assert "secret" not in text


async def test_file_saved_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(f'[accounts.{ONE}]\ntoken = "IGAAone"\n', encoding="utf-8-sig")
    assert (await loaded(path)).count == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"accounts": {"1": {"token": "IGAAsecret"}, "1": {"token": "IGAAother"}}}',
        '{"accounts": {"2": {"token": "IGAAsecret", "token": "IGAAother"}}}',
    ],
)
async def test_key_that_is_there_twice_is_refused_as_toml_does(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    said = await refusal_of(tmp_path / "a.json")
    assert "is there twice; keep one" in said
    assert "IGAA" not in said


async def test_deeply_nested_file_is_refused_and_not_fatal(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000)
    assert "not JSON" in await refusal_of(tmp_path / "a.json")
