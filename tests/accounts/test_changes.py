"""Sources that change while the worker runs: what stays, what goes, and when it is noticed."""

import asyncio
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from worker.accounts.source import AccountSource
from worker.core.request import AccountId

ONE, TWO = AccountId("17841400000000001"), AccountId("17841400000000002")
NOBODY = AccountId("17841400000000009")


class Environment(Mapping[str, str]):
    """Counts the looks at TOKEN, one for each reading of a file that names it."""

    def __init__(self) -> None:
        self.looks = 0
        self.threads: set[threading.Thread] = set()

    def __getitem__(self, name: str) -> str:
        self.looks += 1
        self.threads.add(threading.current_thread())
        return {"TOKEN": "IGAAenv"}[name]

    def __contains__(self, name: object) -> bool:
        return name == "TOKEN"

    def __iter__(self) -> Iterator[str]:
        return iter(["TOKEN"])

    def __len__(self) -> int:
        return 1


async def loaded(path: Path, environment: Mapping[str, str] | None = None) -> AccountSource:
    source = AccountSource(path, environment=environment or {})
    await source.load()
    return source


async def token_of(source: AccountSource, account_id: AccountId) -> str | None:
    account = await source.find(account_id)
    return account.token.reveal if account else None


async def look_again(source: AccountSource) -> None:
    """An unknown id makes the source look; the look is over when the answer is there."""
    assert await source.find(NOBODY) is None


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "accounts"
    path.mkdir()
    (path / ONE).write_text("IGAAone\n")
    return path


def written(path: Path, *, accounts: object) -> Path:
    path.write_text(json.dumps({"accounts": accounts}))
    return path


def made_old(path: Path) -> None:
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))


async def test_account_added_since_the_last_look_is_found_at_the_first_question(
    directory: Path,
) -> None:
    source = await loaded(directory)
    for number in range(3):
        account_id = AccountId(f"1784150000000000{number}")
        (directory / account_id).write_text(f"IGAA{number}")
        assert await token_of(source, account_id) == f"IGAA{number}"


async def test_all_who_ask_for_unknown_ids_share_one_look(tmp_path: Path) -> None:
    environment = Environment()
    path = written(tmp_path / "a.json", accounts={ONE: {"token_env": "TOKEN"}})
    source = await loaded(path, environment)
    before = environment.looks
    asked = (source.find(AccountId(str(number))) for number in range(1000, 1200))
    assert set(await asyncio.gather(*asked)) == {None}
    assert environment.looks == before + 1


async def test_one_who_is_cancelled_while_waiting_harms_no_other(directory: Path) -> None:
    source = await loaded(directory)
    (directory / TWO).write_text("IGAAtwo")
    impatient = asyncio.create_task(source.find(NOBODY))
    patient = asyncio.create_task(token_of(source, TWO))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await patient == "IGAAtwo"
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_known_accounts_are_found_without_looking(directory: Path) -> None:
    source = await loaded(directory)
    shutil.rmtree(directory)
    assert await token_of(source, ONE) == "IGAAone"
    assert source.last_error is None


async def test_files_are_read_outside_the_event_loop(tmp_path: Path) -> None:
    environment = Environment()
    path = written(tmp_path / "a.json", accounts={ONE: {"token_env": "TOKEN"}})
    source = await loaded(path, environment)
    await look_again(source)
    assert environment.threads
    assert threading.current_thread() not in environment.threads


@pytest.mark.parametrize("content", [b"", b"IGAA two", b"\xff"], ids=["empty", "blank", "binary"])
async def test_token_file_that_turns_bad_keeps_its_last_good_token(
    directory: Path, content: bytes
) -> None:
    (directory / TWO).write_text("IGAAtwo")
    source = await loaded(directory)
    (directory / TWO).write_bytes(content)
    for _ in range(2):
        await look_again(source)
        assert await token_of(source, TWO) == "IGAAtwo"
        assert source.last_error is not None
        assert TWO in source.last_error
    (directory / TWO).write_text("IGAAnew")
    await look_again(source)
    assert (await token_of(source, TWO), source.last_error) == ("IGAAnew", None)


async def test_bad_token_file_is_still_reported_when_it_has_grown_old(directory: Path) -> None:
    (directory / TWO).write_text("IGAAtwo")
    source = await loaded(directory)
    (directory / TWO).write_text("")
    made_old(directory / ONE)
    made_old(directory / TWO)
    for _ in range(3):
        await look_again(source)
        assert source.last_error is not None
    assert await token_of(source, TWO) == "IGAAtwo"


async def test_account_whose_file_is_gone_is_gone(directory: Path) -> None:
    (directory / TWO).write_text("IGAAtwo")
    source = await loaded(directory)
    (directory / TWO).unlink()
    await look_again(source)
    assert (source.count, source.last_error) == (1, None)


async def test_directory_that_vanishes_leaves_the_last_accounts_and_says_so(
    directory: Path,
) -> None:
    source = await loaded(directory)
    os.rename(directory, directory.with_name("elsewhere"))
    for _ in range(2):
        await look_again(source)
        assert await token_of(source, ONE) == "IGAAone"
        assert source.last_error is not None
        assert "No such file" in source.last_error
    os.rename(directory.with_name("elsewhere"), directory)
    await look_again(source)
    assert source.last_error is None


async def test_broken_file_is_reported_for_as_long_as_it_is_broken(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", accounts={ONE: {"token": "IGAAone"}})
    source = await loaded(path)
    path.write_text("{")
    made_old(path)
    for _ in range(3):
        await look_again(source)
        assert await token_of(source, ONE) == "IGAAone"
        assert source.last_error is not None


async def test_entry_that_turns_bad_keeps_its_last_good_state_and_one_that_is_gone_goes(
    tmp_path: Path,
) -> None:
    path = written(
        tmp_path / "a.json", accounts={ONE: {"token": "IGAAone"}, TWO: {"token": "IGAAtwo"}}
    )
    source = await loaded(path)
    written(path, accounts={ONE: {"tokn": "IGAAnew"}})
    await look_again(source)
    assert source.count == 1
    assert await token_of(source, ONE) == "IGAAone"
    assert "did you mean token?" in (source.last_error or "")


async def test_change_within_the_same_tick_of_the_file_systems_clock_is_seen(
    directory: Path,
) -> None:
    source = await loaded(directory)
    before = (directory / ONE).stat()
    (directory / ONE).write_text("IGAAnew\n")
    os.utime(directory / ONE, ns=(before.st_atime_ns, before.st_mtime_ns))
    await look_again(source)
    assert await token_of(source, ONE) == "IGAAnew"


async def test_file_that_looks_the_same_is_not_read_again(directory: Path) -> None:
    made_old(directory / ONE)
    source = await loaded(directory)
    before = (directory / ONE).stat()
    (directory / ONE).write_text("IGAAnew\n")
    os.utime(directory / ONE, ns=(before.st_atime_ns, before.st_mtime_ns))
    await look_again(source)
    assert await token_of(source, ONE) == "IGAAone"


async def test_token_file_that_an_entry_names_is_followed(tmp_path: Path) -> None:
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "token").write_text(f"IGAA{version}")
        made_old(tmp_path / version / "token")
    (tmp_path / "..data").symlink_to("v1")
    path = written(tmp_path / "a.json", accounts={ONE: {"token_file": "..data/token"}})
    made_old(path)
    source = await loaded(path)
    (tmp_path / "..tmp").symlink_to("v2")
    os.replace(tmp_path / "..tmp", tmp_path / "..data")
    await look_again(source)
    assert await token_of(source, ONE) == "IGAAv2"


async def test_loaded_at_moves_only_when_something_changed(directory: Path) -> None:
    moments = iter([1000.0, 2000.0, 3000.0])
    made_old(directory / ONE)
    source = AccountSource(directory, environment={}, now=lambda: next(moments))
    assert source.loaded_at is None
    await source.load()
    await look_again(source)
    assert source.loaded_at == 1000.0
    (directory / TWO).write_text("IGAAtwo")
    await look_again(source)
    assert source.loaded_at == 2000.0
