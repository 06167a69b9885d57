"""N worker processes on the same queues, seen from outside: settings, HTTP and signals."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.support.commands import environment, said
from tests.support.pacing import until
from tests.support.waiting import eventually
from worker.local.child import Child

_STOP_WITHIN_S = 40.0
_PROBE_WITHIN = aiohttp.ClientTimeout(total=1.0)


@dataclass(frozen=True, slots=True)
class Probe:
    """What /readyz of one worker said at a moment; `says` is empty when it gave no answer."""

    worker: int
    asked_at: float
    is_ready: bool
    says: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """Running workers; `urls` are where their health endpoints are."""

    workers: Sequence[Child]
    urls: Sequence[str]

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self.workers if worker.pid is not None]

    async def stall(self, number: int, *, for_s: float) -> None:
        """Freeze one worker, as a busy loop or a starved machine would."""
        pid = self.workers[number].pid
        assert pid is not None, "the worker runs"
        os.kill(pid, signal.SIGSTOP)
        try:
            await until(time.time() + for_s)
        finally:
            os.kill(pid, signal.SIGCONT)

    async def ready(self) -> list[Probe]:
        """Ask every worker at once whether it is ready."""
        async with aiohttp.ClientSession(timeout=_PROBE_WITHIN) as session:
            return list(
                await asyncio.gather(
                    *(_probe(session, number, url) for number, url in enumerate(self.urls))
                )
            )

    async def all_ready(self) -> bool:
        return all(probe.is_ready for probe in await self.ready())

    def check_alive(self) -> None:
        """Raise when a worker ended by itself."""
        for worker in self.workers:
            if not worker.is_running:
                raise AssertionError(f"{worker.name} ended:\n{worker.said()[-2000:]}")


async def _probe(session: aiohttp.ClientSession, number: int, url: str) -> Probe:
    asked_at = time.time()
    try:
        async with session.get(f"{url}/readyz") as answer:
            return Probe(number, asked_at, answer.status == 200, await answer.text())
    except (aiohttp.ClientError, TimeoutError):
        return Probe(number, asked_at, False, "")


@asynccontextmanager
async def a_fleet(
    count: int, settings: Mapping[str, str], folder: Path, *, is_drained: bool = True
) -> AsyncIterator[Fleet]:
    """Start them together and wait until all are ready; they stop together when the block ends.

    With `is_drained` each must then end well; without it they are killed, for when a long
    backlog is left and nothing more is to be learnt.
    """
    workers = [a_worker(number, settings, folder) for number in range(count)]
    async with AsyncExitStack() as cleanup:
        for worker in workers:
            cleanup.callback(worker.kill)
            worker.start()
        ports = [(await said(worker, r'"http_port":(\d+)'))[1] for worker in workers]
        fleet = Fleet(workers, [f"http://127.0.0.1:{port}" for port in ports])
        await eventually(fleet.all_ready)
        yield fleet
        fleet.check_alive()
        if is_drained:
            await asyncio.gather(*(worker.end(patience_s=_STOP_WITHIN_S) for worker in workers))
            codes = [worker.exit_code for worker in workers]
            assert codes == [0] * count, f"exit codes {codes}; the logs are in {folder}"


def a_worker(number: int, settings: Mapping[str, str], folder: Path) -> Child:
    """One worker process that is not started yet."""
    return Child(
        f"worker-{number}",
        [sys.executable, "-m", "worker", "worker"],
        environment=environment(settings),
        log=folder / f"worker-{number}.log",
    )
