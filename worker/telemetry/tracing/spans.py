"""The spans of a request: its pass, the steps of that, and each call to the API.

They say what the log line says, so never a message text. Names and attributes are OpenTelemetry's
for messaging and HTTP, where it has some.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    format_trace_id,
    get_current_span,
    use_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from worker import __version__
from worker.core.account import Account
from worker.core.delivery import Delivery
from worker.core.report import Report
from worker.core.request import Part
from worker.core.send_result import Missed, SendResult, Sent
from worker.ports import Departure, Graph
from worker.telemetry.outcome_class import OutcomeClass, class_of
from worker.telemetry.trace_context import trace_headers
from worker.telemetry.wide_event import facts_of

# How long a stopping worker waits for the last spans to be taken.
CLOSE_S = 3.0

_P = ParamSpec("_P")
_R = TypeVar("_R")
_FAILED = (OutcomeClass.FAILED, OutcomeClass.HELD)
_W3C = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans around what it is given. Implements the Observer port too."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("igsend", __version__)
        self._pass: ContextVar[Span | None] = ContextVar("pass", default=None)

    def passing(
        self, process: Callable[[Delivery], Awaitable[None]]
    ) -> Callable[[Delivery], Awaitable[None]]:
        """Put a span around each pass: a child of the producer's span, and linked to it."""

        async def traced(delivery: Delivery) -> None:
            parent = _W3C.extract(trace_headers(delivery.properties.headers))
            producer = get_current_span(parent).get_span_context()
            span = self._tracer.start_span(
                f"process {delivery.queue}",
                context=parent,
                kind=SpanKind.CONSUMER,
                attributes=_of_delivery(delivery),
                links=[Link(producer)] if producer.is_valid else [],
            )
            with _current(span):
                self._pass.set(span)
                await process(delivery)

        return traced

    def step(self, name: str, call: Callable[_P, Awaitable[_R]]) -> Callable[_P, Awaitable[_R]]:
        """Put a span around each run of a step."""

        async def traced(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            with _current(self._tracer.start_span(name)):
                return await call(*args, **kwargs)

        return traced

    def graph(self, graph: Graph, *, host: str) -> Graph:
        """Put a span around each call to the API at `host`."""
        return _TracedGraph(graph, self, host)

    @contextmanager
    def calling(self, part: Part, *, host: str) -> Iterator[Span]:
        """Put a span around one call. Our context does not travel to the API."""
        span = self._tracer.start_span(
            "POST /{account_id}/messages",
            kind=SpanKind.CLIENT,
            attributes={
                "http.request.method": "POST",
                "server.address": host,
                "igsend.kind": part.kind.value,
            },
        )
        with _current(span):
            yield span

    def observe(self, report: Report) -> None:
        """Implement the Observer port: the span of the pass says how it ended."""
        span = self._pass.get()
        if span is None or not span.is_recording():
            return
        for name, value in facts_of(report).items():
            if isinstance(value, str | bool | int | float):
                span.set_attribute(f"igsend.{name}", value)
        if class_of(report.outcome) in _FAILED:
            span.set_status(Status(StatusCode.ERROR))

    def trace_id(self) -> str | None:
        """Give the trace that the pass belongs to: the producer's, or one of its own."""
        context = get_current_span().get_span_context()
        return format_trace_id(context.trace_id) if context.is_valid else None

    def headers(self) -> dict[str, str]:
        """Give the headers that carry the current span along with an outcome."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier

    async def close(self) -> None:
        """Have the last spans taken, if that can be done soon."""
        done = asyncio.Event()
        loop = asyncio.get_running_loop()

        def shut_down() -> None:
            self._provider.shutdown()
            loop.call_soon_threadsafe(done.set)

        # A daemon: a collector that is away must not hold up the end of the process.
        threading.Thread(target=shut_down, daemon=True).start()
        try:
            async with asyncio.timeout(CLOSE_S):
                await done.wait()
        except TimeoutError:
            return


class _TracedGraph:
    """Implements the Graph port by another one."""

    def __init__(self, graph: Graph, tracing: Tracing, host: str) -> None:
        self._graph = graph
        self._tracing = tracing
        self._host = host

    async def send(
        self,
        account: Account,
        part: Part,
        *,
        tag: Mapping[str, object],
        may_have_gone: bool,
        departure: Departure | None = None,
    ) -> SendResult:
        with self._tracing.calling(part, host=self._host) as span:
            result = await self._graph.send(
                account, part, tag=tag, may_have_gone=may_have_gone, departure=departure
            )
            _say(span, result)
        return result


def _say(span: Span, result: SendResult) -> None:
    name = type(result).__name__.lower()
    span.set_attribute("igsend.result", name)
    if isinstance(result, Sent | Missed):
        return
    error = result.error
    said = {
        "http.response.status_code": error.http_status,
        "igsend.code": error.code,
        "igsend.subcode": error.subcode,
        "igsend.fbtrace_id": error.fbtrace_id,
    }
    for key, value in said.items():
        if value is not None:
            span.set_attribute(key, value)
    span.set_attribute("error.type", name)
    span.set_status(Status(StatusCode.ERROR))


@contextmanager
def _current(span: Span) -> Iterator[None]:
    """Make the span the current one, then end it. Of an exception only its type is told."""
    with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise


def _of_delivery(delivery: Delivery) -> dict[str, AttributeValue]:
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": delivery.queue,
        "messaging.message.body.size": len(delivery.body),
        "igsend.redelivered": delivery.redelivered,
    }
