"""Counts a worker's instructions per request: `python -m tests.bench.instructions [CONTENDER ...]`.

On a machine that others use too, the same worker's processor time differs by half within minutes;
this number does not, and shows what a change of one percent does. It needs valgrind, under which
everything takes fifty times as long; what the kernel does is not in it. With Redis a worker so slow
misses most of its slots, so there it tells of that.
"""

import argparse
import asyncio
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.contenders import CONTENDERS, Contender, Place
from tests.bench.ground import Ground, a_ground
from tests.bench.throughput import throughput
from worker.local.termination import cancelled_by_sigterm

_COLLECTED = re.compile(r"Collected : (\d+)")
# What both runs have in common, start and end, is not of the requests.
_FEW, _MANY = 500, 1500


def counted(contender: Contender) -> Contender:
    """The same under callgrind, which writes its count at the end of the worker's log."""

    def command(place: Place) -> Sequence[str]:
        program = contender.command(place)
        # valgrind does not follow the first line of a script.
        python = () if program[0] == sys.executable else (sys.executable,)
        valgrind = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
        return (*valgrind, *python, *program)

    return replace(contender, command=command)


async def per_request(contender: Contender, ground: Ground) -> float:
    """Count two runs, and share the difference out over what the second had more of."""
    place = ground.place(in_flight=64, prefetch=1000)
    counts = []
    for requests in (_FEW, _MANY):
        log = ground.folder / f"{contender.name}.{requests}.log"
        await throughput(counted(contender), ground, place, requests, log=log)
        counts.append(int(_COLLECTED.findall(log.read_text(errors="replace"))[-1]))
    return (counts[1] - counts[0]) / (_MANY - _FEW)


async def _measure(chosen: Sequence[Contender]) -> None:
    with TemporaryDirectory(prefix="igsend-bench-") as folder, cancelled_by_sigterm():
        async with a_ground(Path(folder), accounts=100) as ground:
            for contender in chosen:
                count = await per_request(contender, ground)
                sys.stdout.write(f"{contender.name}: {count:,.0f} instructions per request\n")
                sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    """Count for each of those that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.instructions", description=__doc__)
    names = ("bare", "igsend-memory", "igsend-no-outcomes", "igsend-redis")
    parser.add_argument("contender", nargs="*", default=names[:3], help=" ".join(names))
    chosen = parser.parse_args(arguments).contender
    asyncio.run(_measure([contender for contender in CONTENDERS if contender.name in chosen]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
