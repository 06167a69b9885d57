"""A schedule can be repeated, and leaves no kind out."""

from tests.chaos.catalogue import catalogue
from tests.chaos.schedule import schedule

WEIGHTS = {"rare": 0.1, "usual": 1.0, "often": 5.0}


def test_the_same_seed_gives_the_same_schedule_and_another_another() -> None:
    assert schedule(1, 50, WEIGHTS) == schedule(1, 50, WEIGHTS)
    assert schedule(1, 50, WEIGHTS) != schedule(2, 50, WEIGHTS)


def test_every_kind_strikes_at_least_once() -> None:
    assert {planned.kind for planned in schedule(1, 3, WEIGHTS)} == set(WEIGHTS)


def test_the_first_fault_has_none_to_strike_beside() -> None:
    assert not any(schedule(seed, 2, WEIGHTS)[0].is_combined for seed in range(20))


def test_weights_count() -> None:
    kinds = [planned.kind for planned in schedule(1, 1000, WEIGHTS)]
    assert kinds.count("often") > kinds.count("usual") > kinds.count("rare")


def test_a_memory_gate_is_not_killed_and_has_no_redis_to_lose() -> None:
    kinds = catalogue("memory")
    assert not [kind for kind in kinds if "SIGKILL" in kind and "worker" in kind]
    assert not [kind for kind in kinds if "edis" in kind]
    assert len(kinds) >= 15
    assert len(catalogue("redis")) > len(kinds)
