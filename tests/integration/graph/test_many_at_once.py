"""Hundreds of calls that begin at once, each on a new connection: all of them leave."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any, NamedTuple

from tests.integration.graph.calls import SUCCESS, a_client
from tests.support.fakes import (
    FakeAccounts,
    FakeConversations,
    FakeObserver,
    FakePublisher,
    FakeReceipts,
)
from tests.support.pipeline import ACCOUNT, a_delivery
from tests.support.raw_http import Exchange, Peer, raw_peer
from worker.clock import SystemClock
from worker.contract.validator import RequestValidator
from worker.core.account import Account
from worker.core.delivery import Delivery
from worker.core.kind import Bucket
from worker.core.outcome_event import Status
from worker.core.rate_limit import parse_limit
from worker.core.request import Part
from worker.core.retry import RetryPolicy
from worker.core.secret import Secret
from worker.core.send_result import SendResult
from worker.gate.memory.gate import MemoryGate
from worker.graph.client import GraphClient
from worker.pipeline.admit import Admitter
from worker.pipeline.drain import Drain
from worker.pipeline.permits import LEAVING, Permits
from worker.pipeline.process import Process, Steps
from worker.pipeline.read import Reader
from worker.pipeline.second_chance import SecondChance
from worker.pipeline.send import Sender
from worker.pipeline.settle import Settler
from worker.pipeline.verify import Verifier
from worker.ports import Departure, Graph

CALLS = 400


class Doorkeeper:
    """Passes calls on, and counts how many have begun and not left, at the most."""

    def __init__(self, graph: GraphClient) -> None:
        self._graph = graph
        self._inside: set[int] = set()
        self._calls = count()
        self.most = 0
        self.is_crowded = asyncio.Event()

    async def send(
        self, account: Account, part: Part, *, departure: Departure | None = None, **how: Any
    ) -> SendResult:
        assert departure is not None, "each has its slot"
        call = next(self._calls)

        def left() -> None:
            self._inside.discard(call)
            departure.left()

        self._inside.add(call)
        self.most = max(self.most, len(self._inside))
        if self.most > LEAVING:
            self.is_crowded.set()
        try:
            return await self._graph.send(
                account, part, departure=departure._replace(left=left), **how
            )
        finally:
            self._inside.discard(call)


def a_process(graph: Graph, publisher: FakePublisher, *, leaving: int) -> Process:
    clock, drain, policy = SystemClock(), Drain(), RetryPolicy()
    gate = MemoryGate(clock, margin=0.03, keep_s=3600.0, most=10_000)
    limits = {Bucket.TEXT: parse_limit("100000/s")}
    accounts = FakeAccounts({ACCOUNT: Account(ACCOUNT, Secret("IGAAtoken"), limits=limits)})
    receipts = FakeReceipts(publisher.log)

    def on_mishap(_: Delivery, error: Exception) -> None:
        raise error

    settler = Settler(gate, publisher, receipts, clock, FakeObserver())
    steps = Steps(
        Reader(RequestValidator(), clock),
        Admitter(accounts, gate, drain),
        Verifier(FakeConversations(), gate, gate, clock, policy=policy),
        Sender(graph, gate, clock, drain, SecondChance(accounts, clock), policy=policy),
        settler,
        settler.refuse,
    )
    return Process(steps, Permits(CALLS, leaving=leaving), now=clock.now, on_mishap=on_mishap)


class Scene(NamedTuple):
    peer: Peer
    publisher: FakePublisher
    doorkeeper: Doorkeeper
    calls: list[asyncio.Task[None]]


@asynccontextmanager
async def many_calls(*, leaving: int) -> AsyncIterator[Scene]:
    """Begin all calls at once; the server answers when it has them all."""
    all_came = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await exchange.read_request()
        if len(peer.requests) == CALLS:
            all_came.set()
        await all_came.wait()
        await exchange.answer(200, SUCCESS)

    async with raw_peer(answer) as peer, a_client(peer.url, text_timeout_s="300") as client:
        publisher, doorkeeper = FakePublisher(), Doorkeeper(client)
        process = a_process(doorkeeper, publisher, leaving=leaving)
        async with asyncio.timeout(150), asyncio.TaskGroup() as group:
            deliveries = (
                a_delivery(id=f"r-{number}", recipient={"id": f"60000{number}"})
                for number in range(CALLS)
            )
            calls = [group.create_task(process(delivery)) for delivery in deliveries]
            yield Scene(peer, publisher, doorkeeper, calls)


async def test_only_a_few_calls_are_on_their_way_to_their_first_byte() -> None:
    # Each holds the others up, and a slot does not wait.
    async with many_calls(leaving=LEAVING) as scene:
        await asyncio.gather(*scene.calls)
    assert len(scene.peer.requests) == CALLS
    assert {event.status for event, _ in scene.publisher.announced} == {Status.SENT}
    assert scene.doorkeeper.most <= LEAVING


async def test_without_a_door_hundreds_are_on_their_way_at_once() -> None:
    # Shows that the other test measures something; whether they leave in the end is not certain.
    async with many_calls(leaving=CALLS) as scene:
        await scene.doorkeeper.is_crowded.wait()
        for call in scene.calls:
            call.cancel()
