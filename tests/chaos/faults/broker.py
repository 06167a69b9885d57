"""What happens to RabbitMQ: it goes, drops connections, channels and consumers, or says "stop"."""

import time
from dataclasses import dataclass
from random import Random

import aio_pika

from tests.chaos.faults.fault import Struck, away, lasting
from tests.chaos.stage import Stage
from tests.support.pacing import until
from worker.rabbit.topology import topology_of

# What RabbitMQ 3.10 was told less than a second ago does not survive its crash.
_DECLARED_SAFELY_S = 4.0
_WATERMARK = ("set_vm_memory_high_watermark", "absolute", "1GB")
# As if the client at the other end had asked for a queue that does not exist.
_ASK_FOR_WHAT_IS_NOT_THERE = """
[rabbit_channel_common:do(Channel,
    {'queue.declare', 0, <<"no such queue">>, true, false, false, false, false, []})
 || Channel <- rabbit_channel:list()].
"""


@dataclass(frozen=True, slots=True)
class BrokerRestarted:
    """Stopped in order, away for a while, and back with its data."""

    kind: str = "broker: restart"
    lanes: tuple[str, ...] = ("broker",)
    weight: float = 0.8

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        await stage.rabbit.stop()
        return await away(stage, dice.choice((0.0, 4.0)), stage.rabbit.start)


@dataclass(frozen=True, slots=True)
class BrokerKilled:
    """SIGKILL of the broker, and back with what it had confirmed."""

    kind: str = "broker: SIGKILL"
    lanes: tuple[str, ...] = ("broker",)
    weight: float = 0.8

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        await until(stage.declared_at + _DECLARED_SAFELY_S)
        await stage.rabbit.kill()
        return await away(stage, dice.choice((0.0, 4.0)), stage.rabbit.start)


@dataclass(frozen=True, slots=True)
class ConnectionsClosed:
    """An operator closes every connection."""

    kind: str = "broker: connections closed"
    lanes: tuple[str, ...] = ("broker",)
    weight: float = 1.5

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        await stage.rabbit.control("close_all_connections", "closed by a test")
        return Struck()


@dataclass(frozen=True, slots=True)
class ChannelsClosed:
    """The broker closes every channel for an error, with what was unacked on it."""

    kind: str = "broker: channels closed"
    lanes: tuple[str, ...] = ("broker",)
    weight: float = 1.5

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        await stage.rabbit.control("eval", _ASK_FOR_WHAT_IS_NOT_THERE)
        return Struck()


@dataclass(frozen=True, slots=True)
class QueueDeleted:
    """A queue is deleted, so its consumers are cancelled, and declared again after a while.

    It is a partition without requests: what the test itself deletes it could not miss.
    """

    kind: str
    for_s: float
    weight: float = 1.0
    lanes: tuple[str, ...] = ("broker", "worker")

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        name = stage.spare_queue
        (queue,) = (q for q in topology_of(stage.site.names).queues if q.name == name)
        # One that has not connected for the first time would take it for a wrong set-up and end.
        await stage.crew.ready()
        async with await aio_pika.connect(stage.rabbit.amqp_url) as connection:
            channel = await connection.channel()
            await channel.queue_delete(name)
            try:
                await lasting(self.for_s)
            finally:
                await channel.declare_queue(name, durable=True, arguments=dict(queue.arguments))
                stage.declared_at = time.time()
        return Struck()


@dataclass(frozen=True, slots=True)
class MemoryAlarm:
    """The broker has no memory left and lets nobody publish."""

    kind: str = "broker: memory alarm"
    lanes: tuple[str, ...] = ("broker",)
    weight: float = 1.0

    async def inject(self, stage: Stage, dice: Random) -> Struck:
        await stage.rabbit.control("set_vm_memory_high_watermark", "0.0001")
        return await away(stage, dice.choice((1.0, 4.0)), lambda: stage.rabbit.control(*_WATERMARK))
