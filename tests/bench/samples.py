"""Readings of a worker from outside, and what two of them say: processor time, memory, progress."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import TICKS_PER_S, used_s


@dataclass(frozen=True, slots=True)
class Business:
    """Processor time of the machine and of some processes, at a moment."""

    moment: float
    machine_s: float
    ours_s: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading; `worker_s` is processor time since each of its processes began.

    `all` is of everything that belongs to the benchmark, the worker too.
    """

    accepted: int
    worker_s: float
    peak_mb: float
    all: Business


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run cost: seconds per 1000 requests, cores of the worker, cores of strangers."""

    cpu_s_per_1000: float
    cores: float
    strangers: float
    peak_mb: float


def spent(samples: Sequence[Sample]) -> Spent:
    """Compare the first sample with a request in it with the last one of the load.

    What the worker used to start is not counted; what it does after its last POST is: the last
    sample of all comes a moment later.
    """
    begun = next(sample for sample in samples if sample.accepted > 0)
    end = samples[-1]
    loaded = next(sample for sample in samples if sample.accepted >= end.accepted)
    requests = end.accepted - begun.accepted
    if requests <= 0:
        raise ValueError("the run was over before it was looked at twice: take more requests")
    elapsed_s = loaded.all.moment - begun.all.moment
    return Spent(
        cpu_s_per_1000=1000 * (end.worker_s - begun.worker_s) / requests,
        cores=(loaded.worker_s - begun.worker_s) / elapsed_s,
        strangers=strangers(begun.all, loaded.all),
        peak_mb=max(sample.peak_mb for sample in samples),
    )


def business(pids: Iterable[int]) -> Business:
    """Read how much the machine and these processes have worked so far."""
    return Business(time.monotonic(), machine_s(), used_s(pids))


def strangers(before: Business, after: Business) -> float:
    """Say how many cores were busy with anything else between two readings."""
    foreign_s = (after.machine_s - before.machine_s) - (after.ours_s - before.ours_s)
    return foreign_s / (after.moment - before.moment)


def machine_s() -> float:
    """Give the processor time of everything on the machine, idling and waiting excepted."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _waiting, irq, softirq, steal = map(int, fields)
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_S
