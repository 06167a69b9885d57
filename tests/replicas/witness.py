"""Hears every outcome that is published, and so knows when all requests have ended."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import aio_pika
import orjson
from aio_pika.abc import AbstractIncomingMessage

from worker.rabbit.names import Names


class Witness:
    """`outcomes` has the statuses by request id, in the order they came."""

    def __init__(self) -> None:
        self.outcomes: dict[str, list[str]] = {}
        self._heard = asyncio.Event()

    async def hear(self, message: AbstractIncomingMessage) -> None:
        document = orjson.loads(message.body)
        status = document["status"]
        reason = document.get("reason")
        said = f"{status}:{reason}" if reason else status
        self.outcomes.setdefault(document["id"], []).append(said)
        self._heard.set()

    async def wait_for(self, names: Iterable[str], *, within_s: float) -> set[str]:
        """Wait until each has an outcome; give those that had none in time."""
        missing = set(names) - self.outcomes.keys()
        try:
            async with asyncio.timeout(within_s):
                while missing := missing - self.outcomes.keys():
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            return missing - self.outcomes.keys()
        return set()

    def tally(self) -> Counter[str]:
        """Count the first outcomes by what they say."""
        return Counter(said[0] for said in self.outcomes.values())


@asynccontextmanager
async def a_witness(
    amqp_url: str, names: Names, *, accounts: Iterable[str] = ("#",)
) -> AsyncIterator[Witness]:
    """Listen from now on to these accounts, or to all; the topology must be there."""
    witness = Witness()
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        for account_id in accounts:
            await queue.bind(names.outcomes, routing_key=f"*.{account_id}")
        await queue.consume(witness.hear, no_ack=True)
        yield witness
