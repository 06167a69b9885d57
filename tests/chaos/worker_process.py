"""A worker that can be told to die at a named point, or to have a wrong clock.

`python -m` this module FOLDER runs `igsend worker` with traps around its ports: a file
`trap-<point>` in FOLDER is sprung by the first worker that comes to that point, and kills it as
the kernel would. The file `clock-<pid>` holds by how many seconds its clock is wrong, read again
at each SIGUSR1. The product's code knows of neither.
"""

import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Any

Method = Callable[..., Awaitable[Any]]


class Point(StrEnum):
    """Where a worker can be killed, in the order a request passes them."""

    BEFORE_POST = "before_post"
    AFTER_POST = "after_post"
    AFTER_LEDGER = "after_ledger"
    AFTER_PARK = "after_park"
    AFTER_BURY = "after_bury"
    AFTER_ANNOUNCE = "after_announce"
    BEFORE_ACK = "before_ack"


def trap_file(folder: Path, point: Point) -> Path:
    return folder / f"trap-{point.value}"


def clock_file(folder: Path, pid: int) -> Path:
    return folder / f"clock-{pid}"


def fall_into(folder: Path, point: Point) -> None:
    """Die here if a trap is set; of several workers only one falls into it."""
    try:
        trap_file(folder, point).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def bend_the_clock(folder: Path) -> None:
    """Let `time.time` be wrong by what the file says; the monotonic clock stays right.

    Must happen before the worker is imported: some of its parts keep the function.
    """
    right_time = time.time
    wrong_by_s = 0.0

    def read_again(*_: object) -> None:
        nonlocal wrong_by_s
        wrong_by_s = float(clock_file(folder, os.getpid()).read_text())

    signal.signal(signal.SIGUSR1, read_again)
    time.time = lambda: right_time() + wrong_by_s


def set_traps(folder: Path) -> None:
    """Put the points around the methods that the pipeline calls; once the clock is bent."""
    from worker.gate.memory.gate import MemoryGate
    from worker.gate.redis.gate import RedisGate
    from worker.graph.client import GraphClient
    from worker.rabbit.intake import RabbitReceipts
    from worker.rabbit.publisher import RabbitPublisher

    def surround(owner: type, name: str, before: Point | None, after: Point | None) -> None:
        method: Method = getattr(owner, name)

        @wraps(method)
        async def with_traps(*given: Any, **named: Any) -> Any:
            if before is not None:
                fall_into(folder, before)
            result = await method(*given, **named)
            if after is not None:
                fall_into(folder, after)
            return result

        setattr(owner, name, with_traps)

    surround(GraphClient, "send", Point.BEFORE_POST, Point.AFTER_POST)
    for gate in (MemoryGate, RedisGate):
        surround(gate, "conclude", None, Point.AFTER_LEDGER)
    surround(RabbitPublisher, "park", None, Point.AFTER_PARK)
    surround(RabbitPublisher, "bury", None, Point.AFTER_BURY)
    surround(RabbitPublisher, "announce", None, Point.AFTER_ANNOUNCE)
    surround(RabbitReceipts, "ack", Point.BEFORE_ACK, None)


def main() -> None:
    """Run `igsend worker` with all of it."""
    folder = Path(sys.argv[1])
    bend_the_clock(folder)
    set_traps(folder)
    from worker.cli.main import main as igsend

    sys.argv = ["igsend", "worker"]
    igsend()


if __name__ == "__main__":
    main()
