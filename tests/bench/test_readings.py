"""What the sinks write down is read strictly: a run that lost or doubled a request is no run."""

import pytest

from tests.bench.latency import delays_s
from tests.bench.sink import Accepted, accepted_in
from tests.bench.throughput import BenchError


def test_the_log_tells_count_first_and_last() -> None:
    log = "10.250 POST 200\n10.000 POST 200\n12.500 POST 200\n"
    assert accepted_in(log) == Accepted(3, 10.0, 12.5)
    assert accepted_in(log).elapsed_s == 2.5


def test_an_empty_log_has_accepted_nothing() -> None:
    assert accepted_in("").count == 0


@pytest.mark.parametrize("line", ["10.0 GET 200", "10.0 POST 405"])
def test_anything_but_an_accepted_post_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match="the sink saw"):
        accepted_in(line)


def test_delays_leave_out_the_warm_up() -> None:
    published = [("load-1", 10.0), ("load-2", 11.9), ("load-3", 12.0), ("load-4", 13.0)]
    accepted = [("load-2", 19.0), ("load-1", 18.0), ("load-4", 13.5), ("load-3", 12.25)]
    assert delays_s(published, accepted, warm_up_s=2.0) == [0.25, 0.5]


@pytest.mark.parametrize(
    "accepted",
    [[("load-1", 1.5)], [("load-1", 1.5), ("load-2", 1.6), ("load-2", 1.7)]],
    ids=["one is missing", "one came twice"],
)
def test_each_request_must_be_accepted_exactly_once(accepted: list[tuple[str, float]]) -> None:
    with pytest.raises(BenchError, match="2 were published"):
        delays_s([("load-1", 1.0), ("load-2", 1.1)], accepted, warm_up_s=0.0)
