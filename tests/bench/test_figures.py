"""Medians, spreads and ratios are what the rounds say, and the table shows them."""

import pytest

from tests.bench.figures import Latency, Spread, figures
from tests.bench.samples import Business, Sample, Spent, spent, strangers
from tests.bench.table import table
from tests.bench.throughput import Run


def a_run(per_s: float, *, cpu: float = 0.2, strange: float = 0.0) -> Run:
    return Run(1000, per_s, Spent(cpu, cores=0.9, strangers=strange, peak_mb=40))


def a_sample(accepted: int, *, at: float, worker_s: float, machine_s: float = 0.0) -> Sample:
    return Sample(accepted, worker_s, 50.0, Business(at, machine_s, worker_s))


def test_a_ratio_compares_with_the_bare_loop_of_the_same_round() -> None:
    rounds = [
        {"bare": a_run(1000), "igsend": a_run(2000)},
        {"bare": a_run(4000), "igsend": a_run(4000)},
        {"bare": a_run(2000), "igsend": a_run(3000)},
    ]
    found = figures("igsend", rounds)
    assert found.per_s == Spread(3000, 2000, 4000)
    assert found.per_s_ratio == Spread(1.5, 1.0, 2.0)


def test_without_the_bare_loop_there_is_no_ratio() -> None:
    assert figures("igsend", [{"igsend": a_run(2000)}]).per_s_ratio is None


def test_latencies_have_ratios_of_their_own_rounds() -> None:
    bare = Latency(500, 1, 4, cores=0.3, broker=0.2, strangers=0.1)
    heard = [{"bare": bare, "igsend": Latency(400, 1, 5, cores=0.4, broker=0.2, strangers=0.7)}]
    found = figures("igsend", [{"igsend": a_run(800, strange=0.2)}], heard)
    assert found.half_load is not None
    assert found.half_load.p99_ratio == Spread(1.25, 1.25, 1.25)
    assert (found.half_load.per_s, found.half_load.cores) == (400, 0.4)
    assert found.strangers == 0.7, "the worst run tells how far to trust them all"


def test_what_a_worker_used_before_its_first_request_is_not_counted() -> None:
    found = spent(
        [
            a_sample(0, at=1.0, worker_s=0.8, machine_s=1.0),
            a_sample(100, at=2.0, worker_s=1.0, machine_s=2.0),
            a_sample(1100, at=4.0, worker_s=2.6, machine_s=4.6),
            a_sample(1100, at=4.5, worker_s=3.0, machine_s=5.0),
        ]
    )
    assert found.cpu_s_per_1000 == pytest.approx(2.0), "with what it did after the last request"
    assert found.cores == pytest.approx(0.8), "while there was load"
    assert found.strangers == pytest.approx(0.5)


def test_a_run_seen_only_once_is_refused() -> None:
    with pytest.raises(ValueError, match="more requests"):
        spent([a_sample(5, at=1.0, worker_s=1.0), a_sample(5, at=1.5, worker_s=1.0)])


def test_strangers_are_what_is_left_of_the_machine() -> None:
    assert strangers(Business(0, 10, 4), Business(2, 14, 7)) == 0.5


def test_the_table_has_a_line_for_each_contender_and_dashes_for_what_was_not_measured() -> None:
    rounds = [{"bare": a_run(1000), "igsend": a_run(1234)}]
    lines = table([figures("bare", rounds), figures("igsend", rounds)]).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1, "aligned"
    assert "1,234 (1,234–1,234)" in lines[3]
    assert "1.23 (1.23–1.23)" in lines[3]
    assert "–  " in lines[3]
