"""The whole pipeline on fakes and the real memory gate, for tests of its behaviour."""

import asyncio
from typing import Any

import orjson

from tests.support.fakes import (
    FakeAccounts,
    FakeClock,
    FakeConversations,
    FakeGraph,
    FakeObserver,
    FakePublisher,
    FakeReceipts,
)
from worker.contract.validator import RequestValidator
from worker.core.account import Account
from worker.core.delivery import Delivery, Lane, Properties
from worker.core.problem import Problem
from worker.core.progress import Progress
from worker.core.retry import RetryPolicy
from worker.core.secret import Secret
from worker.gate.memory.gate import MemoryGate
from worker.pipeline.admit import Admitter
from worker.pipeline.check_media import MediaCheck
from worker.pipeline.consume import Consumer
from worker.pipeline.drain import Drain
from worker.pipeline.permits import LEAVING, Permits
from worker.pipeline.process import Process, Steps
from worker.pipeline.read import Reader
from worker.pipeline.second_chance import SecondChance
from worker.pipeline.send import Sender
from worker.pipeline.settle import Settler
from worker.pipeline.verify import Verifier

ACCOUNT = "17841405822304914"


def a_body(**fields: Any) -> bytes:
    """A valid text request as bytes; give None to leave a field out."""
    document = {
        "id": "crm-1",
        "account_id": ACCOUNT,
        "recipient": {"id": "6789012345"},
        "message": {"text": "Your order is on its way."},
        **fields,
    }
    return orjson.dumps({name: value for name, value in document.items() if value is not None})


def a_delivery(
    body: bytes | None = None,
    *,
    progress: Progress | Problem | None = None,
    redelivered: bool = False,
    reply_to: str | None = None,
    **fields: Any,
) -> Delivery:
    """A delivery of `body`, or of a valid request with `fields`."""
    return Delivery(
        body=a_body(**fields) if body is None else body,
        queue="ig.send.v1.03",
        lane=Lane.INTERACTIVE,
        redelivered=redelivered,
        properties=Properties(reply_to=reply_to),
        progress=progress or Progress(),
    )


class Pipeline:
    """`await pipeline(delivery)` takes one delivery all the way."""

    def __init__(
        self,
        *,
        max_attempts: int = 8,
        concurrency: int = 100,
        leaving: int = LEAVING,
        media: MediaCheck | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.accounts = FakeAccounts({ACCOUNT: Account(ACCOUNT, Secret("IGAAtoken"))})
        self.graph = FakeGraph()
        self.conversations = FakeConversations()
        self.publisher = FakePublisher()
        self.receipts = FakeReceipts(self.publisher.log)
        self.observer = FakeObserver()
        self.drain = Drain()
        self.mishaps: list[Exception] = []
        self.gate = MemoryGate(self.clock, margin=0.03, keep_s=172_800.0, most=1000)
        policy = RetryPolicy(max_attempts=max_attempts)
        settler = Settler(self.gate, self.publisher, self.receipts, self.clock, self.observer)
        self.permits = Permits(concurrency, leaving=leaving)
        self.process = Process(
            Steps(
                Reader(RequestValidator(), self.clock),
                Admitter(self.accounts, self.gate, self.drain, media),
                Verifier(self.conversations, self.gate, self.gate, self.clock, policy=policy),
                Sender(
                    self.graph,
                    self.gate,
                    self.clock,
                    self.drain,
                    SecondChance(self.accounts, self.clock),
                    policy=policy,
                ),
                settler,
                settler.refuse,
            ),
            self.permits,
            now=self.clock.now,
            on_mishap=self._note,
        )
        self.consumer = Consumer(self.process, self.receipts, self.drain, on_failure=self._note)

    async def __call__(self, delivery: Delivery) -> None:
        async with asyncio.timeout(30):
            await self.process(delivery)

    def come_back(self, index: int = -1) -> Delivery:
        """The parked copy as the broker delivers it after its delay; time moves on to then."""
        delivery, progress, delay_s = self.publisher.parked[index]
        self.clock.time += delay_s
        return Delivery(
            delivery.body,
            delivery.queue,
            delivery.lane,
            redelivered=False,
            properties=delivery.properties,
            progress=progress._replace(is_republished=True),
        )

    def _note(self, _: Delivery, error: Exception) -> None:
        self.mishaps.append(error)
