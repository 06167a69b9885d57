"""Runs `igsend` from outside: a command to its end, or a service whose output is kept in a file."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support import processes
from tests.support.waiting import DEADLINE_S, eventually
from worker.local.child import Child

IGSEND = Path(sys.executable).with_name("igsend")


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended: exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


async def igsend(
    *arguments: str | Path,
    settings: Mapping[str, str] | None = None,
    given: bytes = b"",
    folder: Path | None = None,
) -> Finished:
    """Run `igsend` with these settings alone; `given` is its standard input."""
    return await run(IGSEND, *arguments, settings=settings, given=given, folder=folder)


async def run(
    program: str | Path,
    *arguments: str | Path,
    settings: Mapping[str, str] | None = None,
    given: bytes = b"",
    folder: Path | None = None,
) -> Finished:
    """Run any program to its end, in `folder`."""
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        env=environment(settings or {}),
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(given), DEADLINE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Finished(process.returncode, out.decode(), err.decode())


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Give the caller's environment with no other IGSEND_ setting, and lines that do not wrap."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("IGSEND")}
    for name in ("KEEP", "FORCE_COLOR"):
        inherited.pop(name, None)
    return {**inherited, "COLUMNS": "250", "TERM": "dumb", **settings}


def started(
    *arguments: str | Path, settings: Mapping[str, str], folder: Path, name: str = "service"
) -> Child:
    """Start `igsend` to run beside the test; it cannot outlive the test's own process."""
    child = Child(
        name,
        [str(IGSEND), *map(str, arguments)],
        environment=environment(settings),
        log=folder / f"{name}.log",
    )
    with _hearing_ctrl_c():
        child.start()
    return child


@contextlib.contextmanager
def _hearing_ctrl_c() -> Iterator[None]:
    """Shells start background jobs, and so what those start, deaf to SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def said(child: Child, pattern: str) -> re.Match[str]:
    """Wait until it says something that matches; fails with its output when it ends before."""
    found: re.Match[str] | None = None

    def is_said() -> bool:
        nonlocal found
        was_running = child.is_running
        found = re.search(pattern, child.said())
        assert found or was_running, f"{child.name} ended:\n{child.said()}"
        return found is not None

    await eventually(is_said)
    assert found is not None
    return found


async def exit_code(child: Child) -> int:
    """Wait until it has ended by itself."""
    if (pid := child.pid) is not None:
        await processes.ended([pid])
    code = child.exit_code
    assert code is not None
    return code
