"""What the doctor says of figures that no test can bring about for real."""

import sys
from pathlib import Path

import pytest

from worker.cli.examine.broker import version_line
from worker.cli.examine.gate import Node, clocks
from worker.cli.examine.line import Verdict
from worker.cli.examine.machine import memory, tracing
from worker.config import Config
from worker.gate.redis.facts import Facts

FACTS = Facts("Valkey", "8.1", is_cluster=False, eviction="noeviction", has_append_only_file=True)


def a_node(name: str, *, skew_s: float = 0.0, latency_s: float = 0.001) -> Node:
    return Node(name, FACTS, makes_snapshots=True, refusal=None, skew_s=skew_s, latency_s=latency_s)


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ("3.9.29", Verdict.FAIL),
        ("3.10.8", Verdict.OK),
        ("3.13.7", Verdict.OK),
        ("4.3.6", Verdict.OK),
        ("4.4.0", Verdict.WARN),
        ("5.0.0-rc.1", Verdict.WARN),
        ("unknown", Verdict.OK),
    ],
)
def test_versions_of_the_broker(version: str, verdict: Verdict) -> None:
    line = version_line(version)
    assert line.verdict is verdict
    assert bool(line.advice) == (verdict is not Verdict.OK)
    assert version in line.found


def test_clock_and_distance_of_the_worst_node_are_told() -> None:
    nodes = [a_node("one:6379"), a_node("two:6379", skew_s=-90.0, latency_s=0.08)]
    latency, clock = clocks(nodes)
    assert (latency.verdict, clock.verdict) == (Verdict.WARN, Verdict.WARN)
    assert latency.found == "two:6379 takes 80.0 ms a round trip"
    assert clock.found == "the clock of two:6379 differs by 90.0 s"


def test_good_figures_are_told_too() -> None:
    latency, clock = clocks([a_node("one:6379", skew_s=0.2)])
    assert (latency.verdict, latency.found) == (Verdict.OK, "1.0 ms a round trip")
    assert (clock.verdict, clock.found) == (Verdict.OK, "differs by 0.2 s at most")


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (None, Verdict.OK),
        ("max\n", Verdict.OK),
        ("9223372036854771712\n", Verdict.OK),
        ("268435456\n", Verdict.OK),
        ("67108864\n", Verdict.WARN),
    ],
)
def test_memory_of_the_container(tmp_path: Path, content: str | None, verdict: Verdict) -> None:
    file = tmp_path / "memory.max"
    if content is not None:
        file.write_text(content)
    line = memory(Config.from_env({}), limits=[tmp_path / "none", file])
    assert line.verdict is verdict


def test_tracing_that_is_asked_for_and_cannot_be_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asking = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    assert (tracing({}).verdict, tracing({}).found) == (Verdict.OK, "off")
    assert tracing(asking).found == "on, by otlp"
    # As where the extra is not installed.
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    assert tracing(asking).verdict is Verdict.WARN
    assert "igsend[tracing]" in tracing(asking).advice
