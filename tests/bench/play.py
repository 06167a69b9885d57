"""All rounds of all contenders: first how much they do, then how fast they answer at half of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench.contenders import Contender, Place
from tests.bench.cores import leave_worker_core, share_all_cores
from tests.bench.figures import Figures, Latency, figures
from tests.bench.ground import Ground, a_ground
from tests.bench.latency import Load, latency
from tests.bench.machine import Facts, facts
from tests.bench.sink_load import sink_per_s
from tests.bench.throughput import Profiler, Run, throughput
from tests.support.processes import with_descendants

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured; `latency_s` 0 leaves the latencies out."""

    requests: int
    rounds: int
    accounts: int
    in_flight: int
    prefetch: int
    latency_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """Everything there is to show."""

    found: Sequence[Figures]
    sizes: Sizes
    facts: Facts


async def play(
    contenders: Sequence[Contender],
    sizes: Sizes,
    folder: Path,
    profiler: Profiler | None,
    tell: Tell,
) -> Result:
    """Run all contenders in turn on one ground, each round beginning with another one."""
    async with a_ground(folder, accounts=sizes.accounts) as ground:
        place = ground.place(in_flight=sizes.in_flight, prefetch=sizes.prefetch)
        known = await facts(ground, sink_per_s=await sink_per_s(ground.sink.url, folder))
        tell(str(known))
        leave_worker_core(with_descendants(ground.pids))
        runs = []
        for number in range(sizes.rounds):
            played: dict[str, Run] = {}
            for contender in rotated(contenders, number):
                run = await throughput(
                    contender, ground, place, sizes.requests,
                    log=folder / f"{contender.name}.log",
                    profiler=profiler if contender.is_igsend else None,
                )  # fmt: skip
                tell(
                    f"round {number + 1}: {contender.name} {run.per_s:,.0f}/s, "
                    f"{1000 * run.spent.cpu_s_per_1000:.0f} ms CPU per 1000, "
                    f"strangers {run.spent.strangers:.2f}"
                )
                played[contender.name] = run
            runs.append(played)
        # At half load nobody is short of a core; publishing and receiving would be, on one.
        share_all_cores(with_descendants(ground.pids))
        heard = [
            await _latencies(rotated(contenders, number), ground, place, sizes, runs, tell)
            for number in range(sizes.rounds if sizes.latency_s else 0)
        ]
    return Result([figures(c.name, runs, heard) for c in contenders], sizes, known)


async def _latencies(
    contenders: Sequence[Contender],
    ground: Ground,
    place: Place,
    sizes: Sizes,
    runs: Sequence[Mapping[str, Run]],
    tell: Tell,
) -> dict[str, Latency]:
    heard = {}
    for contender in contenders:
        half = median(played[contender.name].per_s for played in runs) / 2
        log = ground.folder / f"{contender.name}.latency.log"
        found = await latency(contender, ground, place, Load(half, sizes.latency_s), log=log)
        tell(
            f"at {half:,.0f}/s: {contender.name} p50 {found.p50_ms:.1f}, "
            f"p99 {found.p99_ms:.1f} ms, cores: worker {found.cores:.2f}, "
            f"broker {found.broker:.2f}, strangers {found.strangers:.2f}"
        )
        heard[contender.name] = found
    return heard


def rotated(contenders: Sequence[Contender], by: int) -> Sequence[Contender]:
    """Begin with another one each round, so that none always comes first."""
    at = by % len(contenders)
    return [*contenders[at:], *contenders[:at]]
