"""Several igsend workers on one load: stopped while it is put into the queues, then let go at once.

So neither their start nor the loading is in the figures.
"""

import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.contenders import CONTENDERS, Contender, Place
from tests.bench.ground import Ground
from tests.bench.samples import Business, business, strangers
from tests.bench.throughput import BenchError, a_worker
from tests.support.pacing import until
from tests.support.processes import peak_mb, resident_mb, used_s
from tests.support.waiting import eventually
from worker.local.child import Child

_LOOK_EVERY_S = 0.1
_STALLED_AFTER_S = 60.0
_READY_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Look:
    """One reading, `at_s` after the start: requests done, memory of all workers together."""

    at_s: float
    done: int
    resident_mb: float


@dataclass(frozen=True, slots=True)
class Work:
    """What a crew did. `start_s` is how long the slowest took until it consumed, `start_mb` what
    the first one had in memory then; `cores` and `others` are how busy workers and servers were.
    """

    done: int
    took_s: float
    cpu_us: float
    cores: float
    others: float
    strangers: float
    peak_mb: float
    start_s: float
    start_mb: float
    looks: Sequence[Look]

    @property
    def per_s(self) -> float:
        return self.done / self.took_s


@dataclass(frozen=True, slots=True)
class Crew:
    """Running workers, all of them consuming."""

    children: Sequence[Child]
    ground: Ground
    start_s: float
    start_mb: float

    @property
    def pids(self) -> list[int]:
        return [child.pid for child in self.children if child.pid is not None]

    def tell(self, number: signal.Signals) -> None:
        for pid in self.pids:
            os.kill(pid, number)


def igsend(gate: str) -> Contender:
    """The contender with everything on, and this gate: memory or redis."""
    return next(contender for contender in CONTENDERS if contender.name == f"igsend-{gate}")


@asynccontextmanager
async def a_crew(
    ground: Ground, place: Place, contender: Contender, workers: int
) -> AsyncIterator[Crew]:
    """Start workers on empty queues, and wait until all of them consume."""
    await ground.prepare(contender)
    async with AsyncExitStack() as stack:
        began = time.monotonic()
        children = [
            await stack.enter_async_context(
                a_worker(contender, place, ground.folder / f"{contender.name}.{number}.log")
            )
            for number in range(workers)
        ]
        crew = Crew(children, ground, 0.0, 0.0)

        async def is_ready() -> bool:
            _all_run(crew)
            return await ground.is_consumed(contender, by=workers)

        await eventually(is_ready, within_s=_READY_WITHIN_S)
        yield replace(crew, start_s=time.monotonic() - began, start_mb=resident_mb(crew.pids[:1]))


async def worked(
    crew: Crew,
    contender: Contender,
    requests: Iterable[bytes],
    *,
    done: Callable[[], Awaitable[int]],
    enough: int,
) -> Work:
    """Load while they stand still, let them go, and watch until `done` says that it is enough."""
    crew.tell(signal.SIGSTOP)
    try:
        await crew.ground.load(contender, requests)
        await crew.ground.sink.begin()
        used = used_s(crew.pids)
        ours, servers = _busy(crew)
    finally:
        crew.tell(signal.SIGCONT)
    looks = await _watched(crew, done, enough)
    now_ours, now_servers = _busy(crew)
    took_s = now_ours.moment - ours.moment
    return Work(
        done=looks[-1].done,
        took_s=took_s,
        cpu_us=1e6 * (used_s(crew.pids) - used) / looks[-1].done,
        cores=(used_s(crew.pids) - used) / took_s,
        others=(now_servers - servers) / took_s,
        strangers=strangers(ours, now_ours),
        peak_mb=peak_mb(crew.pids),
        start_s=crew.start_s,
        start_mb=crew.start_mb,
        looks=looks,
    )


async def _watched(crew: Crew, done: Callable[[], Awaitable[int]], enough: int) -> Sequence[Look]:
    began = progress_at = time.monotonic()
    looks = [Look(0.0, 0, resident_mb(crew.pids))]
    while looks[-1].done < enough:
        await until(time.time() + _LOOK_EVERY_S)
        _all_run(crew)
        now = time.monotonic()
        look = Look(now - began, await done(), resident_mb(crew.pids))
        if look.done > looks[-1].done:
            progress_at = now
        looks.append(look)
        if now - progress_at > _STALLED_AFTER_S:
            raise BenchError(f"the workers stand at {look.done} of {enough}")
    return looks


def _busy(crew: Crew) -> tuple[Business, float]:
    return business([*crew.pids, *crew.ground.pids]), used_s(crew.ground.pids)


def _all_run(crew: Crew) -> None:
    for child in crew.children:
        if not child.is_running:
            raise BenchError(f"{child.name} ended by itself:\n{child.said()[-3000:]}")


def accounts_at(folder: Path, document: bytes) -> Path:
    """Write an accounts file that only we may read."""
    path = folder / "scale-accounts.json"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(document)
    return path
