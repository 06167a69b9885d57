"""What several rounds say together: medians with their spread, and ratios within a round."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeVar

from tests.bench.throughput import Run


@dataclass(frozen=True, slots=True)
class Spread:
    """A median with the least and the greatest value behind it."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(median(values), min(values), max(values))


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from publishing to acceptance in one run, at `per_s` requests a second.

    `cores` is how busy the worker was, `broker` RabbitMQ, `strangers` everybody else.
    """

    per_s: float
    p50_ms: float
    p99_ms: float
    cores: float
    broker: float
    strangers: float


@dataclass(frozen=True, slots=True)
class HalfLoad:
    """The latencies of one contender; `cores` is how busy it was at `per_s` requests a second."""

    per_s: float
    p50_ms: Spread
    p99_ms: Spread
    p99_ratio: Spread | None
    cores: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything about one contender; ratios are to the bare loop of the same round.

    `strangers` is the worst run's: how many cores others kept busy.
    """

    name: str
    per_s: Spread
    per_s_ratio: Spread | None
    cpu_ms: Spread
    cpu_ratio: Spread | None
    cores: float
    peak_mb: float
    strangers: float
    half_load: HalfLoad | None = None


BASE = "bare"
T = TypeVar("T")


def figures(
    name: str, rounds: Sequence[Mapping[str, Run]], latencies: Sequence[Mapping[str, Latency]] = ()
) -> Figures:
    """Summarise one contender over all rounds in which it ran."""
    runs = [played[name] for played in rounds if name in played]
    heard = [played[name] for played in latencies if name in played]
    return Figures(
        name=name,
        per_s=Spread.of([run.per_s for run in runs]),
        per_s_ratio=_ratio(name, rounds, lambda run: run.per_s),
        cpu_ms=Spread.of([run.spent.cpu_s_per_1000 * 1000 for run in runs]),
        cpu_ratio=_ratio(name, rounds, lambda run: run.spent.cpu_s_per_1000),
        cores=median(run.spent.cores for run in runs),
        peak_mb=max(run.spent.peak_mb for run in runs),
        strangers=max(
            *(run.spent.strangers for run in runs), *(found.strangers for found in heard), 0.0
        ),
        half_load=_half_load(name, heard, latencies) if heard else None,
    )


def _half_load(
    name: str, heard: Sequence[Latency], latencies: Sequence[Mapping[str, Latency]]
) -> HalfLoad:
    return HalfLoad(
        per_s=median(latency.per_s for latency in heard),
        p50_ms=Spread.of([latency.p50_ms for latency in heard]),
        p99_ms=Spread.of([latency.p99_ms for latency in heard]),
        p99_ratio=_ratio(name, latencies, lambda latency: latency.p99_ms),
        cores=median(latency.cores for latency in heard),
    )


def _ratio(
    name: str, rounds: Sequence[Mapping[str, T]], value: Callable[[T], float]
) -> Spread | None:
    ratios = [
        value(played[name]) / value(played[BASE])
        for played in rounds
        if name in played and BASE in played
    ]
    return Spread.of(ratios) if ratios else None
