"""How fast the client publishes, next to raw aio-pika: `python -m tests.bench.client_rate`.

Both publish the same requests with confirms, mandatory and persistent, 500 under way at most, to a
private broker; the client checks each against the contract besides. "listens" is a client that can
be asked for the outcomes too.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from statistics import median

import aio_pika
import orjson

from worker.client import Client, Receipt, request, text
from worker.client.client import WINDOW
from worker.local.rabbitmq import private_rabbitmq
from worker.rabbit.declare import declare
from worker.rabbit.names import Names
from worker.rabbit.topology import topology_of
from worker.rabbit.wire.connection import connect

REQUESTS = 10_000
ROUNDS = 5
NAMES = Names("ig", 8)
Publish = Callable[[str, Sequence[dict[str, object]]], Awaitable[float]]


def requests(number: int) -> list[dict[str, object]]:
    """Give as many requests over 100 accounts."""
    return [
        request(f"178414{n % 100:011}", f"{n}", text("Your order is on its way."))
        for n in range(number)
    ]


async def by_client(url: str, sent: Sequence[dict[str, object]], *, listens: bool = False) -> float:
    async with Client(url, listens=listens) as igsend:
        started = time.perf_counter()
        results = [result async for result in igsend.send_all(sent)]
        took_s = time.perf_counter() - started
    assert all(isinstance(result, Receipt) for result in results)
    return len(sent) / took_s


async def by_aio_pika(url: str, sent: Sequence[dict[str, object]]) -> float:
    async with await aio_pika.connect_robust(url) as connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange(NAMES.requests, ensure=False)
        window = asyncio.Semaphore(WINDOW)

        async def publish(document: dict[str, object]) -> None:
            async with window:
                message = aio_pika.Message(
                    orjson.dumps(document),
                    content_type="application/json",
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                )
                key = str(document["account_id"])
                await exchange.publish(message, routing_key=key, mandatory=True)

        started = time.perf_counter()
        await asyncio.gather(*map(publish, sent))
        return len(sent) / (time.perf_counter() - started)


async def purged(url: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for queue in NAMES.send_queues:
            await (await channel.get_queue(queue, ensure=False)).purge()


async def main() -> None:
    sent = requests(REQUESTS)
    contenders: dict[str, Publish] = {
        "client": by_client,
        "listens": partial(by_client, listens=True),
        "aio-pika": by_aio_pika,
    }
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    async with private_rabbitmq() as node:
        connection, wire = await connect(node.amqp_url, client_properties={}, timeout_s=10)
        await declare(wire.connection, topology_of(NAMES))
        await connection.close()
        for _ in range(ROUNDS):
            for name, publish in contenders.items():
                rates[name].append(await publish(node.amqp_url, sent))
                await purged(node.amqp_url)
    for name, found in rates.items():
        all_of_them = ", ".join(f"{rate:,.0f}" for rate in found)
        sys.stdout.write(f"{name:9} {median(found):8,.0f} requests/s   ({all_of_them})\n")
    for name in ("client", "listens"):
        ratio = median(a / b for a, b in zip(rates[name], rates["aio-pika"], strict=True))
        sys.stdout.write(f"{name} / aio-pika, median of the rounds: {ratio:.2f}\n")


if __name__ == "__main__":
    asyncio.run(main())
