"""Measures every call to the API, around whatever makes it."""

import time
from collections.abc import Callable, Mapping

from worker.core.account import Account
from worker.core.request import Part
from worker.core.send_result import SendResult
from worker.ports import Departure, Graph
from worker.telemetry.metrics import Metrics


class MeasuredGraph:
    """Implements the Graph port by another one; a call that is cut has no latency."""

    def __init__(
        self, graph: Graph, metrics: Metrics, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._graph = graph
        self._metrics = metrics
        self._now = now

    async def send(
        self,
        account: Account,
        part: Part,
        *,
        tag: Mapping[str, object],
        may_have_gone: bool,
        departure: Departure | None = None,
    ) -> SendResult:
        started = self._now()
        self._metrics.api_call_started()
        try:
            result = await self._graph.send(
                account, part, tag=tag, may_have_gone=may_have_gone, departure=departure
            )
        finally:
            self._metrics.api_call_left()
        self._metrics.api_call_answered(result, after_s=self._now() - started)
        return result
