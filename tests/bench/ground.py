"""What all contenders share: a private broker and Redis, the sink, accounts without real limits."""

import json
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from pamqp.commands import Queue

from tests.bench.contenders import NAMES, OUTCOMES_QUEUE, Contender, Place
from tests.bench.sink import Sink, a_sink
from tests.replicas.loader import a_loader
from tests.replicas.windows import Allowed
from tests.replicas.work import account_ids, accounts_document
from tests.support.commands import run
from worker.local.rabbitmq import RabbitNode, private_rabbitmq
from worker.local.redis import RedisNode, private_redis
from worker.rabbit.declare import declare
from worker.rabbit.topology import topology_of

_NO_LIMITS = {name: Allowed(100_000, 1.0) for name in ("text", "media", "private_reply")}


@dataclass(frozen=True, slots=True)
class Ground:
    """The servers, up for the whole benchmark."""

    rabbit: RabbitNode
    redis: RedisNode
    sink: Sink
    folder: Path
    accounts: list[str]

    @property
    def pids(self) -> list[int]:
        """Everything that runs for the benchmark, the workers excepted."""
        return [*self.rabbit.pids, *self.redis.pids, self.sink.pid, os.getpid()]

    def place(self, *, in_flight: int, prefetch: int) -> Place:
        return Place(
            amqp_url=self.rabbit.amqp_url,
            redis_url=self.redis.url,
            sink_url=self.sink.url,
            accounts=self.folder / "accounts.json",
            in_flight=in_flight,
            prefetch=prefetch,
        )

    async def prepare(self, contender: Contender) -> None:
        """Declare what it needs, and empty it: queues, outcomes and Redis."""
        await _redis_flushed(self.redis)
        async with await aio_pika.connect(self.rabbit.amqp_url) as connection:
            await _declared(connection, contender)
            channel = await connection.channel()
            for name in self._queues(contender):
                await (await channel.get_queue(name, ensure=False)).purge()

    async def load(self, contender: Contender, requests: Iterable[bytes]) -> None:
        """Put all of them into its queues; returns when the broker has them on disk."""
        async with a_loader(self.rabbit.amqp_url) as loader:
            await loader.post_all(contender.letter(request) for request in requests)

    async def left(self, contender: Contender) -> dict[str, int]:
        """Count the messages that wait in each of its queues that is not empty."""
        async with await aio_pika.connect(self.rabbit.amqp_url) as connection:
            channel = await connection.channel()
            counts = {name: await _depth(channel, name) for name in self._queues(contender)}
        return {name: count for name, count in counts.items() if count}

    async def waiting(self) -> int:
        """Count the requests that no igsend worker has in hand yet and that are not parked."""
        names = (*NAMES.send_queues, NAMES.bulk_queue)
        async with await aio_pika.connect(self.rabbit.amqp_url) as connection:
            channel = await connection.channel()
            return sum([await _depth(channel, name) for name in names])

    async def is_consumed(self, contender: Contender, *, by: int = 1) -> bool:
        """Say whether so many workers consume all that its requests can come by."""
        names = NAMES.send_queues if contender.is_igsend else (contender.queue,)
        async with await aio_pika.connect(self.rabbit.amqp_url) as connection:
            channel = await connection.channel()
            counts = [(await _declaration(channel, name)).consumer_count for name in names]
        return all(count is not None and count >= by for count in counts)

    @staticmethod
    def _queues(contender: Contender) -> list[str]:
        if not contender.is_igsend:
            return [contender.queue]
        return [queue.name for queue in topology_of(NAMES).queues] + [OUTCOMES_QUEUE]


async def _declaration(channel: AbstractChannel, name: str) -> Queue.DeclareOk:
    return (await channel.declare_queue(name, passive=True)).declaration_result


async def _depth(channel: AbstractChannel, name: str) -> int:
    count = (await _declaration(channel, name)).message_count
    assert count is not None
    return count


async def _declared(connection: AbstractConnection, contender: Contender) -> None:
    channel = await connection.channel()
    if not contender.is_igsend:
        await channel.declare_queue(
            contender.queue, durable=True, arguments=dict(contender.arguments)
        )
        return
    assert connection.transport is not None
    await declare(connection.transport.connection, topology_of(NAMES))
    # Somebody listens to the outcomes: without a queue the broker would have nothing to write.
    outcomes = await channel.declare_queue(
        OUTCOMES_QUEUE, durable=True, arguments={"x-queue-type": "quorum"}
    )
    await outcomes.bind(NAMES.outcomes, "#")


async def _redis_flushed(node: RedisNode) -> None:
    finished = await run("redis-cli", "-u", node.url, "flushall")
    if finished.code != 0 or "OK" not in finished.out:
        raise RuntimeError(f"redis-cli flushall: {finished.out} {finished.err}")


@asynccontextmanager
async def a_ground(folder: Path, *, accounts: int) -> AsyncIterator[Ground]:
    """Start everything; files stay in `folder`."""
    names = account_ids(accounts)
    document = accounts_document(names, _NO_LIMITS)
    (folder / "accounts.json").touch(mode=0o600)
    (folder / "accounts.json").write_text(json.dumps(document))
    async with (
        private_rabbitmq() as rabbit,
        private_redis(persistence=True) as redis,
        a_sink(folder) as sink,
    ):
        yield Ground(rabbit, redis, sink, folder, names)
