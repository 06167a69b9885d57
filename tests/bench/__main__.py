"""Measures igsend against a bare loop and task queues: `python -m tests.bench --help`."""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.contenders import CONTENDERS
from tests.bench.document import PAGE, PLOT, as_json, draw, rewritten, section
from tests.bench.play import Sizes, play
from tests.bench.table import table
from tests.bench.throughput import BenchError, Profiler
from worker.local.errors import NodeError
from worker.local.termination import cancelled_by_sigterm


def main(arguments: Sequence[str]) -> int:
    """Run everything and print the table."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.write and options.only:
        parser.error("--write takes all contenders")
    # Without a handler Python prints each lost connection of the benchmark's own.
    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).addHandler(logging.NullHandler())
    chosen = [c for c in CONTENDERS if not options.only or c.name in options.only]
    sizes = Sizes(
        requests=options.requests, rounds=options.rounds, accounts=options.accounts,
        in_flight=options.in_flight, prefetch=options.prefetch, latency_s=options.latency_s,
    )  # fmt: skip

    async def run(folder: Path) -> None:
        profiler = Profiler(options.py_spy, folder) if options.profile else None
        with cancelled_by_sigterm():
            result = await play(chosen, sizes, folder, profiler, _tell)
        sys.stdout.write(f"{table(result.found)}\n\n{result.facts}\n")
        if options.json is not None:
            options.json.write_text(json.dumps(as_json(result), indent=2) + "\n")
        if options.write:
            await draw(result, PLOT)
            PAGE.write_text(rewritten(PAGE.read_text(), section(result)))

    with TemporaryDirectory(prefix="igsend-bench-") as temporary:
        folder = (options.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            asyncio.run(run(folder))
        except (BenchError, NodeError) as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    names = [contender.name for contender in CONTENDERS]
    parser.add_argument("--requests", type=int, default=20_000, help="requests of one run")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of all contenders")
    parser.add_argument("--only", nargs="+", choices=names, default=[], help="these alone")
    parser.add_argument("--accounts", type=int, default=100, help="accounts they are of")
    parser.add_argument("--in-flight", type=int, default=64, help="calls under way at once")
    parser.add_argument("--prefetch", type=int, default=1000, help="messages in hand")
    parser.add_argument(
        "--latency-s", type=float, default=15.0, help="seconds at half load; 0 leaves it out"
    )
    parser.add_argument("--folder", type=Path, help="keep the logs of workers and servers there")
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--write", action="store_true", help="write them to docs/performance.md")
    parser.add_argument("--profile", action="store_true", help="record igsend's stacks by py-spy")
    parser.add_argument("--py-spy", type=Path, default=Path("py-spy"), help="where it is")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
