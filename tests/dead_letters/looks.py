"""Looks at dead letters again and again, is killed while looking, and changes nothing."""

import asyncio
import time
from dataclasses import dataclass
from random import Random

import aio_pika

from tests.dead_letters.report import Found
from tests.dead_letters.scene import Scene, a_scene
from tests.dead_letters.tool import Ended, dead, started
from tests.support.pacing import until

# One letter has been put back by the broker this often; another only says that it was.
_PUT_BACK = 50
_CLAIMS = {b"x-delivery-count": b"l" + (999_999).to_bytes(8)}
_CLAIMING = 5


@dataclass(frozen=True, slots=True)
class Sizes:
    """Each `kill_every`-th look is killed within `latest_s`; `at_once` run beside each other."""

    letters: int = 6000
    accounts: int = 10
    looks: int = 1000
    kill_every: int = 5
    latest_s: float = 1.5
    at_once: int = 2
    seed: int = 1


async def run(sizes: Sizes) -> Found:
    found = Found("looks")
    async with a_scene(accounts=sizes.accounts) as scene:
        await scene.fill(sizes.letters, claims={_CLAIMING: _CLAIMS})
        await _put_back(scene)
        found.figures["server"] = await _version(scene)
        found.troubles += await _look(scene, sizes)
        await scene.holds(sizes.letters)
        found.figures |= {"letters": sizes.letters, "looks": sizes.looks}
        found.figures["of them killed"] = sizes.looks // sizes.kill_every
        found.troubles += await scene.wrong_with_the_rest(set())
    return found


async def _look(scene: Scene, sizes: Sizes) -> list[str]:
    dice = Random(sizes.seed)
    free = asyncio.Semaphore(sizes.at_once)
    troubles: list[str] = []

    async def one(number: int) -> None:
        arguments = _arguments(scene, dice, number)
        async with free:
            if number % sizes.kill_every == 0:
                async with started(*arguments, settings=scene.settings):
                    await until(time.time() + dice.uniform(0.0, sizes.latest_s))
                return
            ended = await dead(*arguments, settings=scene.settings)
        troubles.extend(_wrong_with(ended, arguments))

    await asyncio.gather(*(one(number) for number in range(1, sizes.looks + 1)))
    return troubles[:5]


def _arguments(scene: Scene, dice: Random, number: int) -> tuple[str, ...]:
    """Vary how one looks: a page, a filter that reads everything, one whole letter, all queues."""
    letter = dice.choice(scene.wanted)
    return (
        ("show", "account", "--json"),
        ("show", "account", "--account", letter.account_id, "--limit", "500", "--json"),
        ("show", "account", "--id", letter.name, "--full"),
        ("ls", "--json"),
    )[number % 4]


def _wrong_with(ended: Ended, arguments: tuple[str, ...]) -> list[str]:
    said = " ".join(arguments)
    if ended.code != 0:
        return [f"`dead {said}` ended with {ended.code}: {ended.err[-300:]}"]
    return [] if ended.out.strip() else [f"`dead {said}` printed nothing"]


async def _put_back(scene: Scene) -> None:
    """Have the first letter returned by the broker many times, as by tools that crash."""
    async with await aio_pika.connect(scene.url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(scene.queue, ensure=False)
        for _ in range(_PUT_BACK):
            letter = await queue.get()
            await letter.nack(requeue=True)
    await scene.holds(len(scene.wanted))


async def _version(scene: Scene) -> str:
    async with await aio_pika.connect(scene.url) as connection:
        assert connection.transport is not None
        properties = connection.transport.connection.server_properties
        version = properties["version"]
        return f"RabbitMQ {version.decode() if isinstance(version, bytes) else version}"
