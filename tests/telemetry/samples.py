"""Reads single samples out of Prometheus text."""

from prometheus_client.parser import text_string_to_metric_families

from worker.telemetry.metrics import Metrics


def some_metrics() -> Metrics:
    return Metrics(version="1.2.3", graph_version="v23.0")


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    """Give the sample's value; fails when there is none, or more than one."""
    found = [
        each.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for each in family.samples
        if each.name == name and each.labels == labels
    ]
    [value] = found
    return float(value)
