"""What lies in the queues at the end: dead letters only, each known by its id."""

import json
from collections import defaultdict

import aio_pika

from tests.chaos.books import Letters
from tests.support.raw_amqp import raw_amqp
from worker.core.reason import Reason
from worker.rabbit.names import DELAY_LEVELS, Names


async def waiting(amqp_url: str, names: Names) -> dict[str, int]:
    """Count what is ready in each intake and delay queue that is not empty."""
    found = {}
    queues = [*names.intake, *(names.delay(level) for level in range(DELAY_LEVELS))]
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        for name in queues:
            queue = await channel.declare_queue(name, passive=True)
            if ready := queue.declaration_result.message_count:
                found[name] = ready
    return found


async def collected(amqp_url: str, names: Names) -> Letters:
    """Take all dead letters, and count what is left in the other queues."""
    dead: dict[str, list[str]] = defaultdict(list)
    async with raw_amqp(amqp_url) as client:
        for reason in Reason:
            for letter in await client.drain(names.dead_queue(reason)):
                dead[json.loads(letter.body)["id"]].append(reason.value)
    return Letters(dead, await waiting(amqp_url, names))
