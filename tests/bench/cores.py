"""Which cores programs run on: the worker has one to itself, the servers have the others.

Left to the kernel, the broker's schedulers are put on the worker's core a thousand times a second
although the other one idles, and of two contenders the one whose broker has more threads awake
loses an eighth.
"""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

# As they are when the benchmark begins: it confines itself too.
_CORES = frozenset(os.sched_getaffinity(0))


def worker_core() -> int | None:
    """Give the worker's core; None where there is only one, which all have to share."""
    return min(_CORES) if len(_CORES) > 1 else None


def apart(command: Sequence[str]) -> Sequence[str]:
    """Run a worker's command on its own core."""
    core = worker_core()
    return command if core is None else ("taskset", "--cpu-list", str(core), *command)


def leave_worker_core(pids: Iterable[int]) -> None:
    """Keep running programs, all their threads, off the worker's core."""
    core = worker_core()
    if core is not None:
        _confine(pids, _CORES - {core})


def share_all_cores(pids: Iterable[int]) -> None:
    """Let running programs have all cores again."""
    _confine(pids, _CORES)


def _confine(pids: Iterable[int], cores: Iterable[int]) -> None:
    for pid in pids:
        # What has ended meanwhile needs no core.
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread.name), cores)
