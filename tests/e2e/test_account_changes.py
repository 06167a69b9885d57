"""Accounts and tokens change while the worker runs, and take effect without a restart."""

import os
from pathlib import Path
from secrets import token_hex

import pytest

from tests.support.builders import a_document
from tests.support.own_worker import worker_with
from tests.support.producer import Producer, a_producer
from tests.support.system import System
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker

ROTATED, REMOVED, ADDED = "17841400000000004", "17841400000000005", "17841400000000090"
SWAPPED, LISTED, LATER = "17841400000000091", "17841400000000092", "17841400000000093"

SENT = ("sent", None)
DEAD = ("failed", "account")


async def ending_of_one(producer: Producer, account_id: str) -> tuple[str, str | None]:
    """Publish one more request of an account and say how it ended."""
    request = a_document(id=token_hex(6), account_id=account_id)
    outcome = await producer.outcome_of(request)
    return outcome["status"], outcome["reason"]


async def until_one_ends(
    producer: Producer, account_id: str, ending: tuple[str, str | None]
) -> None:
    async def ends_so() -> bool:
        return await ending_of_one(producer, account_id) == ending

    await eventually(ends_so)


async def let_in(system: System, account_id: str, token: str) -> None:
    """Make the API take this token, and only this one, from the account."""
    await system.sandbox.admin("PUT", f"accounts/{account_id}", {"token": token})


async def test_a_token_file_that_appears_works_at_once(system: System) -> None:
    await let_in(system, ADDED, "IGAAadded")
    async with a_producer(system.broker) as producer:
        assert await ending_of_one(producer, ADDED) == DEAD
        (system.accounts / ADDED).write_text("IGAAadded\n")
        await until_one_ends(producer, ADDED, SENT)


async def test_a_rotated_token_reopens_the_account_the_old_one_closed(system: System) -> None:
    async with a_producer(system.broker) as producer:
        assert await ending_of_one(producer, ROTATED) == SENT
        await let_in(system, ROTATED, "IGAArotated")
        assert await ending_of_one(producer, ROTATED) == DEAD
        calls = len(await system.sandbox.calls(ROTATED))
        assert await ending_of_one(producer, ROTATED) == DEAD
        assert len(await system.sandbox.calls(ROTATED)) == calls, "it is closed: no call is made"
        status = (await system.worker.get("/status")).text
        assert ROTATED in status

        (system.accounts / ROTATED).write_text("IGAArotated")
        await until_one_ends(producer, ROTATED, SENT)


async def test_an_account_whose_file_goes_away_sends_no_more(system: System) -> None:
    async with a_producer(system.broker) as producer:
        assert await ending_of_one(producer, REMOVED) == SENT
        (system.accounts / REMOVED).unlink()
        await until_one_ends(producer, REMOVED, DEAD)


async def test_a_mounted_secret_is_swapped_by_its_symlink(system: System, tmp_path: Path) -> None:
    mount = tmp_path / "mounted"
    mount.mkdir()

    def write_version(name: str, token: str) -> None:
        (mount / name).mkdir()
        (mount / name / SWAPPED).write_text(token)
        os.utime(mount / name / SWAPPED, (1_700_000_000, 1_700_000_000))
        (mount / "..data_tmp").symlink_to(name)
        (mount / "..data_tmp").rename(mount / "..data")

    write_version("..2026_11_22", "IGAAold1")
    (mount / SWAPPED).symlink_to(f"..data/{SWAPPED}")
    await let_in(system, SWAPPED, "IGAAold1")
    async with worker_with(system, tmp_path, mount) as (_, producer):
        assert await ending_of_one(producer, SWAPPED) == SENT
        await let_in(system, SWAPPED, "IGAAnew1")
        # As long as the old one, and as old: only the file behind the name is another.
        write_version("..2026_11_23", "IGAAnew1")
        await until_one_ends(producer, SWAPPED, SENT)


async def test_an_edited_file_takes_effect_and_a_broken_one_changes_nothing(
    system: System, tmp_path: Path
) -> None:
    file = tmp_path / "accounts.toml"
    one = f'[accounts.{LISTED}]\ntoken = "IGAAlisted"\n'
    both = f'{one}[accounts.{LATER}]\ntoken = "IGAAlater"\n'
    file.write_text(one)
    await let_in(system, LISTED, "IGAAlisted")
    await let_in(system, LATER, "IGAAlater")
    async with worker_with(system, tmp_path, file) as (worker, producer):

        async def complaint() -> str | None:
            accounts = (await worker.get("/status")).json["accounts"]
            found: str | None = accounts["last_error"]
            return found

        async def complains() -> bool:
            return await complaint() is not None

        assert await ending_of_one(producer, LISTED) == SENT
        assert await ending_of_one(producer, LATER) == DEAD

        file.write_text(both.replace('later"', "later"))
        await eventually(complains)
        assert "is not TOML" in str(await complaint())
        assert "IGAA" not in str(await complaint())
        assert await ending_of_one(producer, LISTED) == SENT, "the last good state is in force"

        file.write_text(both)
        await until_one_ends(producer, LATER, SENT)
        assert await complaint() is None
        file.write_text(one.replace(LISTED, LATER).replace("IGAAlisted", "IGAAlater"))
        await until_one_ends(producer, LISTED, DEAD)
        assert await ending_of_one(producer, LATER) == SENT
