"""The broker goes away while the client publishes: `python -m tests.e2e.client_restart`.

A worker sends what arrives to the sandbox meanwhile. Says how many of the requests were taken,
ended, and arrived there, and how often.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.support.nodes import Broker, RabbitServer, installation
from tests.support.system import System, running_system
from tests.support.waiting import eventually
from worker.client import Client, Receipt, request, text
from worker.local.rabbitmq import RabbitNode, private_rabbitmq

How = Literal["restart", "kill"]

ACCOUNTS = [f"17841400001{number:06}" for number in range(50)]
QUEUE = "shop.outcomes"
# Between two outcomes, also while the broker is away.
OUTCOMES_WITHIN_S = 90.0


@dataclass(frozen=True, slots=True)
class Books:
    """What became of the requests: those that were taken, ended as sent, and arrived at the API."""

    published: int
    taken: int
    sent: int
    arrived: Counter[str]
    seconds: float

    @property
    def twice(self) -> int:
        return sum(count > 1 for count in self.arrived.values())

    def __str__(self) -> str:
        return (
            f"{self.published} published: {self.taken} taken by RabbitMQ, {self.sent} ended as "
            f"sent, {len(self.arrived)} arrived at the API, {self.twice} of them twice "
            f"({self.seconds:.0f} s)"
        )


async def broken_off(count: int, how: How, folder: Path) -> Books:
    """Send `count` requests, and take the broker away when half of them are confirmed."""
    async with private_rabbitmq(installation=installation()) as node:
        broker = Broker(node.amqp_url, "ig", "/", RabbitServer(node.amqp_url, node))
        tokens = {account: f"IGAA{account}" for account in ACCOUNTS}
        async with running_system(broker, folder, tokens) as system:
            async with Client(node.amqp_url) as igsend, igsend.outcomes(QUEUE):
                pass
            # A queue that was just declared would not survive a SIGKILL (RabbitMQ 3.10).
            await node.restart()
            await eventually(system.worker.is_ready)
            return await _books(system, node, count, how)


async def _books(system: System, node: RabbitNode, count: int, how: How) -> Books:
    started = time.monotonic()
    requests = [
        request(ACCOUNTS[n % len(ACCOUNTS)], f"{n + 1}", text("On its way."), id=f"order-{n}")
        for n in range(count)
    ]
    async with Client(node.amqp_url, listens=False) as igsend, asyncio.TaskGroup() as tasks:
        hearing = tasks.create_task(_sent(igsend, count))
        taken = 0
        async for result in igsend.send_all(requests, timeout=120):
            taken += isinstance(result, Receipt)
            if taken == count // 2:
                tasks.create_task(_away(node, how))
        sent = await hearing
    arrived: list[dict[str, Any]] = []
    for account in ACCOUNTS:
        arrived += await system.sandbox.messages(account)
    return Books(
        published=count,
        taken=taken,
        sent=sent,
        arrived=Counter(each["recipient_id"] for each in arrived),
        seconds=time.monotonic() - started,
    )


async def _sent(igsend: Client, count: int) -> int:
    """Count the requests that ended as sent, until all have or for too long none did.

    By a queue of a service's own: what a receipt waits for may be lost with the broker.
    """
    ended: set[str | None] = set()
    with suppress(TimeoutError):
        async with igsend.outcomes(QUEUE) as outcomes:
            while len(ended) < count:
                async with asyncio.timeout(OUTCOMES_WITHIN_S):
                    outcome = await anext(outcomes)
                if outcome.is_sent:
                    ended.add(outcome.id)
    return len(ended)


async def _away(node: RabbitNode, how: How) -> None:
    if how == "restart":
        await node.restart()
    else:
        await node.kill()
        await node.start()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    chosen = parser.parse_args()
    hows: tuple[How, ...] = ("restart", "kill")
    for how in hows:
        with tempfile.TemporaryDirectory() as folder:
            books = asyncio.run(broken_off(chosen.requests, how, Path(folder)))
        sys.stdout.write(f"{how}: {books}\n")


if __name__ == "__main__":
    main()
