"""Latencies as percentiles, in the way a person reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds from publishing to acceptance; `missing` were never accepted."""

    count: int
    missing: int
    p50: float
    p99: float
    worst: float


def latencies(values: Sequence[float], *, missing: int = 0) -> Latencies:
    """Summarise; what is missing counts as slower than everything else."""
    ordered = [*sorted(values), *[float("inf")] * missing]
    if not ordered:
        return Latencies(0, 0, 0.0, 0.0, 0.0)
    return Latencies(
        len(ordered), missing, _percentile(ordered, 0.5), _percentile(ordered, 0.99), ordered[-1]
    )


def _percentile(ordered: Sequence[float], part: float) -> float:
    """Give the least value that at least `part` of all do not exceed."""
    return ordered[max(0, ceil(part * len(ordered)) - 1)]


def ms(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 100 else f"{seconds:.0f} s"
