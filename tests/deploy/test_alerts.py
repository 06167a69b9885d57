"""The alerts: promtool's unit tests, metrics that exist, and a page for each of them."""

import re
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.tools import CHART, ROOT, documents, run
from tests.telemetry.samples import some_metrics
from worker.telemetry.metric_table import METRICS

ALERTS = CHART / "files" / "alerts.yaml"
CASES = ROOT / "tests" / "deploy" / "alerts.test.yaml"
OPERATIONS = ROOT / "docs" / "operations.md"
# RabbitMQ's own, of its Prometheus plugin (3.10 to 4.3), at /metrics and /metrics/detailed.
OF_THE_BROKER = {
    "rabbitmq_alarms_free_disk_space_watermark",
    "rabbitmq_alarms_memory_used_watermark",
    "rabbitmq_detailed_queue_messages",
    "rabbitmq_global_messages_dead_lettered_expired_total",
    "rabbitmq_global_messages_dead_lettered_rejected_total",
}


_EXPORTED = [
    sample
    for family in text_string_to_metric_families(some_metrics().exposition().decode())
    for sample in family.samples
]
# What Prometheus itself adds to each series in Kubernetes (and deploy/compose/prometheus.yml).
TARGET_LABELS = {"namespace", "pod"}


def is_exported(name: str, selector: str) -> bool:
    """Whether a worker has a series that the selector of a query matches."""
    wanted = [
        (label, operator, value)
        for label, operator, value in re.findall(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"', selector)
        if label not in TARGET_LABELS
    ]
    return any(
        sample.name == name
        and all(_matches(sample.labels.get(label, ""), *test) for label, *test in wanted)
        for sample in _EXPORTED
    )


def _matches(value: str, operator: str, wanted: str) -> bool:
    is_same = (
        value == wanted if operator in {"=", "!="} else re.fullmatch(wanted, value) is not None
    )
    return is_same == (operator in {"=", "=~"})


@pytest.fixture(scope="module")
def alerts() -> list[dict[str, Any]]:
    (document,) = documents(ALERTS.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_promtool_reads_them() -> None:
    done = run("promtool", "check", "rules", ALERTS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_fires_when_it_should_and_only_then() -> None:
    done = run("promtool", "test", "rules", CASES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(
    alerts: list[dict[str, Any]],
) -> None:
    (document,) = documents(CASES.read_text())
    seen: dict[str, set[bool]] = {}
    for case in document["tests"]:
        for each in case["alert_rule_test"]:
            seen.setdefault(each["alertname"], set()).add(bool(each["exp_alerts"]))
    assert seen == {rule["alert"]: {True, False} for rule in alerts}


def test_expressions_name_metrics_that_exist_with_labels_that_they_have(
    alerts: list[dict[str, Any]],
) -> None:
    labels = {row.name: set(row.labels) for row in METRICS}
    for row in METRICS:
        if row.kind == "histogram":
            labels[f"{row.name}_bucket"] = {*row.labels, "le"}
    for rule in alerts:
        named = re.findall(r"\b((?:igsend|rabbitmq)_\w+)(?:\{([^}]*)\})?", rule["expr"])
        assert named, rule["alert"]
        for name, selector in named:
            if name.startswith("rabbitmq_"):
                assert name in OF_THE_BROKER
                continue
            # The info metric's name, and the table's, is without _info.
            assert name in labels, f"{rule['alert']}: {name}"
            assert set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", selector)) <= labels[name]


def test_each_says_how_bad_it_is_and_has_a_page_that_exists(alerts: list[dict[str, Any]]) -> None:
    headings = re.findall(r"^### (\w+)$", OPERATIONS.read_text(), re.MULTILINE)
    for rule in alerts:
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        annotations = rule["annotations"]
        assert annotations["summary"].endswith(".")
        assert annotations["description"]
        assert annotations["runbook_url"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["alert"] in headings


def test_values_of_labels_are_those_that_a_worker_exports(alerts: list[dict[str, Any]]) -> None:
    for rule in alerts:
        for name, selector in re.findall(r"\b(igsend_\w+)\{([^}]*)\}", rule["expr"]):
            assert is_exported(name, selector), f"{rule['alert']}: {name}{{{selector}}}"
