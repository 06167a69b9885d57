"""The outcomes of a replay, as the workers announce them."""

import asyncio
from dataclasses import dataclass, field

import orjson

from worker.rabbit.names import Names
from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.deliveries import Deliveries, Incoming

RPC_TIMEOUT_S = 30.0
_PREFETCH = 1000


@dataclass(slots=True)
class Outcomes:
    """What became of the requests of one batch: their status by id."""

    batch: str
    status: dict[str, str] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, wire: Wire, names: Names) -> None:
        """Listen from now on, with a queue that goes with the connection."""
        channel = await wire.connection.channel(publisher_confirms=False)
        declared = await channel.queue_declare(
            "", exclusive=True, auto_delete=True, timeout=RPC_TIMEOUT_S
        )
        queue = declared.queue
        assert queue is not None, "the broker names it"
        await channel.queue_bind(queue, names.outcomes, routing_key="#", timeout=RPC_TIMEOUT_S)
        Deliveries(wire, channel, self.take)
        await channel.basic_qos(prefetch_count=_PREFETCH, timeout=RPC_TIMEOUT_S)
        await channel.basic_consume(queue, _not_by_aiormq, timeout=RPC_TIMEOUT_S)

    async def of(self, ids: set[str], *, patience_s: float) -> set[str]:
        """Wait for all of them; give those that have none when none came for `patience_s`."""
        while missing := ids - self.status.keys():
            self.news.clear()
            try:
                async with asyncio.timeout(patience_s):
                    await self.news.wait()
            except TimeoutError:
                return missing
        return set()

    def take(self, message: Incoming) -> None:
        message.receipt.ack()
        # Most are of other requests: not worth reading.
        if self.batch.encode() not in message.body:
            return
        match _event_in(message.body):
            case {"id": str(id), "status": str(status), "replay": {"batch": self.batch}}:
                self.status[id] = status
                self.news.set()
            case _:
                pass


def _event_in(body: bytes) -> object:
    """Anybody may publish to the exchange: what is no JSON is no event."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


async def _not_by_aiormq(_: object) -> None:
    raise AssertionError("deliveries of this channel take the short way")
