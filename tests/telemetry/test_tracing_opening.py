"""When there are spans, and what is said when they cannot be had."""

import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from worker.telemetry.tracing.opening import TracingError, exporters_of, tracing_of


@pytest.mark.parametrize(
    ("environment", "exporters"),
    [
        ({}, []),
        ({"OTEL_SERVICE_NAME": "igsend"}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, ["otlp"]),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, ["otlp"]),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ["otlp"]),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, ["console", "otlp"]),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, []),
        ({"OTEL_SDK_DISABLED": "TRUE", "OTEL_TRACES_EXPORTER": "otlp"}, []),
    ],
)
def test_variables_of_the_standard_turn_it_on(
    environment: dict[str, str], exporters: list[str]
) -> None:
    assert exporters_of(environment) == exporters


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, r"OTEL_TRACES_EXPORTER.*'zipkin'.*console"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier-pigeon"},
            r"OTEL_EXPORTER_OTLP_PROTOCOL is 'carrier-pigeon'.*http/protobuf",
        ),
    ],
)
def test_exporter_that_cannot_be_had_is_an_error_that_names_the_variable(
    environment: dict[str, str], said: str
) -> None:
    with pytest.raises(TracingError, match=said):
        tracing_of(environment)


def test_without_the_extra_there_is_a_warning_and_no_tracing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith("worker.telemetry.tracing.")]:
        if not name.endswith("opening"):
            monkeypatch.delitem(sys.modules, name)
    for name in ("opentelemetry", "opentelemetry.sdk", "opentelemetry.sdk.resources"):
        monkeypatch.setitem(sys.modules, name, None)
    with capture_logs() as lines:
        assert tracing_of({"OTEL_TRACES_EXPORTER": "otlp"}) is None
    (line,) = lines
    assert line["log_level"] == "warning"
    assert "igsend[tracing]" in line["event"]


def test_nothing_of_opentelemetry_is_imported_unless_it_is_asked_for() -> None:
    program = (
        "import sys, worker.app; from worker.telemetry.tracing.opening import tracing_of\n"
        "assert tracing_of({}) is None\n"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert done.returncode == 0
