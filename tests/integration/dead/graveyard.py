"""What lies in a dead-letter queue before and after, byte for byte and in order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aio_pika

from tests.dead_letters.letters import Wanted, letters, written
from tests.dead_letters.queues import Taken, digest_of, emptied, ready
from tests.support.nodes import Broker
from tests.support.raw_amqp import RawMessage, raw_amqp
from worker.core.reason import Reason
from worker.dead import DeadLetters
from worker.rabbit.declare import declare
from worker.rabbit.names import Names
from worker.rabbit.topology import topology_of

ACCOUNTS = ["17841400000000001", "17841400000000002", "17841400000000003"]
COUNT = 90


@dataclass(slots=True)
class Graveyard:
    """The broker, and what was buried there: digests by id, in order."""

    broker: Broker
    names: Names
    buried: dict[str, bytes] = field(default_factory=dict)
    wanted: list[Wanted] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.broker.amqp_url

    @property
    def queue(self) -> str:
        return self.names.dead_queue(Reason.ACCOUNT)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "IGSEND_AMQP_URL": self.url,
            "IGSEND_PREFIX": self.names.prefix,
            "IGSEND_PARTITIONS": str(self.names.partitions),
        }

    def of(self, account: str) -> list[str]:
        """The ids of its letters, in order."""
        return [each.name for each in self.wanted if each.account_id == account]

    @asynccontextmanager
    async def tool(self) -> AsyncIterator[DeadLetters]:
        async with DeadLetters.connected(self.url, self.names) as letters:
            yield letters

    async def bury(self, *wanted: Wanted) -> None:
        """Put letters into the queue, behind those that lie there."""
        async with raw_amqp(self.url) as client:
            for each in wanted:
                message = written(each, self.names).message
                self.buried[each.name] = digest_of(message)
                await client.publish(message, exchange="", routing_key=self.queue)
        self.wanted += wanted

    async def bury_raw(self, message: RawMessage, reason: Reason) -> None:
        """Put anything into the queue of a reason."""
        async with raw_amqp(self.url) as client:
            await client.publish(message, exchange="", routing_key=self.names.dead_queue(reason))

    async def ready(self) -> int:
        return await ready(self.url, self.queue)

    async def replayed(self) -> list[Taken]:
        """Take what came to the bulk lane."""
        return await emptied(self.url, self.names.bulk_queue)

    async def has_left(self, *gone: str) -> None:
        """Empty the queue, and check that all but those gone are there as they were."""
        found = await emptied(self.url, self.queue)
        expected = {name: digest for name, digest in self.buried.items() if name not in gone}
        assert [taken.id for taken in found] == list(expected)
        assert [taken.digest for taken in found] == list(expected.values())


@asynccontextmanager
async def a_graveyard(broker: Broker, *, count: int = COUNT) -> AsyncIterator[Graveyard]:
    graveyard = Graveyard(broker, Names(broker.prefix, 2))
    async with await aio_pika.connect(broker.amqp_url) as connection:
        assert connection.transport is not None
        await declare(connection.transport.connection, topology_of(graveyard.names))
    await graveyard.bury(*letters(count, ACCOUNTS))
    yield graveyard
