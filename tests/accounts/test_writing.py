"""A refreshed token takes the place of the old one, and nothing else changes."""

import asyncio
import errno
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import NOW
from worker.accounts import replacing
from worker.accounts.replacing import BusyError, CannotWriteError, only_one
from worker.accounts.source import AccountSource
from worker.accounts.writing import NotStoredError, checked_place, lock_of
from worker.core.account import Account
from worker.core.progress import rfc3339
from worker.core.secret import Secret
from worker.core.token_life import Fresh

ID, OTHER = "17841400000000001", "17841400000000002"
OLD, NEW = "IGAAoldSecret", "IGAAnewSecret"
BEFORE, AFTER = Fresh(Secret(OLD), None), Fresh(Secret(NEW), NOW)

TOML = f"""# Ask Ada before you change this.
[defaults]
human_agent = true  # approved

[accounts.{OTHER}]
token = "IGAAother"

[accounts.{ID}] # the shop
limits = {{ text = "100/s" }}   # slow
token = '{OLD}'

[accounts.3]
token_env = "THIRD"
"""


def stored(source: Path, fresh: Fresh = AFTER, account_id: str = ID) -> None:
    checked_place(source, account_id, BEFORE).store(fresh)


def read(source: Path) -> Account:
    accounts = AccountSource(source, environment={"THIRD": "IGAAthird"})
    asyncio.run(accounts.load())
    return accounts.accounts[ID]


def listed(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


@pytest.mark.parametrize(
    "contents",
    [
        OLD,
        f" {OLD}\n",
        json.dumps({"token": OLD}),
        json.dumps({"token": OLD, "expires_at": rfc3339(1)}),
    ],
)
def test_file_of_a_directory_holds_token_and_end_afterwards(tmp_path: Path, contents: str) -> None:
    (tmp_path / ID).write_text(contents)
    (tmp_path / ID).chmod(0o640)
    stored(tmp_path)
    account = read(tmp_path)
    assert (account.token.reveal, account.expires_at) == (NEW, NOW)
    assert (tmp_path / ID).stat().st_mode & 0o7777 == 0o640
    assert listed(tmp_path) == {ID}


def test_settings_of_an_entry_stay(tmp_path: Path) -> None:
    entry = {"human_agent": True, "token": OLD, "limits": {"text": "10/s"}}
    (tmp_path / ID).write_text(json.dumps(entry, indent=4))
    stored(tmp_path)
    expected = {**entry, "token": NEW, "expires_at": rfc3339(NOW)}
    assert json.loads((tmp_path / ID).read_text()) == expected


def test_byte_order_mark_costs_no_setting(tmp_path: Path) -> None:
    entry = json.dumps({"token": OLD, "human_agent": True})
    (tmp_path / ID).write_text(entry, encoding="utf-8-sig")
    stored(tmp_path)
    account = read(tmp_path)
    assert (account.token.reveal, account.human_agent) == (NEW, True)


def test_end_that_is_not_told_leaves_none_behind(tmp_path: Path) -> None:
    (tmp_path / ID).write_text(json.dumps({"token": OLD, "expires_at": rfc3339(1)}))
    stored(tmp_path, Fresh(Secret(NEW), None))
    assert json.loads((tmp_path / ID).read_text()) == {"token": NEW}


def test_toml_keeps_its_comments_and_order(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(TOML)
    stored(file)
    changed = file.read_text().replace(f'"{NEW}"', f"'{OLD}'")
    assert changed.replace(f'expires_at = "{rfc3339(NOW)}"\n', "") == TOML
    assert read(file).token.reveal == NEW
    assert read(file).expires_at == NOW


@pytest.mark.parametrize(
    "text",
    [
        f'[accounts]\n{ID} = {{ token = "{OLD}" }}\n',
        f'accounts.{ID}.token = "{OLD}"\n',
        f'accounts = {{ "{ID}" = {{ token = "{OLD}" }} }}\n',
        f'[accounts.{ID}]\ntoken = "{OLD}"\n[defaults]\n[accounts.{OTHER}]\ntoken = "IGAAother"\n',
        f'[accounts."{ID}"]\r\ntoken = """{OLD}"""\r\n',
    ],
)
def test_every_way_to_write_toml_is_changed_right_or_refused_before(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "accounts.toml"
    file.write_bytes(text.encode())
    expected: Any = tomllib.loads(text)
    expected["accounts"][ID] |= {"token": NEW, "expires_at": rfc3339(NOW)}
    stored(file)
    assert tomllib.loads(file.read_bytes().decode()) == expected


@pytest.mark.parametrize("indent", [None, 2])
def test_json_keeps_its_order(tmp_path: Path, indent: int | None) -> None:
    file = tmp_path / "accounts.json"
    document = {"defaults": {}, "accounts": {OTHER: {"token": "é"}, ID: {"token": OLD}}}
    file.write_text(json.dumps(document, indent=indent, ensure_ascii=False))
    stored(file)
    document["accounts"][ID] = {"token": NEW, "expires_at": rfc3339(NOW)}
    assert file.read_text().strip() == json.dumps(document, indent=indent, ensure_ascii=False)


def test_token_file_takes_the_token_and_the_entry_the_end(tmp_path: Path) -> None:
    file, secret = tmp_path / "accounts.toml", tmp_path / "shop.token"
    file.write_text(f'[accounts.{ID}]\ntoken_file = "shop.token"\n')
    secret.write_text(OLD)
    stored(file)
    assert secret.read_text() == f"{NEW}\n"
    assert read(file).expires_at == NOW
    assert NEW not in file.read_text()


def test_change_by_somebody_else_meanwhile_stays(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(TOML)
    place = checked_place(file, ID, BEFORE)
    file.write_text(TOML.replace("IGAAother", "IGAAchanged"))
    place.store(AFTER)
    assert "IGAAchanged" in file.read_text()
    assert NEW in file.read_text()


def test_link_is_followed_and_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "token").write_text(OLD)
    mount = tmp_path / "accounts"
    mount.mkdir()
    (mount / ID).symlink_to(kept / "token")
    stored(mount)
    assert (mount / ID).is_symlink()
    assert NEW in (kept / "token").read_text()


def test_mounted_secret_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "..2026_11_22").mkdir()
    (tmp_path / "..2026_11_22" / ID).write_text(OLD)
    (tmp_path / "..data").symlink_to("..2026_11_22")
    (tmp_path / ID).symlink_to(f"..data/{ID}")
    with pytest.raises(CannotWriteError, match="a Secret that Kubernetes mounted; run this where"):
        checked_place(tmp_path, ID, BEFORE)
    assert (tmp_path / ID).read_text() == OLD


def test_variable_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(TOML)
    with pytest.raises(CannotWriteError, match=r"accounts\.3: its token is in an environment"):
        checked_place(file, "3", BEFORE)


def test_file_that_nothing_can_take_the_place_of_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ID).write_text(OLD)
    fails(monkeypatch)
    with pytest.raises(CannotWriteError, match=f"{ID} cannot be replaced .*busy.*; run this where"):
        checked_place(tmp_path, ID, BEFORE)
    assert listed(tmp_path) == {ID}


def test_new_token_that_cannot_be_put_in_place_is_kept_and_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ID).write_text(OLD)
    place = checked_place(tmp_path, ID, BEFORE)
    fails(monkeypatch)
    with pytest.raises(NotStoredError, match="put it in place with mv") as caught:
        place.store(AFTER)
    assert NEW not in str(caught.value)
    [kept] = listed(tmp_path) - {ID}
    assert kept in str(caught.value)
    assert json.loads((tmp_path / kept).read_text())["token"] == NEW
    assert (tmp_path / ID).read_text() == OLD


def test_new_token_that_cannot_be_written_is_said_to_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ID).write_text(OLD)
    place = checked_place(tmp_path, ID, BEFORE)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(replacing, "_fill", full)
    with pytest.raises(NotStoredError, match=r"No space left.*the new token is lost") as caught:
        place.store(AFTER)
    assert NEW not in str(caught.value)
    assert listed(tmp_path) == {ID}


@pytest.mark.parametrize("broken", ["{", "", "[accounts.1]\ntoken = 'x'\n"])
def test_source_that_was_spoilt_meanwhile_is_told_of(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "accounts.toml"
    file.write_text(TOML)
    place = checked_place(file, ID, BEFORE)
    file.write_text(broken)
    with pytest.raises(NotStoredError, match=re.escape(str(file))) as caught:
        place.store(AFTER)
    assert NEW not in str(caught.value)
    assert file.read_text() == broken


def test_one_at_a_time(tmp_path: Path) -> None:
    (tmp_path / ID).write_text(OLD)
    with (
        only_one(lock_of(tmp_path)),
        pytest.raises(BusyError, match="another igsend accounts refresh"),
        only_one(lock_of(tmp_path)),
    ):
        pass
    with only_one(lock_of(tmp_path)):
        assert read(tmp_path).token.reveal == OLD


def fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behave as where the file is mounted by itself."""

    def replace(*_: Any) -> None:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(Path, "replace", replace)
