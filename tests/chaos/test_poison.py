"""Whatever is published, it is sent or becomes one dead letter, and harms nobody beside it."""

from collections import Counter

import aio_pika
import pytest

from tests.chaos.poison import poisons
from tests.support.nodes import Broker
from tests.support.raw_amqp import RawMessage, raw_amqp
from tests.support.stage import Stage, a_message, a_stage, a_text
from tests.support.waiting import eventually
from worker.core.reason import Reason
from worker.rabbit.topology import INTAKE_DELIVERY_LIMIT

pytestmark = pytest.mark.broker

POISONS = 150
NEIGHBOURS = 30


def name_of(message: RawMessage) -> bytes:
    return message.properties["correlation_id"]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_any_message_ends_in_one_dead_letter_or_is_sent(seed: int, broker: Broker) -> None:
    published = poisons(seed, POISONS)
    neighbours = [a_text() for _ in range(NEIGHBOURS)]
    step = POISONS // NEIGHBOURS
    async with a_stage(broker) as stage:
        for number, neighbour in enumerate(neighbours):
            await stage.publish(a_message(neighbour))
            await stage.publish(*published[number * step : (number + 1) * step])
        await stage.idle()
        heard = await stage.take(stage.witness)
        letters = [letter for reason in Reason for letter in await stage.dead(reason)]
        ups_and_downs = [stage.live.link_changes(state) for state in ("up", "down")]
        accepted = Counter(message.recipient_id for message in stage.sandbox.accepted)
        mishaps = stage.live.logged("the worker had an internal error; please report this as a bug")
        repeated = stage.live.logged("publish repeated")

    assert {accepted[each["recipient"]["id"]] for each in neighbours} == {1}
    outcomes = Counter(name_of(each) for each in heard if "correlation_id" in each.properties)
    assert outcomes == {name_of(each): 1 for each in published}
    dead = {name_of(letter): letter.body for letter in letters}
    assert len(dead) == len(letters), "no letter twice"
    assert dead.items() <= {name_of(each): each.body for each in published}.items()
    # What is in no dead letter was sent, and nothing else was.
    assert accepted.total() == NEIGHBOURS + POISONS - len(letters)
    assert (ups_and_downs, mishaps, repeated) == ([2, 0], [], [])


async def test_letters_that_died_with_a_culprit_can_be_put_back_one_at_a_time(
    broker: Broker,
) -> None:
    """The broker cannot tell who kills the workers: all that were in hand become suspects."""
    innocents = [a_text() for _ in range(3)]
    culprit = a_message(b"\x00 kills", correlation_id=b"\x07culprit")
    async with a_stage(broker, has_worker=False) as stage:
        await stage.publish(a_message(innocents[0]), culprit, *map(a_message, innocents[1:]))
        for _ in range(INTAKE_DELIVERY_LIMIT + 1):
            await die_with_all_in_hand(stage)
        suspects = await suspected(stage, 1 + len(innocents))
    async with a_stage(broker) as stage:
        for number, letter in enumerate(suspects, 1):
            await put_back(stage, letter)
            await stage.outcome_count(number)
        (invalid,) = await stage.dead(Reason.INVALID)
        accepted = Counter(message.recipient_id for message in stage.sandbox.accepted)
        assert stage.live.link_changes("down") == 0
    assert invalid.body == culprit.body
    assert accepted == {each["recipient"]["id"]: 1 for each in innocents}


async def suspected(stage: Stage, count: int) -> list[RawMessage]:
    """Wait for the letters that the broker itself has buried; they have no headers of ours."""
    found: list[RawMessage] = []

    async def are_all_there() -> bool:
        found.extend(await stage.take(stage.names.dead_queue(Reason.SUSPECT)))
        return len(found) >= count

    await eventually(are_all_there)
    return found


async def die_with_all_in_hand(stage: Stage) -> None:
    """Take everything there is, and leave without an ack, as a process that is killed."""
    async with await aio_pika.connect(stage.broker.amqp_url) as connection:
        channel = await connection.channel()
        for name in stage.names.send_queues:
            queue = await channel.get_queue(name, ensure=False)
            while await queue.get(fail=False, no_ack=False) is not None:
                pass


async def put_back(stage: Stage, letter: RawMessage) -> None:
    async with raw_amqp(stage.broker.amqp_url) as client:
        await client.publish(letter, exchange=stage.names.bulk, routing_key="")
