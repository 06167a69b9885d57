"""Two copies of each letter, as a tool leaves them that is killed before its ack and run again."""

from collections import Counter

import aio_pika
import orjson
import pytest
from aio_pika.abc import AbstractIncomingMessage

from tests.dead_letters.letters import replayed
from tests.dead_letters.scene import a_scene_with_workers
from tests.replicas.loader import a_loader
from tests.replicas.windows import Allowed
from tests.support.nodes import require_rabbitmq, require_redis
from tests.support.waiting import eventually
from worker.core.replay import Replay

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120)]

LETTERS = 150
KILLED, AGAIN = Replay("killed", 1, "ada"), Replay("again", 1, "ada")


async def test_two_copies_of_a_letter_are_sent_once_and_each_replay_hears_of_it() -> None:
    require_rabbitmq()
    require_redis()
    told: Counter[tuple[str, str, str]] = Counter()

    async def hear(message: AbstractIncomingMessage) -> None:
        event = orjson.loads(message.body)
        told[event["id"], event["replay"]["batch"], event["status"]] += 1

    # Slower than they come, so that some are in hand, some parked, and some sent when a twin comes.
    limits = {"text": Allowed(40, 1.0)}
    async with a_scene_with_workers(accounts=2, limits=limits) as (scene, site):
        await scene.fill(LETTERS)
        async with site.fleet(), await aio_pika.connect(scene.url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(scene.names.outcomes, "#")
            await queue.consume(hear, no_ack=True)
            async with a_loader(scene.url) as loader:
                first = [replayed(each, scene.names, KILLED) for each in scene.wanted]
                second = [replayed(each, scene.names, AGAIN) for each in scene.wanted]
                # Some twins come at once, some when the other one has long been parked.
                pairs = zip(first[:50], second[:50], strict=True)
                await loader.post_all([copy for pair in pairs for copy in pair])
                await loader.post_all(first[50:] + second[50:])
            expected = {
                (each.name, replay.batch, "sent")
                for each in scene.wanted
                for replay in (KILLED, AGAIN)
            }
            await eventually(lambda: expected <= told.keys())
    accepted = Counter(call.request for call in site.evidence.accepted)
    assert accepted == Counter(each.name for each in scene.wanted)
    assert told.keys() == expected
