"""The Grafana dashboard: every query can be answered with what a worker exports."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.test_alerts import OF_THE_BROKER, TARGET_LABELS, is_exported
from tests.deploy.tools import CHART, run
from worker.telemetry.metric_table import METRICS

BOARD: dict[str, Any] = json.loads((CHART / "files" / "dashboard.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]

LABELS = {row.name: {*row.labels, *TARGET_LABELS} for row in METRICS}
for _row in METRICS:
    if _row.kind == "histogram":
        LABELS[f"{_row.name}_bucket"] = LABELS[_row.name] | {"le"}
        LABELS[f"{_row.name}_count"] = LABELS[_row.name]
LABELS |= {name: {"queue", "instance"} for name in OF_THE_BROKER}


@pytest.mark.parametrize("query", QUERIES)
def test_query_names_metrics_and_labels_that_exist(query: str) -> None:
    named = re.findall(r"\b((?:igsend|rabbitmq)_\w+)\{([^}]*)\}", query)
    assert named
    known: set[str] = set()
    for name, selector in named:
        assert name in LABELS
        known |= LABELS[name]
        assert set(re.findall(r"(\w+)\s*(?:=~|!=|!~|=)", selector)) <= LABELS[name]
        assert name.startswith("rabbitmq_") or is_exported(name, selector)
    for group in re.findall(r"\bby \(([^)]*)\)", query):
        assert {label.strip() for label in group.split(",")} <= known


def test_prometheus_reads_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(QUERIES)
    ]
    # JSON is YAML.
    file = tmp_path / "queries.yaml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    done = run("promtool", "check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_legend_names_labels_that_its_query_keeps() -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            kept = {
                label.strip()
                for group in re.findall(r"\bby \(([^)]*)\)", target["expr"])
                for label in group.split(",")
            }
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept, panel["title"]


def test_every_metric_of_the_worker_is_on_the_board() -> None:
    # What alerts and logs tell better.
    elsewhere = {
        "igsend_attempts_total",
        "igsend_handed_back_total",
        "igsend_token_soonest_end_timestamp_seconds",
        "igsend_unlisted_errors_total",
    }
    shown = " ".join(QUERIES)
    assert {row.name for row in METRICS if row.name not in shown} == elsewhere


def test_panels_have_places_of_their_own_and_say_what_they_show() -> None:
    places = [tuple(panel["gridPos"].values()) for panel in BOARD["panels"]]
    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    assert all(panel["title"] and panel["fieldConfig"]["defaults"]["unit"] for panel in PANELS)
