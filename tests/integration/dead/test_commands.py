"""`igsend dead …` as a process: what it prints, how it ends, and what a signal leaves behind."""

import asyncio
import json
import os
import pty
import signal
from pathlib import Path

import pytest

from tests.dead_letters.queues import ready
from tests.integration.dead.graveyard import ACCOUNTS, COUNT, Graveyard
from tests.support.commands import IGSEND, environment, exit_code, igsend, run, started
from tests.support.raw_amqp import RawMessage
from tests.support.waiting import eventually
from worker.core.reason import Reason

pytestmark = pytest.mark.broker


async def test_ls_and_show_in_json(graveyard: Graveyard) -> None:
    await graveyard.bury_raw(RawMessage(b"\xff\x00"), Reason.INVALID)
    listed = await igsend("dead", "ls", "--json", settings=graveyard.settings)
    assert listed.code == 0, listed.err
    rows = {row["reason"]: row for row in listed.json}
    assert rows.keys() == {reason.value for reason in Reason}
    assert (rows["account"]["messages"], rows["account"]["queue"]) == (COUNT, graveyard.queue)
    assert rows["account"]["codes"]["190/463"] == COUNT // 5
    shown = await igsend("dead", "show", "account", "--json", settings=graveyard.settings)
    assert [letter["id"] for letter in shown.json_lines] == list(graveyard.buried)[:20]
    wanted = {"id", "account_id", "reason", "code", "subcode", "http_status", "attempts"}
    assert wanted | {"died_at", "body"} <= shown.json_lines[0].keys()
    odd = await igsend("dead", "show", "invalid", "--json", settings=graveyard.settings)
    assert odd.json["body_base64"] == "/wA="
    await graveyard.has_left()


async def test_tables_show_no_message_text(graveyard: Graveyard) -> None:
    for arguments in (("ls",), ("show", "account")):
        seen = await igsend("dead", *arguments, settings=graveyard.settings)
        assert seen.code == 0, seen.err
        assert "account" in seen.out
        assert '"text"' not in seen.out
    full = await igsend("dead", "show", "account", "--full", "--limit", "1",
                        settings=graveyard.settings)  # fmt: skip
    assert '"text"' in full.out


async def test_exported_letters_are_discarded_and_imported_again(
    graveyard: Graveyard, tmp_path: Path
) -> None:
    settings, file, kept = graveyard.settings, tmp_path / "all.jsonl", tmp_path / "kept.jsonl"
    exported = await igsend("dead", "export", "account", "--to", file, settings=settings)
    assert exported.code == 0, exported.err
    piped = await igsend("dead", "export", "account", "--to", "-", settings=settings)
    assert [line["body"] for line in piped.json_lines] == [
        json.loads(line)["body"] for line in file.read_text().splitlines()
    ]
    gone = await igsend("dead", "discard", "account", "--to", kept, "--yes", settings=settings)
    assert gone.code == 0, gone.err
    assert len(kept.read_text().splitlines()) == COUNT
    assert await graveyard.ready() == 0
    back = await igsend("dead", "import", "-", settings=settings, given=file.read_bytes())
    assert (back.code, "imported 90 letters" in back.err) == (0, True), back.err
    await graveyard.has_left()


async def test_discard_takes_the_selected_alone(graveyard: Graveyard, tmp_path: Path) -> None:
    gone = await igsend(
        "dead", "discard", "account", "--account", ACCOUNTS[0], "--limit", "3", "--yes",
        "--to", tmp_path / "kept.jsonl", settings=graveyard.settings,
    )  # fmt: skip
    assert gone.code == 0, gone.err
    await graveyard.has_left(*graveyard.of(ACCOUNTS[0])[:3])


async def test_file_with_a_broken_line_is_not_imported_at_all(
    graveyard: Graveyard, tmp_path: Path
) -> None:
    file = tmp_path / "all.jsonl"
    await igsend("dead", "export", "account", "--to", file, settings=graveyard.settings)
    file.write_text(file.read_text() + "\n{}\nnonsense\n")
    result = await igsend("dead", "import", file, settings=graveyard.settings)
    assert result.code == 1
    assert f"line {COUNT + 2}: header must be base64" in result.err
    assert f"line {COUNT + 3}: not JSON" in result.err
    await graveyard.has_left()


async def test_import_into_a_queue_that_is_missing_says_how_far_it_came(
    graveyard: Graveyard, tmp_path: Path
) -> None:
    file = tmp_path / "all.jsonl"
    await igsend("dead", "export", "account", "--to", file, settings=graveyard.settings)
    lines = file.read_text().splitlines(keepends=True)
    elsewhere = lines[1].replace('"reason":"account"', '"reason":"expired"')
    file.write_text("".join([elsewhere, *lines[2:4]]))
    settings = {**graveyard.settings, "IGSEND_PREFIX": f"{graveyard.names.prefix}.none"}
    result = await igsend("dead", "import", file, settings=settings)
    assert result.code == 1
    assert "0 letters were imported" in result.err
    assert "--skip 0" in result.err
    skipped = await igsend("dead", "import", file, "--skip", "3", settings=settings)
    assert skipped.code == 0, skipped.err


async def test_file_that_exists_is_not_written_over(graveyard: Graveyard, tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("precious")
    for verb in ("export", "discard"):
        options = ["--yes"] if verb == "discard" else []
        result = await igsend("dead", verb, "account", "--to", file, *options,
                              settings=graveyard.settings)  # fmt: skip
        assert (result.code, "exists" in result.err) == (2, True), result.err
    assert file.read_text() == "precious"
    await graveyard.has_left()


async def test_full_disk_is_told_from_a_lost_broker(graveyard: Graveyard) -> None:
    result = await run("/bin/sh", "-c", f"exec {IGSEND} dead export account --to - >/dev/full",
                       settings=graveyard.settings)  # fmt: skip
    assert result.code == 1
    assert "cannot write -: No space left on device" in result.err
    await graveyard.has_left()


async def test_canary_without_workers_stops_and_says_what_to_look_at(graveyard: Graveyard) -> None:
    result = await igsend(
        "dead", "replay", "account", "--account", ACCOUNTS[2], "--canary", "3", "--canary-wait",
        "1", "--yes", "--json", settings=graveyard.settings,
    )  # fmt: skip
    assert result.code == 1
    summary = result.json
    assert (summary["selected"], summary["replayed"], summary["left"]) == (30, 3, COUNT - 3)
    assert "3 of 3 requests had no outcome" in summary["stopped"]
    assert "do workers run" in result.err
    await graveyard.has_left(*graveyard.of(ACCOUNTS[2])[:3])


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
async def test_replay_that_is_told_to_end_leaves_each_letter_in_one_place(
    graveyard: Graveyard, tmp_path: Path, which: signal.Signals
) -> None:
    child = started(
        "dead", "replay", "account", "--rate", "20/s", "--yes", "--json",
        settings=graveyard.settings, folder=tmp_path,
    )  # fmt: skip

    async def some_went() -> bool:
        return await ready(graveyard.url, graveyard.names.bulk_queue) >= 3

    await eventually(some_went)
    assert child.pid is not None
    os.kill(child.pid, which)
    assert await exit_code(child) == 1
    summary = json.loads(next(line for line in child.said().splitlines() if line[:1] == "{"))
    assert f"ended by {which.name}" in child.said()
    went = [taken.id for taken in await graveyard.replayed()]
    assert summary["replayed"] == len(went)
    assert went == list(graveyard.buried)[: len(went)]
    await graveyard.has_left(*went)


async def test_operator_is_asked_on_a_terminal_and_sees_how_far_it_is(
    graveyard: Graveyard,
) -> None:
    for answer, expected, said in ((b"n\n", 1, b"nothing was replayed"), (b"y\n", 0, b"30/30")):
        leader, follower = pty.openpty()
        settings = {**environment(graveyard.settings), "TERM": "xterm"}
        process = await asyncio.create_subprocess_exec(
            IGSEND, "dead", "replay", "account", "--account", ACCOUNTS[0],
            env=settings, stdin=follower, stdout=follower, stderr=follower,
        )  # fmt: skip
        os.close(follower)
        os.write(leader, answer)
        shown = await asyncio.to_thread(_read_all, leader)
        assert await process.wait() == expected, shown
        assert b"Replay them? [y/N]" in shown
        assert said in shown
    await graveyard.has_left(*graveyard.of(ACCOUNTS[0]))


def _read_all(terminal: int) -> bytes:
    """Read until the other end is closed, which Linux tells as an error."""
    pieces = []
    try:
        while piece := os.read(terminal, 65536):
            pieces.append(piece)
    except OSError:
        pass
    finally:
        os.close(terminal)
    return b"".join(pieces)


async def test_broker_that_is_away_is_two() -> None:
    result = await igsend("dead", "ls", settings={"IGSEND_AMQP_URL": "amqp://127.0.0.1:1/"})
    assert (result.code, "no connection to RabbitMQ" in result.err) == (2, True), result.err


async def test_topology_that_is_missing_is_named(graveyard: Graveyard) -> None:
    settings = {**graveyard.settings, "IGSEND_PREFIX": "elsewhere"}
    result = await igsend("dead", "show", "account", settings=settings)
    assert result.code == 2
    assert "there is no queue elsewhere.dead.account" in result.err
