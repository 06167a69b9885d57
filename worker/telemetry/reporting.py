"""Everything the worker tells about itself, in one place for the wiring: logs and metrics."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

import structlog
from yarl import URL

from worker import __version__
from worker.config import Config
from worker.core.delivery import Delivery
from worker.core.report import Report
from worker.ports import Graph
from worker.telemetry.closure_observer import ClosureObserver
from worker.telemetry.exception_text import stack_of
from worker.telemetry.loop_lag import LoopLag
from worker.telemetry.measured_graph import MeasuredGraph
from worker.telemetry.metrics import Gauges, Metrics
from worker.telemetry.metrics_observer import MetricsObserver
from worker.telemetry.observers import Observers
from worker.telemetry.sparse import Sparse
from worker.telemetry.token_expiry import TokenExpiry
from worker.telemetry.trace_context import trace_headers
from worker.telemetry.wide_event import LogObserver

if TYPE_CHECKING:
    from worker.telemetry.tracing.spans import Tracing

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Reporting:
    """The Observer of the pipeline, the observer of links and publishes, and the measurements."""

    def __init__(self, config: Config, tracing: "Tracing | None" = None) -> None:
        self._tracing = tracing
        self._host = str(URL(config.graph_url).host)
        self.metrics = Metrics(version=__version__, graph_version=config.graph_version)
        logs = LogObserver(tracing.trace_id if tracing else None)
        spans = [tracing] if tracing else []
        self._observers = Observers(
            [logs, MetricsObserver(self.metrics), ClosureObserver(), *spans]
        )
        self.tokens = TokenExpiry(self.metrics)
        self._lag = LoopLag()
        self._sparse = Sparse()

    def observe(self, report: Report) -> None:
        """Implement the Observer port: one log line, the counters, and news of accounts."""
        self._observers.observe(report)

    def receiving(self, submit: Callable[[Delivery], None]) -> Callable[[Delivery], None]:
        """Count each delivery, then hand it to `submit`."""

        def counted(delivery: Delivery) -> None:
            self.metrics.delivery_received(delivery.lane, redelivered=delivery.redelivered)
            submit(delivery)

        return counted

    def measured(self, graph: Graph) -> Graph:
        """Measure, and trace, every call that goes through the answer to `graph`."""
        measured = MeasuredGraph(graph, self.metrics)
        return self._tracing.graph(measured, host=self._host) if self._tracing else measured

    def passing(
        self, process: Callable[[Delivery], Awaitable[None]]
    ) -> Callable[[Delivery], Awaitable[None]]:
        """Trace each pass, if there is tracing."""
        return self._tracing.passing(process) if self._tracing else process

    def step(self, name: str, call: Callable[_P, Awaitable[_R]]) -> Callable[_P, Awaitable[_R]]:
        """Trace each run of a step of the pass, if there is tracing."""
        return self._tracing.step(name, call) if self._tracing else call

    def trace_headers(self, delivery: Delivery) -> Mapping[str, str]:
        """Give the headers that tell whoever gets the outcome which trace it belongs to."""
        if self._tracing:
            return self._tracing.headers()
        return trace_headers(delivery.properties.headers)

    async def close(self) -> None:
        """Have the last spans taken, if there is tracing."""
        if self._tracing:
            await self._tracing.close()

    async def measure(self, read: Callable[[], Gauges]) -> None:
        """Tick until cancelled: measure the loop and show what `read` gives. For `/livez` too."""

        def tick(lag_s: float) -> None:
            self.metrics.loop_lagged(lag_s)
            self.metrics.show(read())

        await self._lag.run(tick)

    def exposition(self) -> bytes:
        """Give what a scrape of `/metrics` reads."""
        return self.metrics.exposition()

    def tick_age_s(self) -> float:
        """Say how long ago the event loop last turned."""
        return self._lag.tick_age_s()

    def started(self, config: Config, *, port: int, accounts: int, worker: str | None) -> None:
        """Note the start; `worker` is what a shared gate calls this one."""
        structlog.get_logger().info(
            "worker started",
            version=__version__,
            worker=worker,
            http_port=port,
            accounts=accounts,
            settings=config.shown(),
        )

    def stopping(self, *, in_hand: int) -> None:
        structlog.get_logger().info("worker stopping", in_hand=in_hand)

    def stopped(self, *, is_clean: bool) -> None:
        log = structlog.get_logger()
        if is_clean:
            log.info("worker stopped", is_clean=is_clean)
        else:
            log.warning("worker stopped with work unsettled; the broker delivers it again")

    def link_changed(
        self, role: str, *, state: Literal["up", "down", "blocked"], detail: str
    ) -> None:
        """Note that a connection came, went, or is blocked by the broker."""
        self.metrics.show_connection(role, is_up=state != "down", is_blocked=state == "blocked")
        log = structlog.get_logger()
        write = log.info if state == "up" else log.warning
        write("connection to RabbitMQ", role=role, state=state, detail=detail or None)

    def publish_repeated(self, exchange: str, *, detail: str) -> None:
        """Note that a publish was refused or lost and is made again."""
        self.metrics.publish_repeated()
        self._warn("publish repeated", detail, exchange=exchange)

    def reply_dropped(self, *, detail: str) -> None:
        """Note that a reply_to address took no outcome; the outcomes exchange has it."""
        self.metrics.reply_dropped()
        self._warn("reply dropped", detail)

    def diversion_began(self, account_id: str, *, why: str) -> None:
        """Note that new messages of an account go to the bulk lane."""
        log = structlog.get_logger()
        log.info("account diverted to the bulk lane", account_id=account_id, why=why)

    def diversion_ended(self, account_id: str, *, why: str) -> None:
        """Note that new messages of an account come through the interactive lane again."""
        log = structlog.get_logger()
        log.info("account returned to the interactive lane", account_id=account_id, why=why)

    def diversion_refused(self, *, detail: str) -> None:
        """Note that the broker does not bind or unbind for this worker now."""
        structlog.get_logger().warning(
            "accounts that flood cannot be diverted, nor returned; the worker goes on without and "
            "tries again in 5 minutes. Let its user write to the exchange ig.bulk and read "
            "ig.requests (with your prefix), or set IGSEND_DIVERT=false",
            detail=detail,
        )

    def mishap(self, delivery: Delivery, error: Exception) -> None:
        """Note a bug. Where it happened is told, what the error says is not: it may quote."""
        self.metrics.mishap_happened()
        stack = stack_of(error)
        times = self._sparse.times(("mishap", stack))
        if times:
            structlog.get_logger().error(
                "the worker had an internal error; please report this as a bug",
                error=type(error).__name__,
                queue=delivery.queue,
                redelivered=delivery.redelivered,
                times=times,
                exception=stack,
            )

    def _warn(self, event: str, detail: str, **facts: str) -> None:
        times = self._sparse.times((event, detail, *facts.values()))
        if times:
            structlog.get_logger().warning(event, detail=detail, times=times, **facts)
