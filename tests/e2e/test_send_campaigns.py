"""`igsend send` with a table, at a rate, with a file for what failed, and broken off."""

import asyncio
import json
import os
import pty
import signal
import time
from pathlib import Path
from secrets import randbelow

import pytest

from tests.support.builders import a_document
from tests.support.commands import IGSEND, environment, exit_code, igsend, said, started
from tests.support.nodes import Broker
from tests.support.system import System
from tests.support.waiting import eventually
from worker.rabbit.names import Names

pytestmark = pytest.mark.broker

ACCOUNT = "17841400000000004"


def people(count: int, folder: Path, *, text: str = "Hello {{name|there}}") -> tuple[Path, Path]:
    """Write a table of so many people nobody has written to, and a template for it."""
    first = 10**12 + randbelow(10**12)
    rows = [f"{first + n},{first + n},Person {n}" for n in range(count)]
    table = folder / f"people-{first}.csv"
    table.write_text("\n".join(["customer,igsid,name", *rows, ""]))
    template = folder / f"message-{first}.json"
    document = {
        "id": "spring-{{customer}}",
        "account_id": ACCOUNT,
        "recipient": {"id": "{{igsid}}"},
        "message": {"text": text},
    }
    template.write_text(json.dumps(document))
    return table, template


async def texts_to(system: System, table: Path) -> list[str]:
    """Give the texts that arrived at the people of a table."""
    messages, ids = await system.sandbox.messages(ACCOUNT), ids_in(table)
    return [m["body"]["message"]["text"] for m in messages if m["recipient_id"] in ids]


def ids_in(table: Path) -> set[str]:
    return {row.split(",")[1] for row in table.read_text().splitlines()[1:]}


async def test_campaign_goes_once_to_everybody_also_when_it_is_run_again(
    system: System, tmp_path: Path
) -> None:
    table, template = people(5, tmp_path)
    for _ in range(2):
        done = await igsend(
            "send", table, "--template", template, "--lane", "bulk", "--wait", "60",
            settings=system.settings,
        )  # fmt: skip
        assert (done.code, done.err) == (0, "")
        assert done.out.splitlines()[-1] == "published 5 requests: 5 sent"
    assert sorted(await texts_to(system, table)) == [f"Hello Person {n}" for n in range(5)]


async def test_rows_that_failed_can_be_mended_and_sent(system: System, tmp_path: Path) -> None:
    table, template = people(4, tmp_path, text="Hello {{name}}")
    rows = table.read_text().splitlines()
    rows[2] = rows[2].replace("Person 1", "")
    rows[4] = rows[4].rpartition(",")[0]
    table.write_text("\n".join(rows))
    failed = tmp_path / "failed.csv"
    options = ("--template", template, "--wait", "60")
    done = await igsend(
        "send", table, *options, "--failed", failed, "--json", settings=system.settings
    )
    assert done.code == 1
    assert done.err == f"igsend: 2 of 4 requests were not sent; their lines are in {failed}\n"
    assert [o["reason"] for o in done.json_lines].count("invalid") == 2
    assert failed.read_text().splitlines() == [rows[0], rows[2], rows[4]]
    mended = failed.read_text().replace(rows[2], rows[2] + "One").replace(rows[4], rows[4] + ",Two")
    failed.write_text(mended)
    done = await igsend("send", failed, *options, settings=system.settings)
    assert (done.code, done.err) == (0, "")
    texts = ["Hello One", "Hello Person 0", "Hello Person 2", "Hello Two"]
    assert sorted(await texts_to(system, table)) == texts


async def test_lines_that_failed_are_kept_as_they_were(system: System, tmp_path: Path) -> None:
    good = json.dumps(a_document(id=f"k{randbelow(10**9)}", account_id=ACCOUNT))
    lines = ["{oops", good, '{"id": "a",  "message": {}}', '"text"']
    failed = tmp_path / "failed.jsonl"
    done = await igsend(
        "send", "-", "--failed", failed,
        settings=system.settings, given="\n".join(lines).encode(),
    )  # fmt: skip
    assert done.code == 1
    assert done.out.splitlines()[-1] == "published 1 requests; 3 invalid, not published"
    assert failed.read_text().splitlines() == [lines[0], *lines[2:]]


async def test_file_of_failed_lines_is_never_written_over(system: System, tmp_path: Path) -> None:
    table, template = people(1, tmp_path)
    kept = tmp_path / "kept.csv"
    kept.write_text("precious")
    options = ("--template", template, "--failed")
    done = await igsend("send", table, *options, kept, settings=system.settings)
    assert (done.code, kept.read_text()) == (2, "precious")
    assert done.err == f"igsend: --failed: {kept} exists; name a new file\n"
    fresh = tmp_path / "fresh.csv"
    done = await igsend("send", table, *options, fresh, settings=system.settings)
    assert (done.code, fresh.exists()) == (0, False), "nothing failed"


async def test_dry_run_prints_requests_and_needs_no_broker(tmp_path: Path) -> None:
    table, template = people(2, tmp_path)
    table.write_text(table.read_text() + "only,two\n")
    done = await igsend("send", table, "--template", template, "--dry-run", "--skip", "1")
    assert [each["message"]["text"] for each in done.json_lines] == ["Hello Person 1"]
    assert done.code == 1
    assert "has 2 cells; the header has 3" in done.err
    assert done.err.endswith("1 requests would be published, 1 are invalid\n")


WRONG_USES: dict[tuple[str, ...], str] = {
    ("people.csv",): "people.csv is a table: say with --template what to make of its rows",
    ("-", "--delimiter", ";"): "--delimiter and --encoding are for CSV, which needs --template",
    ("-", "--rate", "fast"): "--rate: 'fast' is not a rate; write 20/s, 600/m or 5000/h",
    ("-", "--rate", "0/s"): "--rate: '0/s' is not a rate; write 20/s, 600/m or 5000/h",
    ("-", "--template", "nowhere.json"): "cannot read nowhere.json: No such file or directory",
}


async def test_wrong_use_exits_2_and_says_why() -> None:
    ended = await asyncio.gather(*(igsend("send", *each) for each in WRONG_USES))
    for done, text in zip(ended, WRONG_USES.values(), strict=True):
        assert (done.code, done.out, done.err) == (2, "", f"igsend: {text}\n")


async def test_rate_is_kept(system: System, tmp_path: Path) -> None:
    table, template = people(5, tmp_path)
    began = time.monotonic()
    done = await igsend(
        "send", table, "--template", template, "--rate", "120/m", settings=system.settings
    )
    assert (done.code, done.out) == (0, "published 5 requests\n")
    # Four pauses of half a second, one of which may be shortened by what the timers were late.
    assert time.monotonic() - began > 1.8


async def test_ctrl_c_says_how_to_go_on_and_nothing_is_lost_or_doubled(
    system: System, tmp_path: Path
) -> None:
    table, template = people(40, tmp_path)
    command = ("send", str(table), "--template", str(template))
    child = started(*command, "--rate", "5/s", settings=system.settings, folder=tmp_path)

    async def has_begun() -> bool:
        return len(await texts_to(system, table)) >= 3

    await eventually(has_begun)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGINT)
    assert await exit_code(child) == 1
    published = int((await said(child, r"igsend: stopped\npublished (\d+) requests\n"))[1])
    assert 3 <= published < 40
    assert f"to go on, give the same command with --skip {published};" in child.said()
    done = await igsend(
        *command, "--skip", str(published), "--wait", "60", settings=system.settings
    )
    assert done.out.splitlines()[-1] == f"published {40 - published} requests: " + (
        f"{40 - published} sent"
    )

    async def all_are_there() -> bool:
        return len(await texts_to(system, table)) >= 40

    await eventually(all_are_there)
    assert sorted(await texts_to(system, table)) == sorted(f"Hello Person {n}" for n in range(40))


async def test_what_comes_through_a_pipe_is_published_when_it_comes(system: System) -> None:
    process = await asyncio.create_subprocess_exec(
        IGSEND, "send", "-", "--wait", "60", "--json",
        env=environment(system.settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(2):
        sent = a_document(id=f"p{randbelow(10**9)}", account_id=ACCOUNT)
        process.stdin.write(json.dumps(sent).encode() + b"\n")
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        assert json.loads(line)["id"] == sent["id"]
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 60) == 0


async def test_pipe_that_says_nothing_does_not_keep_ctrl_c(system: System) -> None:
    process = await asyncio.create_subprocess_exec(
        IGSEND, "send", "-",
        env=environment(system.settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Shells start background jobs deaf to SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdin is not None
    given = [
        a_document(id=f"s{n}", account_id=ACCOUNT, recipient={"id": str(n)})
        for n in (10**12 + randbelow(10**12), 10**12 + randbelow(10**12))
    ]
    process.stdin.write("".join(json.dumps(each) + "\n" for each in given).encode())

    async def is_taken() -> bool:
        messages = await system.sandbox.messages(ACCOUNT)
        return given[1]["recipient"]["id"] in {each["recipient_id"] for each in messages}

    await eventually(is_taken)
    process.send_signal(signal.SIGINT)
    _, said_ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert said_.decode().startswith("igsend: stopped\npublished 2 requests\nto go on, ")


async def test_progress_is_shown_on_a_terminal(system: System, tmp_path: Path) -> None:
    table, template = people(3, tmp_path)
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        IGSEND, "send", str(table), "--template", str(template),
        env={**environment(system.settings), "TERM": "xterm"},
        stdout=asyncio.subprocess.PIPE, stderr=theirs,
    )  # fmt: skip
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    os.close(theirs)
    assert (process.returncode, out) == (0, b"published 3 requests\n")
    assert "3 published" in shown
    assert "100%" in shown


async def test_broker_that_takes_nothing_is_told_and_waited_for(
    system: System, tmp_path: Path
) -> None:
    node = system.broker.server.node
    if node is None:
        pytest.skip("only on a private node: an alarm is for everybody on the broker")
    table, template = people(3, tmp_path)
    command = ("send", str(table), "--template", str(template))
    try:
        await node.control("set_vm_memory_high_watermark", "absolute", "1")
        gave_up = await igsend(*command, "--timeout", "3", settings=system.settings)
        child = started(*command, settings=system.settings, folder=tmp_path)
        await said(child, "igsend: waiting: RabbitMQ has blocked the publish connection: it is")
    finally:
        await node.control("set_vm_memory_high_watermark", "absolute", "1GB")
    assert await exit_code(child) == 0
    assert child.said().startswith("igsend: waiting: ")
    assert child.said().endswith("published 3 requests\n")
    assert (gave_up.code, gave_up.out) == (1, "")
    assert "within 3 s (RabbitMQ has blocked the publish connection" in gave_up.err

    async def all_are_there() -> bool:
        return len(await texts_to(system, table)) >= 3

    await eventually(all_are_there)
    assert len(await texts_to(system, table)) == 3


async def test_exchange_that_is_not_there_is_said_once_for_all(
    broker: Broker, tmp_path: Path
) -> None:
    table, template = people(50, tmp_path)
    settings = {"IGSEND_AMQP_URL": broker.amqp_url, "IGSEND_PREFIX": broker.prefix}
    done = await igsend("send", table, "--template", template, settings=settings)
    assert (done.code, done.out) == (1, "")
    exchange = Names(broker.prefix, 1).requests
    assert done.err.startswith(f"igsend: the broker has no exchange {exchange}, or no queue")
    assert done.err.count("\n") == 1
