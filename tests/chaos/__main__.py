"""Tries to break the promises: `python -m tests.chaos --help`."""

import argparse
import asyncio
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.catalogue import KILLS, catalogue
from tests.chaos.report import figures, text
from tests.chaos.run import Sizes, run
from tests.chaos.schedule import schedule
from tests.chaos.stage import Cast
from worker.local.termination import cancelled_by_sigterm


def main(arguments: Sequence[str]) -> int:
    """Run it, print everything; 1 when the books do not balance."""
    options = _parser().parse_args(arguments)
    # Without a handler Python prints each lost connection of the test's own, with its traceback.
    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).addHandler(logging.NullHandler())
    faults = catalogue(options.gate)
    if options.kills:
        faults = {fault.kind: fault for fault in KILLS}
    chosen = {kind: fault for kind, fault in faults.items() if options.only in kind}
    count = options.kills or options.faults
    plan = schedule(options.seed, count, {k: fault.weight for k, fault in chosen.items()})
    workers = 1 if options.gate == "memory" else options.workers
    for planned in plan:
        sys.stdout.write(f"{planned}\n")
    sys.stdout.flush()
    cast = Cast(workers=workers, gate=options.gate, folder=options.folder)
    sizes = Sizes(options.requests, options.seed, per_s=options.per_s)

    async def play() -> int:
        with cancelled_by_sigterm():
            found = await run(cast, sizes, plan, chosen, _tell)
        sys.stdout.write(f"{text(found, sizes)}\n")
        if options.json is not None:
            options.json.write_text(json.dumps(figures(found, sizes), indent=2) + "\n")
        return 0 if found.is_fine else 1

    return asyncio.run(play())


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--requests", type=int, default=10_000, help="how many ids")
    parser.add_argument("--faults", type=int, default=300, help="how many, of all kinds")
    parser.add_argument("--kills", type=int, default=0, help="instead: so many SIGKILLs alone")
    parser.add_argument("--seed", type=int, default=1, help="of the schedule and the requests")
    parser.add_argument("--gate", choices=("redis", "memory"), default="redis", help=" ")
    parser.add_argument("--workers", type=int, default=3, help="with Redis; memory has one")
    parser.add_argument("--per-s", type=float, default=60.0, help="fastest pace of the load")
    parser.add_argument("--only", default="", help="kinds whose name has this in it")
    parser.add_argument("--folder", type=Path, help="keep logs and evidence there")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
