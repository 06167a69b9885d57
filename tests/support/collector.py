"""An OpenTelemetry collector that keeps what it is sent by OTLP over HTTP."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status


@dataclass(frozen=True, slots=True)
class CollectedSpan:
    """One span; ids in hex, `parent` empty for the root of a trace, `links` as (trace, span)."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: list[tuple[str, str]]
    attributes: Mapping[str, Any]
    is_error: bool
    resource: Mapping[str, Any]


@dataclass(slots=True)
class Collector:
    """`endpoint` is what OTEL_EXPORTER_OTLP_ENDPOINT takes."""

    endpoint: str = ""
    spans: list[CollectedSpan] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)

    def of_trace(self, trace: str) -> list[CollectedSpan]:
        return [span for span in self.spans if span.trace == trace]

    async def take(self, request: web.Request) -> web.Response:
        """Answer POST /v1/traces."""
        export = ExportTraceServiceRequest.FromString(await request.read())
        self.raw.append(str(export))
        for of_resource in export.resource_spans:
            resource = _read(of_resource.resource.attributes)
            for of_scope in of_resource.scope_spans:
                self.spans += [_span(span, resource) for span in of_scope.spans]
        return web.Response(content_type="application/x-protobuf")


@asynccontextmanager
async def a_collector() -> AsyncIterator[Collector]:
    """Listen on a free port of the loopback address."""
    collector = Collector()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/traces", collector.take)
    async with TestServer(app) as server:
        collector.endpoint = str(server.make_url("")).rstrip("/")
        yield collector


def _span(span: ProtoSpan, resource: Mapping[str, Any]) -> CollectedSpan:
    return CollectedSpan(
        name=span.name,
        kind=ProtoSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        attributes=_read(span.attributes),
        is_error=span.status.code == Status.STATUS_CODE_ERROR,
        resource=resource,
    )


def _read(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair) for pair in pairs}


def _value(pair: KeyValue) -> Any:
    value: AnyValue = pair.value
    return getattr(value, str(value.WhichOneof("value")))
