"""The worker processes of a run: killed, stopped, frozen and started again as faults say."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.worker_process import Point, clock_file, trap_file
from tests.replicas.fleet import Fleet
from tests.replicas.site import ROOT
from tests.support.commands import environment, said
from tests.support.pacing import until
from tests.support.processes import ended
from tests.support.waiting import eventually
from worker.local.child import Child

_STOP_WITHIN_S = 40.0
_UNSETTLED = "worker stopped with work unsettled"
_READY_WITHIN_S = 90.0
# Longer than a worker needs to notice a connection that was closed under it.
_STAYS_READY_S = 0.6
_LOOK_EVERY_S = 0.1


@dataclass(slots=True)
class Crew:
    """All workers and where each answers; `folder` is where their traps are set.

    `exits` tells of workers that ended when nobody had asked them to, or not as asked; `away` are
    those a fault has ended and will start again.
    """

    workers: list[Child]
    folder: Path
    urls: list[str] = field(default_factory=list)
    exits: list[str] = field(default_factory=list)
    unsettled: int = 0
    away: set[int] = field(default_factory=set)
    is_trapping: bool = False

    @property
    def fleet(self) -> Fleet:
        """See those that have answered once from outside."""
        return Fleet(self.workers, self.urls)

    async def start(self, number: int) -> None:
        """Start one and wait until it serves its health endpoints."""
        worker = self.workers[number]
        worker.start()
        port = (await said(worker, r'"http_port":(\d+)'))[1]
        self.urls[number] = f"http://127.0.0.1:{port}"
        self.away.discard(number)

    async def kill(self, number: int) -> None:
        """SIGKILL one."""
        self.away.add(number)
        await asyncio.to_thread(self.workers[number].kill)

    async def stop(self, number: int) -> None:
        """SIGTERM one, which must then end well."""
        self.away.add(number)
        worker = self.workers[number]
        await worker.end(patience_s=_STOP_WITHIN_S)
        if worker.exit_code == 1 and _UNSETTLED in worker.said():
            # Redis or the broker was away when it had to stop: what it left is delivered again.
            self.unsettled += 1
        elif worker.exit_code != 0:
            self.exits.append(f"{worker.name} stopped with {worker.exit_code}")

    async def fallen(self, point: Point, *, within_s: float) -> int | None:
        """Set a trap and give who fell into it; None when nobody came by in time."""
        trap = trap_file(self.folder, point)
        running = [worker.pid for worker in self.workers if worker.pid is not None]
        self.is_trapping = True
        try:
            trap.touch()
            async with asyncio.timeout(within_s):
                await _first_to_end(running)
        except TimeoutError:
            trap.unlink(missing_ok=True)
        finally:
            self.away |= {n for n, worker in enumerate(self.workers) if not worker.is_running}
            self.is_trapping = False
        return next(iter(self.away), None)

    def set_clock(self, number: int, *, wrong_by_s: float) -> None:
        """Step the clock of one."""
        pid = self.workers[number].pid
        assert pid is not None, "the worker runs"
        clock_file(self.folder, pid).write_text(str(wrong_by_s))
        os.kill(pid, signal.SIGUSR1)

    async def ready(self) -> None:
        """Wait until all are; one that ended by itself or hangs is noted and started again."""
        try:
            await eventually(self._are_all_ready, within_s=_READY_WITHIN_S)
        except TimeoutError:
            await self._replace_the_stuck()
            await eventually(self._are_all_ready, within_s=_READY_WITHIN_S)

    async def _are_all_ready(self) -> bool:
        await self.revive()
        return await self.fleet.all_ready()

    async def _replace_the_stuck(self) -> None:
        for probe in await self.fleet.ready():
            if not (probe.is_ready or probe.worker in self.away):
                name = self.workers[probe.worker].name
                self.exits.append(f"{name} not ready for {_READY_WITHIN_S:.0f} s: {probe.says}")
                await self.kill(probe.worker)
                await self.start(probe.worker)

    async def settled(self) -> float:
        """Wait until all have been ready for a while; give the moment since when."""
        while True:
            await self.ready()
            since = time.time()
            while await self.fleet.all_ready():
                if time.time() > since + _STAYS_READY_S:
                    return since
                await until(time.time() + _LOOK_EVERY_S)

    async def revive(self) -> None:
        """Start again, as Kubernetes would, what ended without being asked to."""
        for number, worker in enumerate(self.workers):
            if not (worker.is_running or number in self.away or self.is_trapping):
                self.exits.append(f"{worker.name} ended with {worker.exit_code}")
                await self.start(number)

    async def end(self) -> None:
        """Stop all together."""
        await asyncio.gather(*(self.stop(number) for number in range(len(self.workers))))


async def _first_to_end(pids: list[int]) -> None:
    waiting = [asyncio.create_task(ended([pid], within_s=3600)) for pid in pids]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@asynccontextmanager
async def a_crew(count: int, settings: Mapping[str, str], folder: Path) -> AsyncIterator[Crew]:
    """Start them and wait until all are ready; whatever still runs at the end is killed."""
    crew = Crew([_worker(number, settings, folder) for number in range(count)], folder)
    crew.urls = [""] * count
    async with AsyncExitStack() as cleanup:
        for worker in crew.workers:
            cleanup.callback(worker.kill)
        await asyncio.gather(*(crew.start(number) for number in range(count)))
        await crew.ready()
        yield crew


def _worker(number: int, settings: Mapping[str, str], folder: Path) -> Child:
    return Child(
        f"worker-{number}",
        [sys.executable, "-m", "tests.chaos.worker_process", str(folder)],
        environment=environment({**settings, "PYTHONPATH": str(ROOT)}),
        log=folder / f"worker-{number}.log",
    )
