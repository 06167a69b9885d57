"""Calls are counted while they are open, and timed by what they came to."""

import asyncio
from collections.abc import Mapping

import pytest

from tests.support.builders import a_request, an_account
from tests.telemetry.samples import sample, some_metrics
from worker.core.account import Account
from worker.core.request import Part
from worker.core.send_result import SendResult, Sent
from worker.ports import Departure
from worker.telemetry.measured_graph import MeasuredGraph

[PART] = a_request().parts
TAG = {"tag": "HUMAN_AGENT"}


class HeldGraph:
    """Answers when told to."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.answer: asyncio.Future[SendResult] = asyncio.get_running_loop().create_future()
        self.arguments: tuple[object, ...] = ()

    async def send(
        self,
        account: Account,
        part: Part,
        *,
        tag: Mapping[str, object],
        may_have_gone: bool,
        departure: Departure | None = None,
    ) -> SendResult:
        self.arguments = (account, part, tag, may_have_gone, departure)
        self.called.set()
        return await self.answer


async def test_call_is_in_flight_until_its_answer_and_passes_everything_on() -> None:
    graph, metrics, account = HeldGraph(), some_metrics(), an_account()
    measured = MeasuredGraph(graph, metrics, now=iter([10.0, 10.75]).__next__)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        call = tasks.create_task(measured.send(account, PART, tag=TAG, may_have_gone=True))
        await graph.called.wait()
        assert sample(metrics, "igsend_api_calls_in_flight") == 1
        graph.answer.set_result(Sent("mid", "person"))
    assert call.result() == Sent("mid", "person")
    assert graph.arguments == (account, PART, TAG, False, None)
    assert sample(metrics, "igsend_api_calls_in_flight") == 0
    assert sample(metrics, "igsend_api_call_seconds_sum", result="sent") == 0.75


async def test_call_that_is_cut_is_no_longer_in_flight_and_has_no_latency() -> None:
    graph, metrics = HeldGraph(), some_metrics()
    measured = MeasuredGraph(graph, metrics)
    call = asyncio.create_task(measured.send(an_account(), PART, tag={}, may_have_gone=False))
    async with asyncio.timeout(10):
        await graph.called.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert sample(metrics, "igsend_api_calls_in_flight") == 0
    assert sample(metrics, "igsend_api_call_seconds_count", result="unknown") == 0
