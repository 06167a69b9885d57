"""What a diverted account still has in an interactive queue is moved; nothing else is."""

from dataclasses import replace

import pytest

from tests.support.builders import ACCOUNT_ID, a_delivery
from tests.support.fakes import FakePublisher, FakeReceipts
from worker.core.delivery import Delivery, Lane
from worker.core.progress import Progress
from worker.pipeline.divert import Divert


class Site:
    def __init__(self, *diverted: str) -> None:
        self.processed: list[Delivery] = []
        self.publisher = FakePublisher()
        self.receipts = FakeReceipts(self.publisher.log)
        self.divert = Divert(self._process, diverted.__contains__, self.publisher, self.receipts)

    async def _process(self, delivery: Delivery) -> None:
        self.processed.append(delivery)


OF_THE_ACCOUNT = replace(a_delivery(), routing_key=ACCOUNT_ID)


async def test_a_delivery_of_a_diverted_account_is_published_then_acked() -> None:
    site = Site(ACCOUNT_ID)
    await site.divert(OF_THE_ACCOUNT)
    assert site.publisher.diverted == [OF_THE_ACCOUNT]
    assert site.publisher.log == ["divert", "ack"]
    assert not site.processed


@pytest.mark.parametrize(
    "delivery",
    [
        replace(OF_THE_ACCOUNT, routing_key="1784999"),
        replace(OF_THE_ACCOUNT, lane=Lane.BULK),
        replace(OF_THE_ACCOUNT, progress=Progress(is_republished=True)),
    ],
    ids=["another account", "in bulk already", "parked by us"],
)
async def test_any_other_delivery_is_processed(delivery: Delivery) -> None:
    site = Site(ACCOUNT_ID)
    await site.divert(delivery)
    assert site.processed == [delivery]
    assert not site.publisher.log
