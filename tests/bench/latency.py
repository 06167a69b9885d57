"""One run of one contender at half its load: how long from publishing until it is accepted."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.contenders import ROOT, Contender, Place
from tests.bench.figures import Latency
from tests.bench.ground import Ground
from tests.bench.samples import business, strangers
from tests.bench.throughput import BenchError, a_worker, family_of
from tests.replicas.latencies import latencies
from tests.replicas.processor_time import cores, usage_of
from tests.support.commands import environment, exit_code, said
from tests.support.http_calls import call
from tests.support.waiting import eventually
from worker.local.child import Child

# Connections are opened and caches filled in the first of these seconds, which do not count.
_WARM_UP_S = 2.0
_ARRIVE_WITHIN_S = 60.0
_STOP_WITHIN_S = 30.0

Moments = Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Load:
    """How fast and how long."""

    per_s: float
    seconds: float


async def latency(
    contender: Contender, ground: Ground, place: Place, load: Load, *, log: Path
) -> Latency:
    """Publish at a steady pace to the running worker, and compare the moments."""
    accepted_file, published_file = _fresh(ground.folder, contender.name)
    await ground.prepare(contender)
    async with (
        a_latency_sink(accepted_file) as (sink, url),
        a_worker(contender, replace(place, sink_url=url), log) as child,
    ):
        await eventually(lambda: _is_consuming(child, contender, ground))
        groups = {"worker": family_of(child), "broker": ground.rabbit.pids}
        pids = [*ground.pids, *family_of(child), *family_of(sink)]
        before, used = business(pids), usage_of(groups)
        await _published(_publisher(contender, ground, load, published_file), load)
        busy, foreign = cores(used, usage_of(groups)), strangers(before, business(pids))
        await _arrived(url, len(moments(published_file)))
    delays = delays_s(moments(published_file), moments(accepted_file), warm_up_s=_WARM_UP_S)
    found = latencies(delays)
    return Latency(
        load.per_s,
        p50_ms=1000 * found.p50,
        p99_ms=1000 * found.p99,
        cores=busy["worker"],
        broker=busy["broker"],
        strangers=foreign,
    )


def _fresh(folder: Path, name: str) -> tuple[Path, Path]:
    """Give the files for what was accepted and what was published, without those of before."""
    files = folder / f"{name}.accepted", folder / f"{name}.published"
    for file in files:
        file.unlink(missing_ok=True)
    return files


async def _published(publisher: Child, load: Load) -> None:
    publisher.start()
    try:
        if await asyncio.wait_for(exit_code(publisher), load.seconds + 60.0) != 0:
            raise BenchError(f"the publisher failed:\n{publisher.said()[-3000:]}")
    finally:
        publisher.kill()


async def _arrived(url: str, count: int) -> None:
    """Wait until the sink has them all."""
    came = 0

    async def is_complete() -> bool:
        nonlocal came
        came = int((await call("GET", url)).text)
        return came >= count

    try:
        await eventually(is_complete, within_s=_ARRIVE_WITHIN_S)
    except TimeoutError:
        raise BenchError(f"{came} of {count} were accepted") from None


def moments(file: Path) -> Moments:
    """Read lines with a mark and a moment."""
    pairs = (line.split() for line in file.read_text().splitlines())
    return [(mark, float(moment)) for mark, moment in pairs]


def delays_s(published: Moments, accepted: Moments, *, warm_up_s: float) -> list[float]:
    """Give the delay of each request published after the warm-up; each must be accepted once."""
    arrived = dict(accepted)
    if len(arrived) != len(accepted) or arrived.keys() != dict(published).keys():
        raise BenchError(
            f"{len(published)} were published, {len(accepted)} accepted, {len(arrived)} different"
        )
    counted_from = min(moment for _, moment in published) + warm_up_s
    return [arrived[mark] - moment for mark, moment in published if moment >= counted_from]


async def _is_consuming(child: Child, contender: Contender, ground: Ground) -> bool:
    if not child.is_running:
        raise BenchError(f"{child.name} ended by itself:\n{child.said()[-3000:]}")
    return await ground.is_consumed(contender)


@asynccontextmanager
async def a_latency_sink(
    file: Path, *, answer_after_s: float = 0.0
) -> AsyncIterator[tuple[Child, str]]:
    """Run the sink that writes down what came when; a GET asks it how many came."""
    child = Child(
        "latency-sink",
        [sys.executable, "-m", "tests.bench.latency_sink", str(file), str(answer_after_s)],
        environment=environment({"PYTHONPATH": str(ROOT)}),
        log=file.with_suffix(".sink.log"),
    )
    try:
        child.start()
        port = (await said(child, r"port=(\d+)"))[1]
        yield child, f"http://127.0.0.1:{port}"
        await child.end(patience_s=_STOP_WITHIN_S)
        if child.exit_code != 0 or "Error" in child.said():
            raise BenchError(f"the sink failed:\n{child.said()[-3000:]}")
    finally:
        child.kill()


def _publisher(contender: Contender, ground: Ground, load: Load, file: Path) -> Child:
    arguments = (
        contender.name, ground.rabbit.amqp_url, len(ground.accounts),
        load.per_s, load.seconds, file,
    )  # fmt: skip
    return Child(
        "publisher",
        [sys.executable, "-m", "tests.bench.publisher", *map(str, arguments)],
        environment=environment({"PYTHONPATH": str(ROOT)}),
        log=file.with_suffix(".publisher.log"),
    )
