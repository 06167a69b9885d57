"""This machine: open files and memory."""

import resource
from collections.abc import Sequence
from pathlib import Path

from worker.cli.examine.line import Line, Verdict
from worker.config import Config

# The API, the broker, accounts, health probes: per call one socket, and a little.
SPARE_FILES = 100
# What a worker takes, and what each call under way adds to it (docs/performance.md).
BASE_BYTES, CALL_BYTES = 80_000_000, 25_000
# Where a container finds its limit: cgroup version 2, and 1.
LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def files(config: Config) -> Line:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = config.concurrency + SPARE_FILES
    if limit < needed:
        return Line(
            Verdict.FAIL,
            "open files",
            f"the limit is {limit}, IGSEND_CONCURRENCY={config.concurrency} needs {needed}",
            "raise it (ulimit -n) or lower IGSEND_CONCURRENCY",
        )
    return Line(Verdict.OK, "open files", f"limit {limit}")


def memory(config: Config, *, limits: Sequence[Path] = LIMITS) -> Line:
    """Compare the limit of the container, if there is one, with what a worker takes."""
    needed = BASE_BYTES + config.concurrency * CALL_BYTES
    limit = _limit_in(limits)
    if limit is None or limit > 2**60:
        return Line(Verdict.OK, "memory", "no limit")
    found = f"the limit is {limit / 1e6:.0f} MB"
    if limit >= needed:
        return Line(Verdict.OK, "memory", found)
    found += f", IGSEND_CONCURRENCY={config.concurrency} needs about {needed / 1e6:.0f}"
    return Line(Verdict.WARN, "memory", found, "raise it or lower IGSEND_CONCURRENCY")


def _limit_in(files: Sequence[Path]) -> int | None:
    """Give the limit in bytes; None where there is none, or none can be seen."""
    for path in files:
        try:
            return int(path.read_text())
        except (OSError, ValueError):
            continue  # no such cgroup, or "max"
    return None
