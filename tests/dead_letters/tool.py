"""Runs `igsend dead …` as an operator does, and sees what it says, how it ends, what it takes."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.commands import IGSEND, environment
from tests.support.pacing import beside, until
from tests.support.processes import peak_mb

_LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended; `code` is negative when a signal ended it, `peak_mb` of its memory."""

    code: int
    out: str
    err: str
    took_s: float
    peak_mb: float

    @property
    def summary(self) -> dict[str, Any]:
        """The object that `replay --json` prints last."""
        lines = self.out.strip().splitlines()
        assert lines, f"exit {self.code}, nothing printed:\n{self.err[-2000:]}"
        found: dict[str, Any] = json.loads(lines[-1])
        return found


class Running:
    """A command under way."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._began = time.monotonic()
        self._peak_mb = 0.0

    def kill(self) -> None:
        """SIGKILL, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def ended(self, *, within_s: float = 600.0) -> Ended:
        """Wait for its end."""
        async with asyncio.timeout(within_s), beside(self._watch()):
            out, err = await self._process.communicate()
        assert self._process.returncode is not None
        took_s = time.monotonic() - self._began
        return Ended(self._process.returncode, out.decode(), err.decode(), took_s, self._peak_mb)

    async def _watch(self) -> None:
        while True:
            # Only grows; a process that has ended has none.
            self._peak_mb = max(self._peak_mb, peak_mb([self._process.pid]))
            await until(time.time() + _LOOK_EVERY_S)


@asynccontextmanager
async def started(*arguments: str, settings: Mapping[str, str]) -> AsyncIterator[Running]:
    """Start `igsend dead …`; it is killed when the block ends before it does."""
    process = await asyncio.create_subprocess_exec(
        IGSEND,
        "dead",
        *arguments,
        env=environment(settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Running(process)
    try:
        yield running
    finally:
        running.kill()
        # Not `wait`: that never returns while a full pipe is left unread.
        await process.communicate()


async def dead(*arguments: str, settings: Mapping[str, str], within_s: float = 600.0) -> Ended:
    """Run `igsend dead …` to its end."""
    async with started(*arguments, settings=settings) as running:
        return await running.ended(within_s=within_s)
