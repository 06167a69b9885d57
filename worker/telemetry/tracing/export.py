"""Where the spans go, by the standard OTEL_* variables, most of which the SDK reads by itself."""

import os
import socket
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points

from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from worker import __version__
from worker.telemetry.tracing.opening import TracingError
from worker.telemetry.tracing.spans import Tracing

# Packages name their exporters in this group; the SDK's own configuration reads it too.
_GROUP = "opentelemetry_traces_exporter"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


def opened(exporters: list[str], environment: Mapping[str, str]) -> Tracing:
    """Open the exporters of these names. Raises TracingError."""
    provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
    for name in exporters:
        provider.add_span_processor(BatchSpanProcessor(_exporter(name, environment)))
    return Tracing(provider)


def _resource() -> Resource:
    ours = {
        "service.name": "igsend",
        "service.version": __version__,
        "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
    }
    # What the environment says of the resource stands above ours.
    return Resource.create().merge(Resource(ours)).merge(OTELResourceDetector().detect())


def _exporter(name: str, environment: Mapping[str, str]) -> SpanExporter:
    entry = _entry(name, environment)
    try:
        exporter: SpanExporter = entry.load()()
    except Exception as error:  # what somebody else's package makes of its settings
        raise TracingError(
            f"the exporter {name!r} of OTEL_TRACES_EXPORTER cannot be opened "
            f"({type(error).__name__}); look at the OTEL_EXPORTER_* variables"
        ) from None
    return exporter


def _entry(name: str, environment: Mapping[str, str]) -> EntryPoint:
    wanted = _otlp(environment) if name == "otlp" else name
    known = entry_points(group=_GROUP)
    if wanted not in known.names:
        raise TracingError(
            f"OTEL_TRACES_EXPORTER: no package is installed for {wanted!r}; "
            f"there are otlp, {', '.join(sorted(known.names))}"
        )
    return known[wanted]


def _otlp(environment: Mapping[str, str]) -> str:
    said = next((name for name in _PROTOCOLS if environment.get(name)), None)
    protocol = environment[said] if said else "http/protobuf"
    if protocol not in _OTLP:
        raise TracingError(f"{said} is {protocol!r}; it can be {' or '.join(_OTLP)}")
    return _OTLP[protocol]
