"""A producer needs an AMQP library, nothing else: the recipes in docs/, run as they are.

Node always; Go and Java where they are installed.
"""

import asyncio
from collections.abc import AsyncIterator

import aio_pika
import orjson
import pytest
import pytest_asyncio
from aio_pika.abc import AbstractIncomingMessage

from tests.support.builders import ACCOUNT_ID, PERSON_ID, TEXT
from tests.support.commands import Finished, environment, igsend, run
from tests.support.nodes import Broker, RabbitServer, broker_for_one_test
from tests.support.recipes import PRODUCERS, Producer, recipes_system, with_the_recipes_names
from tests.support.system import System
from tests.support.waiting import eventually
from worker.contract.schema_files import OUTCOME, compiled
from worker.rabbit.names import Names

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]


@pytest.fixture(scope="module", params=PRODUCERS)
def producer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Producer:
    return PRODUCERS[request.param](tmp_path_factory.mktemp(request.param))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recipes(
    module_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    async with recipes_system(module_broker, tmp_path_factory.mktemp("system")) as system:
        yield system


@pytest_asyncio.fixture(loop_scope="module")
async def empty_broker(rabbitmq: RabbitServer) -> AsyncIterator[Broker]:
    """A part of the broker where nobody has declared anything."""
    async with broker_for_one_test(rabbitmq) as broker:
        yield with_the_recipes_names(broker)


async def produced(producer: Producer, broker: Broker) -> Finished:
    settings = {"IGSEND_AMQP_URL": broker.amqp_url}
    return await run(*producer.command, settings=settings, folder=producer.folder)


async def test_message_is_sent_and_the_producer_says_so(
    producer: Producer, recipes: System
) -> None:
    before = len(await recipes.sandbox.messages(ACCOUNT_ID))
    async with await aio_pika.connect(recipes.broker.amqp_url) as connection:
        channel = await connection.channel()
        events = await channel.declare_queue(exclusive=True)
        await events.bind("ig.outcomes", f"*.{ACCOUNT_ID}")
        done = await produced(producer, recipes.broker)
        event = await events.get()
    assert (done.code, done.err) == (0, "")
    (message,) = (await recipes.sandbox.messages(ACCOUNT_ID))[before:]
    assert message["body"] == {"recipient": {"id": PERSON_ID}, "message": {"text": TEXT}}
    assert done.out.startswith("sent ")
    assert message["message_id"] in done.out
    outcome = orjson.loads(event.body)
    assert compiled(OUTCOME).is_valid(outcome)
    assert (event.routing_key, event.type) == (f"sent.{ACCOUNT_ID}", "igsend.outcome.v1")
    assert event.correlation_id == outcome["id"]


async def test_producer_says_why_it_was_not_sent_and_fails(
    producer: Producer, recipes: System
) -> None:
    fault = {"match": {"recipient_id": PERSON_ID}, "times": 1, "scenario": "person_unavailable"}
    await recipes.sandbox.admin("POST", "faults", fault)
    done = await produced(producer, recipes.broker)
    assert done.code == 1
    assert done.out.startswith("failed rejected "), done.out


async def test_request_is_published_as_the_readme_asks(
    producer: Producer, empty_broker: Broker
) -> None:
    settings = {"IGSEND_AMQP_URL": empty_broker.amqp_url, "IGSEND_PARTITIONS": "2"}
    declared = await igsend("topology", "declare", settings=settings)
    assert declared.code == 0, declared.err
    process = await asyncio.create_subprocess_exec(
        *producer.command, env=environment(settings), cwd=producer.folder
    )
    try:
        message = await first_request(empty_broker)
    finally:
        process.kill()
        await process.wait()
    body = orjson.loads(message.body)
    assert message.routing_key == body["account_id"] == ACCOUNT_ID
    assert (message.content_type, message.delivery_mode) == ("application/json", 2)
    assert message.correlation_id == body["id"]
    assert message.message_id not in {None, "", body["id"]}
    assert message.reply_to is not None


async def first_request(broker: Broker) -> AbstractIncomingMessage:
    """Wait for the message that arrives in one of two partitions."""
    found: list[AbstractIncomingMessage] = []
    async with await aio_pika.connect(broker.amqp_url) as connection:
        channel = await connection.channel()
        names = Names("ig", 2).send_queues
        queues = [await channel.get_queue(name, ensure=False) for name in names]

        async def has_come() -> bool:
            arrived = [await queue.get(fail=False, no_ack=True) for queue in queues]
            found.extend(message for message in arrived if message is not None)
            return bool(found)

        await eventually(has_come)
    return found[0]


async def test_what_no_queue_takes_is_an_error(producer: Producer, empty_broker: Broker) -> None:
    async with await aio_pika.connect(empty_broker.amqp_url) as connection:
        await (await connection.channel()).declare_exchange("ig.requests", durable=True)
        done = await produced(producer, empty_broker)
    assert done.code != 0
    assert "no queue takes it" in done.err


async def test_exchange_that_is_missing_is_an_error_that_names_it(
    producer: Producer, empty_broker: Broker
) -> None:
    done = await produced(producer, empty_broker)
    assert done.code != 0
    assert "no exchange 'ig.requests'" in done.err
