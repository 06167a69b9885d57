"""Measures how igsend grows: `python -m tests.bench.scale WHAT [WHAT ...]`; WHAT may be `all`."""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.contenders import Place
from tests.bench.ground import Ground, a_ground
from tests.bench.latency import a_latency_sink
from tests.bench.messages import bodies
from tests.bench.scale.crew import Work, a_crew, accounts_at, igsend, worked
from tests.bench.throughput import BenchError
from tests.replicas.windows import Allowed
from tests.replicas.work import accounts_document
from tests.support.http_calls import call
from worker.local.errors import NodeError
from worker.local.termination import cancelled_by_sigterm

Rows = AsyncIterator[tuple[str, Work]]

_IN_FLIGHT, _PREFETCH = 64, 512
_MANY = 1000
_SLOW_S = 1.0


async def processes(requests: int) -> Rows:
    """1, 2 and 4 workers that share Redis."""
    async with _a_ground(accounts=100) as ground:
        for workers in (1, 2, 4):
            place = ground.place(in_flight=_IN_FLIGHT, prefetch=_PREFETCH)
            yield f"{workers} processes", await _emptied(ground, place, "redis", requests, workers)


async def accounts(requests: int) -> Rows:
    """From one account to a hundred thousand, with either gate."""
    for count in (1, 100, 10_000, 100_000):
        async with _a_ground(accounts=count) as ground:
            place = ground.place(in_flight=_IN_FLIGHT, prefetch=_PREFETCH)
            for gate in ("memory", "redis"):
                yield f"{count} accounts, {gate}", await _emptied(ground, place, gate, requests)


async def backlog(requests: int) -> Rows:
    """The same number of requests out of a queue of ten thousand, and out of a million."""
    async with _a_ground(accounts=100) as ground:
        place = ground.place(in_flight=_IN_FLIGHT, prefetch=_PREFETCH)
        for waiting in (requests, 1_000_000):
            work = await _emptied(ground, place, "memory", requests, waiting=waiting)
            yield f"of {waiting} waiting", work


async def endurance(requests: int) -> Rows:
    """A hundred times as many requests in one go: does memory grow?"""
    async with _a_ground(accounts=100) as ground:
        place = ground.place(in_flight=_IN_FLIGHT, prefetch=_PREFETCH)
        for gate in ("memory", "redis"):
            yield f"100 times, {gate}", await _emptied(ground, place, gate, 100 * requests)


async def in_flight(requests: int) -> Rows:
    """A thousand calls under way at once, each of a second."""
    async with _a_ground(accounts=100) as ground, _slow_sink(ground) as (url, arrived):
        place = ground.place(in_flight=_MANY, prefetch=_MANY)
        slow = replace(place, sink_url=url)
        for gate in ("memory", "redis"):
            async with a_crew(ground, slow, igsend(gate), 1) as crew:
                before = await arrived()

                async def done(before: int = before) -> int:
                    return await arrived() - before

                load = bodies(ground.accounts, requests, run=gate)
                yield (
                    f"{_MANY} in flight, {gate}",
                    await worked(crew, igsend(gate), load, done=done, enough=requests),
                )


async def parking(requests: int) -> Rows:
    """A flood over accounts that may send once a second: how fast is it out of the way?"""
    async with _a_ground(accounts=10) as ground:
        limits = {name: Allowed(1, 1.0) for name in ("text", "media", "private_reply")}
        document = json.dumps(accounts_document(ground.accounts, limits)).encode()
        place = replace(
            ground.place(in_flight=_IN_FLIGHT, prefetch=_PREFETCH),
            accounts=accounts_at(ground.folder, document),
        )
        for gate in ("memory", "redis"):
            contender = igsend(gate)
            async with a_crew(ground, place, contender, 1) as crew:

                async def gone() -> int:
                    return requests - await ground.waiting()

                load = bodies(ground.accounts, requests, run="flood")
                yield (
                    f"parking, {gate}",
                    await worked(crew, contender, load, done=gone, enough=requests),
                )


WHAT: Mapping[str, Callable[[int], Rows]] = {
    "processes": processes,
    "accounts": accounts,
    "in-flight": in_flight,
    "parking": parking,
    "backlog": backlog,
    "endurance": endurance,
}


async def _emptied(
    ground: Ground,
    place: Place,
    gate: str,
    requests: int,
    workers: int = 1,
    *,
    waiting: int | None = None,
) -> Work:
    contender = igsend(gate)
    async with a_crew(ground, place, contender, workers) as crew:
        return await worked(
            crew,
            contender,
            bodies(ground.accounts, waiting or requests, run="run"),
            done=ground.sink.accepted,
            enough=requests,
        )


@asynccontextmanager
async def _a_ground(*, accounts: int) -> AsyncIterator[Ground]:
    with TemporaryDirectory(prefix="igsend-scale-") as folder:
        async with a_ground(Path(folder), accounts=accounts) as ground:
            yield ground


@asynccontextmanager
async def _slow_sink(
    ground: Ground,
) -> AsyncIterator[tuple[str, Callable[[], Awaitable[int]]]]:
    file = ground.folder / "slow.accepted"
    async with a_latency_sink(file, answer_after_s=_SLOW_S) as (_, url):

        async def arrived() -> int:
            return int((await call("GET", url)).text)

        yield url, arrived


_COLUMNS = ("what", "requests/s", "CPU us", "cores", "servers", "strangers", "peak MB", "start s")


def _row(name: str, work: Work) -> str:
    return " | ".join(
        (
            f"| {name}",
            f"{work.per_s:,.0f}",
            f"{work.cpu_us:.0f}",
            f"{work.cores:.2f}",
            f"{work.others:.2f}",
            f"{work.strangers:.2f}",
            f"{work.peak_mb:.0f}",
            f"{work.start_s:.1f} |",
        )
    )


def _memory(work: Work) -> str:
    """Say what the workers had in memory at ten moments of the way."""
    step = work.done / 10
    seen = [next(look for look in work.looks if look.done >= step * part) for part in range(11)]
    return "MB at each tenth: " + " ".join(f"{look.resident_mb:.0f}" for look in seen)


async def _measure(chosen: Sequence[str], requests: int) -> None:
    sys.stdout.write("| " + " | ".join(_COLUMNS) + " |\n" + "|---" * len(_COLUMNS) + "|\n")
    with cancelled_by_sigterm():
        for name in chosen:
            async for what, work in WHAT[name](requests):
                sys.stdout.write(f"{_row(what, work)}\n")
                sys.stdout.flush()
                sys.stderr.write(f"{what}: {_memory(work)}\n")


def main(arguments: Sequence[str]) -> int:
    """Measure and print a row for each."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description=__doc__)
    parser.add_argument("what", nargs="+", choices=[*WHAT, "all"])
    parser.add_argument("--requests", type=int, default=10_000, help="requests of one run")
    options = parser.parse_args(arguments)
    chosen = [*WHAT] if "all" in options.what else options.what
    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).addHandler(logging.NullHandler())
    try:
        asyncio.run(_measure(chosen, options.requests))
    except (BenchError, NodeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
