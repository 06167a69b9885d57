"""`igsend demo`: everything at once with nothing to set up, and nothing left however it ends."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.commands import exit_code, igsend, said, started
from tests.support.nodes import require_rabbitmq
from tests.support.processes import with_descendants
from worker.local.child import Child

pytestmark = pytest.mark.broker

REQUEST = Path(__file__).parents[2] / "schemas" / "examples" / "valid" / "text.json"


@asynccontextmanager
async def a_demo(folder: Path, **settings: str) -> AsyncIterator[Child]:
    """Run the demo with a folder of its own for all that it puts on disk."""
    require_rabbitmq()
    (folder / "tmp").mkdir(parents=True)
    settings["TMPDIR"] = str(folder / "tmp")
    process = started("demo", settings=settings, folder=folder, name="demo")
    try:
        yield process
    finally:
        process.kill()


async def nothing_is_left(folder: Path, family: set[int]) -> None:
    """Fail when one of `family` still runs, or anything that knows of the demo's folder does."""
    await processes.ended(family)
    assert list((folder / "tmp").iterdir()) == []
    assert those_that_name(str(folder / "tmp")) == []


def those_that_name(text: str) -> list[int]:
    """Give the processes whose command line or environment holds `text`."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            known = (directory / "cmdline").read_bytes() + (directory / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if text.encode() in known:
            found.append(int(directory.name))
    return found


async def test_it_shows_every_ending_exits_0_and_leaves_nothing(tmp_path: Path) -> None:
    async with a_demo(tmp_path) as demo:
        await said(demo, "starting a worker")
        assert demo.pid is not None
        family = with_descendants([demo.pid])
        assert len(family) >= 4, "the demo, RabbitMQ, its name server and the worker"
        assert set(those_that_name(str(tmp_path / "tmp"))) & family
        assert await exit_code(demo) == 0, demo.said()
        await nothing_is_left(tmp_path, family)
        shown = demo.said()
    assert len(re.findall(r"│ sent +│", shown)) >= 20
    for reason in ("invalid", "rejected", "expired", "account", "unconfirmed"):
        assert f"ig.dead.{reason}" in shown
    assert "KEEP=1 make demo" in shown
    assert "IGAA" not in shown


async def test_interrupted_in_the_middle_it_exits_1_says_so_and_leaves_nothing(
    tmp_path: Path,
) -> None:
    await asyncio.gather(
        interrupted(tmp_path / "early", signal.SIGINT, "starting a private RabbitMQ"),
        interrupted(tmp_path / "midway", signal.SIGTERM, "starting the sandbox"),
        interrupted(tmp_path / "late", signal.SIGINT, "starting a worker"),
    )


async def interrupted(folder: Path, number: signal.Signals, moment: str) -> None:
    async with a_demo(folder) as demo:
        await said(demo, moment)
        assert demo.pid is not None
        family = with_descendants([demo.pid])
        os.kill(demo.pid, number)
        assert await exit_code(demo) == 1, demo.said()
        await nothing_is_left(folder, family)
        assert "igsend: interrupted; everything it had started is ended" in demo.said()
        assert "Traceback" not in demo.said()


async def test_kept_up_it_can_be_used_with_the_settings_it_prints_until_ctrl_c(
    tmp_path: Path,
) -> None:
    async with a_demo(tmp_path, KEEP="1") as demo:
        await said(demo, r"Ctrl-C here ends it all")
        settings = dict(re.findall(r"export (IGSEND_\w+)=(\S+)", demo.said()))
        assert {"IGSEND_AMQP_URL", "IGSEND_GRAPH_URL", "IGSEND_ACCOUNTS"} <= settings.keys()
        done, healthy = await asyncio.gather(
            igsend("send", REQUEST, "--wait", "60", "--json", settings=settings),
            igsend("doctor", settings=settings),
        )
        assert (done.code, done.json["status"]) == (0, "sent")
        assert healthy.code == 0, healthy.out
        assert demo.pid is not None
        family = with_descendants([demo.pid])
        os.kill(demo.pid, signal.SIGINT)
        assert await exit_code(demo) == 0, demo.said()
        await nothing_is_left(tmp_path, family)
