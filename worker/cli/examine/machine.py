"""This process: open files, memory, and whether its spans can be exported."""

import resource
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from worker.cli.examine.line import Line, Verdict
from worker.config import Config
from worker.telemetry.tracing.opening import exporters_of

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


def tracing(environment: Mapping[str, str]) -> Line:
    exporters = exporters_of(environment)
    if not exporters:
        return Line(Verdict.OK, "tracing", "off")
    if find_spec("opentelemetry") is None:
        found = (
            "OTEL_* variables ask for traces, and OpenTelemetry is not installed: there are none"
        )
        advice = "install igsend[tracing], or set OTEL_TRACES_EXPORTER=none"
        return Line(Verdict.WARN, "tracing", found, advice)
    return Line(Verdict.OK, "tracing", f"on, by {', '.join(exporters)}")


def _limit_in(files: Sequence[Path]) -> int | None:
    """Give the limit in bytes; None where there is none, or none can be seen."""
    for path in files:
        try:
            return int(path.read_text())
        except (OSError, ValueError):
            continue  # no such cgroup, or "max"
    return None
