"""Whether there are spans: what the standard OTEL_* variables say, and whether igsend can."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from worker.telemetry.tracing.spans import Tracing

_ASKING = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class TracingError(Exception):
    """Spans cannot be exported as the environment says; the text says why and what to do."""


def tracing_of(environment: Mapping[str, str]) -> "Tracing | None":
    """Open tracing if OTEL_TRACES_EXPORTER or an OTLP endpoint is set; None when it is off.

    Without the extra `tracing` it stays off with a warning: these variables may be set for all
    containers of a cluster alike. Raises TracingError.
    """
    exporters = exporters_of(environment)
    if not exporters:
        return None
    try:
        export = import_module("worker.telemetry.tracing.export")
    except ModuleNotFoundError as missing:
        if not (missing.name or "").startswith("opentelemetry"):
            raise
        structlog.get_logger().warning(
            "OTEL_* variables ask for traces, but igsend was installed without OpenTelemetry; "
            "there are no spans. Install igsend[tracing], or set OTEL_TRACES_EXPORTER=none"
        )
        return None
    opened: Tracing = export.opened(exporters, environment)
    return opened


def exporters_of(environment: Mapping[str, str]) -> list[str]:
    """Give the names of the exporters; none when tracing is off, as it is by default."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    named = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if not named:
        return ["otlp"] if any(environment.get(name) for name in _ASKING) else []
    names = [name.strip() for name in named.split(",")]
    return [name for name in names if name not in ("", "none")]
