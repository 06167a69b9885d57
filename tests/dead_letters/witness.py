"""Hears every outcome, and of which replays it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import orjson
from aio_pika.abc import AbstractIncomingMessage

from tests.dead_letters.scene import Scene
from tests.replicas.witness import Witness


class ReplayWitness(Witness):
    """`batches` are all replays that had an outcome."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: set[str] = set()

    async def hear(self, message: AbstractIncomingMessage) -> None:
        replay = orjson.loads(message.body)["replay"]
        if replay is not None:
            self.batches.add(replay["batch"])
        await super().hear(message)


@asynccontextmanager
async def a_replay_witness(scene: Scene) -> AsyncIterator[ReplayWitness]:
    """Listen from now on."""
    witness = ReplayWitness()
    async with await aio_pika.connect(scene.url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(scene.names.outcomes, routing_key="#")
        await queue.consume(witness.hear, no_ack=True)
        yield witness
