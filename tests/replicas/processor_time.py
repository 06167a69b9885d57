"""How much processor time processes use, so that a slow machine is not taken for a slow worker."""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds of processor time by group, at a moment."""

    moment: float
    seconds: Mapping[str, float]


def usage_of(groups: Mapping[str, Iterable[int]]) -> Usage:
    """Read the time used so far by each group of processes; those that ended count nothing."""
    return Usage(time.monotonic(), {name: sum(map(_used_s, pids)) for name, pids in groups.items()})


def cores(before: Usage, after: Usage) -> dict[str, float]:
    """Say how many cores each group kept busy between two readings."""
    elapsed_s = after.moment - before.moment
    return {name: (after.seconds[name] - used) / elapsed_s for name, used in before.seconds.items()}


def _used_s(pid: int) -> float:
    try:
        # The second field, a name in brackets, may itself hold blanks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
