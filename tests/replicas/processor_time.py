"""How much processor time processes use, so that a slow machine is not taken for a slow worker."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.support.processes import used_s


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of processor time by group, at a moment."""

    moment: float
    seconds: Mapping[str, float]


def usage_of(groups: Mapping[str, Iterable[int]]) -> Usage:
    """Read the time used so far by each group of processes; those that ended count nothing."""
    return Usage(time.monotonic(), {name: used_s(pids) for name, pids in groups.items()})


def cores(before: Usage, after: Usage) -> dict[str, float]:
    """Say how many cores each group kept busy between two readings."""
    elapsed_s = after.moment - before.moment
    return {name: (after.seconds[name] - used) / elapsed_s for name, used in before.seconds.items()}
