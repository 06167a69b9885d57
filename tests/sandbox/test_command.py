"""`igsend sandbox` as a process: it says where it listens, serves, and ends when told to."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.sandbox.caller import ACCOUNT, TOKEN, Caller, a_text

_DEADLINE_S = 60.0
_PROGRAM = "import typer; from worker.cli.sandbox import sandbox; typer.run(sandbox)"


@asynccontextmanager
async def _started(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", _PROGRAM, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(_DEADLINE_S):
        return (await process.stdout.readline()).decode()


def _url_in(line: str) -> str:
    found = re.search(r"IGSEND_GRAPH_URL=(http://\S+)", line)
    assert found, line
    return found[1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_listens_serves_and_exits_0_when_told_to(
    number: signal.Signals, tmp_path: Path
) -> None:
    (tmp_path / ACCOUNT).write_text(TOKEN)
    async with _started("--port", "0", "--accounts", str(tmp_path)) as process:
        line = await _line(process)
        assert "1 account" in line
        assert TOKEN not in line
        async with aiohttp.ClientSession() as session:
            reply = await Caller(_url_in(line), session).send(a_text())
        assert reply.status == 200
        process.send_signal(number)
        _, errors = await asyncio.wait_for(process.communicate(), _DEADLINE_S)
        assert (process.returncode, errors) == (0, b"")


async def test_it_stops_although_a_client_hangs(tmp_path: Path) -> None:
    (tmp_path / ACCOUNT).write_text(TOKEN)
    async with (
        _started("--port", "0", "--accounts", str(tmp_path)) as process,
        aiohttp.ClientSession() as session,
    ):
        caller = Caller(_url_in(await _line(process)), session)
        await caller.script(scenario="hang_after_accept")
        hanging = asyncio.create_task(caller.send(a_text()))
        assert await caller.admin("GET", "wait?accepted=1&within_s=30") == {"accepted": 1}
        process.terminate()
        await asyncio.wait_for(process.wait(), _DEADLINE_S)
        assert process.returncode == 0
        with pytest.raises(aiohttp.ClientError):
            await hanging


async def test_options_become_settings() -> None:
    options = ["--strict", "--locale", "pt", "--usage-spelling", "documented", "--keep", "7"]
    async with _started("--port", "0", *options) as process, aiohttp.ClientSession() as session:
        caller = Caller(_url_in(await _line(process)), session)
        settings = await caller.admin("GET", "settings")
        assert (settings["strict"], settings["locale"]) == (True, "pt")
        assert settings["usage_spelling"] == "documented"
        assert (await caller.admin("GET", "stats"))["keep"] == 7


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (["--accounts", "/nonexistent/accounts.toml"], 2, "No such file"),
        (["--locale", "xx"], 2, "locale"),
        (["--host", "203.0.113.1", "--port", "0"], 1, "Cannot listen on 203.0.113.1"),
    ],
)
async def test_what_it_cannot_do_is_said_with_the_exit_code(
    arguments: list[str], code: int, what: str
) -> None:
    async with _started(*arguments) as process:
        _, errors = await asyncio.wait_for(process.communicate(), _DEADLINE_S)
        assert process.returncode == code
        assert what in errors.decode()
