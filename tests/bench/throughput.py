"""One run of one contender: N requests wait in its queue, it starts, and empties it."""

import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.contenders import OUTCOMES_QUEUE, Contender, Place
from tests.bench.cores import apart
from tests.bench.ground import Ground
from tests.bench.messages import bodies
from tests.bench.samples import Sample, Spent, business, spent
from tests.bench.sink import Accepted
from tests.support.commands import environment
from tests.support.pacing import until
from tests.support.processes import ended, peak_mb, used_s, with_descendants
from tests.support.waiting import eventually
from worker.local.child import Child

_LOOK_EVERY_S = 0.05
_FAMILY_EVERY_S = 0.5
_STALLED_AFTER_S = 60.0
# Acks and outcomes of the last requests, and the log of the sink.
_SETTLES_WITHIN_S = 0.5
_STOP_WITHIN_S = 30.0
# The broker's counts of messages may lag behind.
_COUNTED_WITHIN_S = 10.0


class BenchError(Exception):
    """A run that is worth nothing: it stalled, or did not accept exactly what was asked."""


@dataclass(frozen=True, slots=True)
class Profiler:
    """py-spy at `program`; raw stacks go to `folder`."""

    program: Path
    folder: Path


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one run."""

    requests: int
    per_s: float
    spent: Spent


@asynccontextmanager
async def a_worker(
    contender: Contender, place: Place, log: Path, *, is_apart: bool = False
) -> AsyncIterator[Child]:
    """Run it for the time of the block, on a core of its own if it `is_apart`; SIGTERM ends it."""
    command = contender.command(place)
    child = Child(
        contender.name,
        apart(command) if is_apart else command,
        environment=environment(dict(contender.settings(place))),
        log=log,
    )
    try:
        child.start()
        yield child
        await child.end(patience_s=_STOP_WITHIN_S)
    finally:
        child.kill()


async def throughput(
    contender: Contender,
    ground: Ground,
    place: Place,
    requests: int,
    *,
    log: Path,
    profiler: Profiler | None = None,
) -> Run:
    """Load, start, watch, stop, and check that exactly all were accepted."""
    await ground.prepare(contender)
    await ground.load(contender, bodies(ground.accounts, requests, run="run"))
    await ground.sink.begin()
    running = a_worker(contender, place, log, is_apart=True)
    async with running as child, _profiled(child, profiler):
        samples = await _watch(child, ground, requests)
        await until(time.time() + _SETTLES_WITHIN_S)
        samples.append(await _sample(child, ground, family_of(child)))
    accepted = ground.sink.logged()
    await _check(contender, ground, requests, accepted)
    return Run(requests, (requests - 1) / accepted.elapsed_s, spent(samples))


@asynccontextmanager
async def _profiled(child: Child, profiler: Profiler | None) -> AsyncIterator[None]:
    if profiler is None:
        yield
        return
    stacks = profiler.folder / f"{child.name}.stacks"
    spy = Child(
        "py-spy",
        [str(profiler.program), "record", "--pid", str(child.pid), "--format", "raw",
         "--rate", "200", "--duration", "unlimited", "--output", str(stacks)],
        environment=environment({}),
        log=profiler.folder / "py-spy.log",
    )  # fmt: skip
    try:
        spy.start()
        yield
        # On SIGINT it writes what it has.
        await _interrupted(spy)
    finally:
        spy.kill()


async def _interrupted(child: Child) -> None:
    if child.pid is not None:
        pid = child.pid
        os.kill(pid, signal.SIGINT)
        await ended([pid])


async def _watch(child: Child, ground: Ground, requests: int) -> list[Sample]:
    samples: list[Sample] = []
    progress_at = family_at = time.monotonic()
    family = family_of(child)
    while not samples or samples[-1].accepted < requests:
        await until(time.time() + _LOOK_EVERY_S)
        now = time.monotonic()
        if now - family_at > _FAMILY_EVERY_S:
            family, family_at = family_of(child), now
        sample = await _sample(child, ground, family)
        if not samples or sample.accepted > samples[-1].accepted:
            progress_at = now
        samples.append(sample)
        if not child.is_running:
            raise BenchError(f"{child.name} ended by itself:\n{child.said()[-3000:]}")
        if now - progress_at > _STALLED_AFTER_S:
            raise BenchError(
                f"{child.name} stands at {sample.accepted} of {requests}:\n{child.said()[-3000:]}"
            )
    return samples


def family_of(child: Child) -> Sequence[int]:
    return () if child.pid is None else sorted(with_descendants([child.pid]))


async def _sample(child: Child, ground: Ground, family: Sequence[int]) -> Sample:
    accepted = await ground.sink.accepted()
    return Sample(
        accepted=accepted,
        worker_s=used_s(family),
        peak_mb=peak_mb(family),
        all=business([*family, *ground.pids]),
    )


async def _check(contender: Contender, ground: Ground, requests: int, accepted: Accepted) -> None:
    if accepted.count != requests:
        raise BenchError(f"{contender.name}: {accepted.count} of {requests} were accepted")
    expected = {OUTCOMES_QUEUE: requests} if contender.outcomes else {}
    left: dict[str, int] = {}

    async def is_as_expected() -> bool:
        nonlocal left
        left = await ground.left(contender)
        return left == expected

    try:
        await eventually(is_as_expected, within_s=_COUNTED_WITHIN_S)
    except TimeoutError:
        raise BenchError(f"{contender.name} left {left} instead of {expected}") from None
