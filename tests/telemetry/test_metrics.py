"""The metrics are as their table says, all there from the start, and none is per account."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.builders import an_error
from tests.telemetry.samples import sample, some_metrics
from worker.core.delivery import Lane
from worker.core.send_result import (
    Missed,
    NotSent,
    Refused,
    Scope,
    SendResult,
    Sent,
    Throttled,
    Unknown,
)
from worker.telemetry.metric_table import METRICS
from worker.telemetry.metrics import Gauges

FAMILIES = {
    family.name: family
    for family in text_string_to_metric_families(some_metrics().exposition().decode())
    if family.name.startswith("igsend_")
}
ERROR = an_error()
ROOT = Path(__file__).absolute().parents[2]


def test_table_lists_exactly_the_metrics_that_a_scrape_shows() -> None:
    listed = {row.name.removesuffix("_total") for row in METRICS}
    assert listed == FAMILIES.keys()
    assert len(METRICS) == len({row.name for row in METRICS})


@pytest.mark.parametrize("row", METRICS, ids=lambda row: str(row.name))
def test_scrape_shows_kind_labels_and_meaning_of_the_table(row: object) -> None:
    name, kind = getattr(row, "name", ""), getattr(row, "kind", "")
    family = FAMILIES[name.removesuffix("_total")]
    assert family.documentation == getattr(row, "meaning", "")
    # The text format knows no info: it shows a gauge that is 1.
    assert family.type == ("gauge" if kind == "info" else kind)
    labels = {label for each in family.samples for label in each.labels} - {"le"}
    assert labels == set(getattr(row, "labels", ()))
    assert name.startswith("igsend_")
    assert (kind == "counter") == name.endswith("_total")
    assert name.endswith("_seconds") or kind != "histogram"


def test_no_label_names_an_account_a_person_or_a_request() -> None:
    labels = {label for row in METRICS for label in row.labels}
    assert labels == {
        "lane", "status", "reason", "why", "result", "code_known", "role", "version",
        "graph_version", "within",
    }  # fmt: skip


def test_every_series_is_there_from_the_start() -> None:
    assert all(family.samples for family in FAMILIES.values())
    metrics = some_metrics()
    assert sample(metrics, "igsend_outcomes_total", status="sent", reason="") == 0
    assert sample(metrics, "igsend_outcomes_total", status="failed", reason="suspect") == 0
    assert sample(metrics, "igsend_outcomes_total", status="held", reason="unconfirmed") == 0


def test_two_workers_in_one_process_count_apart() -> None:
    one, other = some_metrics(), some_metrics()
    one.attempt_made()
    assert sample(one, "igsend_attempts_total") == 1
    assert sample(other, "igsend_attempts_total") == 0


def test_build_info_names_the_versions() -> None:
    metrics = some_metrics()
    assert sample(metrics, "igsend_build_info", version="1.2.3", graph_version="v23.0") == 1


def test_redelivery_counts_as_a_delivery_too() -> None:
    metrics = some_metrics()
    metrics.delivery_received(Lane.BULK, redelivered=False)
    metrics.delivery_received(Lane.BULK, redelivered=True)
    assert sample(metrics, "igsend_deliveries_total", lane="bulk") == 2
    assert sample(metrics, "igsend_redeliveries_total", lane="bulk") == 1
    assert sample(metrics, "igsend_deliveries_total", lane="interactive") == 0


@pytest.mark.parametrize(
    ("result", "name"),
    [
        (Sent("mid", "person"), "sent"),
        (Refused(Scope.MESSAGE, ERROR), "refused"),
        (Throttled(Scope.APP, ERROR), "throttled"),
        (NotSent(ERROR), "not_sent"),
        (Unknown(ERROR), "unknown"),
        (Missed(), "missed"),
    ],
)
def test_latency_of_a_call_is_kept_by_what_it_came_to(result: SendResult, name: str) -> None:
    metrics = some_metrics()
    metrics.api_call_answered(result, after_s=0.4)
    assert sample(metrics, "igsend_api_call_seconds_count", result=name) == 1
    assert sample(metrics, "igsend_api_call_seconds_sum", result=name) == 0.4


def test_gauges_show_the_last_moment() -> None:
    metrics = some_metrics()
    metrics.show(Gauges(9, 9, 9, 9))
    metrics.show(Gauges(in_hand=1, consumers_expected=2, consumers_registered=3, accounts=4))
    names = ("in_hand", "consumers_expected", "consumers_registered", "accounts_loaded")
    assert [sample(metrics, f"igsend_{name}") for name in names] == [1, 2, 3, 4]


def test_process_metrics_come_along() -> None:
    assert b"process_resident_memory_bytes" in some_metrics().exposition()


def test_calls_of_the_gate_are_counted_with_their_time() -> None:
    metrics = some_metrics()
    metrics.gate_answered(after_s=0.004)
    metrics.gate_failed()
    assert sample(metrics, "igsend_gate_call_seconds_sum") == 0.004
    assert sample(metrics, "igsend_gate_errors_total") == 1


@pytest.mark.parametrize(
    ("published_s", "count"), [(None, 0), (1.5, 1), (-0.4, 1), (-3600.0, 0), (1.7e9, 0)]
)
def test_time_since_publishing_counts_where_a_producer_told_it(
    published_s: float | None, count: int
) -> None:
    metrics = some_metrics()
    metrics.request_accepted(Lane.BULK, after_s=0.5, published_s=published_s)
    assert sample(metrics, "igsend_accepted_seconds_count", lane="bulk") == 1
    found = sample(metrics, "igsend_published_to_accepted_seconds_count", lane="bulk")
    assert found == count


def test_closed_accounts_are_shown_by_why() -> None:
    metrics = some_metrics()
    metrics.show(Gauges(0, 0, 0, 0, closed={"refused": 2, "throttled": 0, "app": 1}))
    assert sample(metrics, "igsend_closed_accounts", why="refused") == 2
    assert sample(metrics, "igsend_closed_accounts", why="app") == 1


def test_operators_find_every_metric_in_their_pages() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    section = page.partition("\n## Metrics\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{row.name}` | {row.kind} | {', '.join(row.labels)} | {row.meaning} |"
        for row in METRICS
    ]
