"""The client against a real broker, a real worker and the sandbox."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from logging import WARNING
from pathlib import Path
from secrets import token_hex
from typing import Any

import aio_pika
import pytest
import pytest_asyncio

from tests.support.nodes import Broker
from tests.support.system import System, running_system, running_worker
from tests.support.waiting import eventually
from worker.client import (
    CannotConnect,
    Client,
    ClientError,
    InvalidRequest,
    NoOutcome,
    NotTaken,
    Receipt,
    SendError,
    SyncClient,
    Unconfirmed,
    comment,
    image,
    request,
    text,
)

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

ACCOUNT = "17841400000000801"


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole system, and clients for it."""

    system: System

    def client(self, **options: Any) -> Client:
        return Client(self.system.broker.amqp_url, prefix=self.system.broker.prefix, **options)

    async def queues(self) -> set[str]:
        """Name the queues that are not of the topology."""
        broker = self.system.broker
        assert broker.server.node is not None
        said = await broker.server.node.control("list_queues", "-p", broker.vhost, "name")
        return {name for name in said.split() if name.startswith("amq.gen")}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(
    module_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("client")
    async with running_system(module_broker, folder, {ACCOUNT: "IGAAclient"}) as system:
        yield Scene(system)


def to_somebody(**fields: Any) -> dict[str, Any]:
    return request(ACCOUNT, token_hex(8).translate(_DIGITS), text("Hello"), **fields)


_DIGITS = str.maketrans("abcdef", "123456")


async def test_request_is_taken_sent_and_its_outcome_heard(scene: Scene) -> None:
    async with scene.client() as igsend:
        sent = to_somebody(metadata={"order": 7})
        receipt = await igsend.send(sent)
        outcome = await receipt.outcome(timeout=60)
        assert igsend.trouble is None
    assert (receipt.id, outcome.id, outcome.is_sent) == (sent["id"], sent["id"], True)
    assert outcome.metadata == {"order": 7}
    messages = await scene.system.sandbox.messages(ACCOUNT)
    assert outcome.message_ids == tuple(
        each["message_id"] for each in messages if each["recipient_id"] == sent["recipient"]["id"]
    )


async def test_queue_of_replies_is_gone_when_the_client_is(scene: Scene) -> None:
    async with scene.client() as igsend:
        await (await igsend.send(to_somebody())).outcome(timeout=60)
        assert len(await scene.queues()) == 1
    assert await scene.queues() == set()


async def test_nothing_is_logged_when_all_goes_well(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene.client() as igsend:
        await (await igsend.send(to_somebody())).outcome(timeout=60)
    assert [record.getMessage() for record in caplog.records if record.levelno >= WARNING] == []


async def test_same_request_again_is_answered_and_not_sent_again(scene: Scene) -> None:
    async with scene.client() as igsend:
        sent = to_somebody()
        first = await (await igsend.send(sent)).outcome(timeout=60)
        again = await (await igsend.send(sent)).outcome(timeout=60)
    assert first.message_ids == again.message_ids
    messages = await scene.system.sandbox.messages(ACCOUNT)
    assert [m["recipient_id"] for m in messages].count(sent["recipient"]["id"]) == 1


async def test_both_lanes_and_a_comment_end(scene: Scene) -> None:
    async with scene.client() as igsend:
        receipts = [
            await igsend.send(to_somebody(), lane="bulk"),
            await igsend.send(request(ACCOUNT, comment("17865799348089039"), text("Thank you!"))),
            await igsend.send(request(ACCOUNT, "12345", image("https://cdn.example.com/a.png"))),
        ]
        outcomes = [await receipt.outcome(timeout=60) for receipt in receipts]
    assert [outcome.document["schema"] for outcome in outcomes] == ["igsend.outcome.v1"] * 3


async def test_what_fails_says_why(scene: Scene) -> None:
    script = {"match": {"recipient_id": "80501"}, "scenario": "person_unavailable"}
    await scene.system.sandbox.admin("POST", "faults", script)
    async with scene.client() as igsend:
        receipt = await igsend.send(request(ACCOUNT, "80501", text("Hello")))
        outcome = await receipt.outcome(timeout=60)
    assert (outcome.status, outcome.reason) == ("failed", "rejected")
    assert outcome.detail


async def test_invalid_request_is_not_published(scene: Scene) -> None:
    async with scene.client() as igsend:
        with pytest.raises(InvalidRequest, match="/message/text"):
            await igsend.send(request(ACCOUNT, "1", text("")))


async def test_outcome_that_does_not_come_in_time_is_said_with_its_id(scene: Scene) -> None:
    script = {"match": {"recipient_id": "80502"}, "latency_s": 3.0}
    await scene.system.sandbox.admin("POST", "faults", script)
    async with scene.client() as igsend:
        receipt = await igsend.send(request(ACCOUNT, "80502", text("Hello")))
        with pytest.raises(NoOutcome, match=receipt.id):
            await receipt.outcome(timeout=0.01)
        assert (await receipt.outcome(timeout=60)).is_sent


async def test_exchange_that_is_not_there_is_refused_by_name_and_costs_nobody_else(
    scene: Scene,
) -> None:
    url = scene.system.broker.amqp_url
    async with Client(url, prefix="nowhere") as igsend:
        with pytest.raises(NotTaken, match=r"nowhere\.requests"):
            await igsend.send(to_somebody())
        results = [result async for result in igsend.send_all([to_somebody() for _ in range(5)])]
    assert [type(result) for result in results] == [NotTaken] * 5


async def test_exchange_without_a_queue_is_refused(scene: Scene) -> None:
    prefix = f"t{token_hex(3)}"
    async with await aio_pika.connect(scene.system.broker.amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_exchange(f"{prefix}.requests")
    async with Client(scene.system.broker.amqp_url, prefix=prefix) as igsend:
        with pytest.raises(NotTaken, match="no queue is bound"):
            await igsend.send(to_somebody())


@pytest.mark.parametrize(
    ("change", "said"),
    [(("guest:guest", "guest:wrong"), "user"), (("127.0.0.1:", "127.0.0.1:1"), "address")],
)
async def test_broker_that_cannot_be_had_is_said_at_the_start(
    scene: Scene, change: tuple[str, str], said: str
) -> None:
    url = scene.system.broker.amqp_url.replace(*change)
    if change[0] == "127.0.0.1:":
        url = "amqp://guest:guest@127.0.0.1:9/"
    with pytest.raises(CannotConnect, match=said) as failed:
        async with Client(url, connect_timeout=2):
            pytest.fail("it is not open")
    assert "wrong" not in str(failed.value), "no password"


async def test_many_are_sent_in_order_with_a_result_for_each(scene: Scene) -> None:
    requests = [request(ACCOUNT, "4711", text(f"{n}"), id=f"{token_hex(4)}-{n}") for n in range(40)]
    requests[7] = {**requests[7], "message": {}}
    async with scene.client() as igsend:
        results = [result async for result in igsend.send_all(requests)]
        receipts = [result for result in results if isinstance(result, Receipt)]
        outcomes = [await receipt.outcome(timeout=60) for receipt in receipts]
    assert [result.id for result in results] == [each["id"] for each in requests]
    assert [n for n, result in enumerate(results) if isinstance(result, SendError)] == [7]
    assert all(outcome.is_sent for outcome in outcomes)
    arrived = await scene.system.sandbox.messages(ACCOUNT)
    texts = [m["body"]["message"]["text"] for m in arrived if m["recipient_id"] == "4711"]
    assert texts == [f"{n}" for n in range(40) if n != 7]


async def test_service_hears_of_all_outcomes_on_a_queue_of_its_own(scene: Scene) -> None:
    queue = f"shop.{token_hex(3)}"
    sent = [to_somebody() for _ in range(3)]
    async with scene.client(listens=False) as igsend:
        outcomes = igsend.outcomes(queue, keys=[f"sent.{ACCOUNT}"])
        await outcomes.ready()
        for each in sent:
            receipt = await igsend.send(each)
        with pytest.raises(ClientError, match="outcomes"):
            await receipt.outcome()
        heard = await next_of(outcomes)
        # The service dies over it, with two more on the way.
    assert heard.id in {each["id"] for each in sent}
    async with scene.client(listens=False) as igsend, igsend.outcomes(queue) as outcomes:
        again = [(await next_of(outcomes)).id for _ in range(3)]
    assert sorted(map(str, again)) == sorted(each["id"] for each in sent)
    async with scene.client(listens=False) as igsend, igsend.outcomes(queue) as outcomes:
        receipt = await igsend.send(to_somebody())
        assert (await next_of(outcomes)).id == receipt.id, "what was heard does not come again"


async def next_of(outcomes: Any) -> Any:
    async with asyncio.timeout(60):
        return await anext(outcomes)


async def test_junk_on_the_queue_of_outcomes_is_passed_over(scene: Scene) -> None:
    queue = f"shop.{token_hex(3)}"
    async with scene.client() as igsend, igsend.outcomes(queue) as outcomes:
        async with await aio_pika.connect(scene.system.broker.amqp_url) as connection:
            channel = await connection.channel()
            await channel.default_exchange.publish(aio_pika.Message(b"junk"), routing_key=queue)
        receipt = await igsend.send(to_somebody())
        assert (await next_of(outcomes)).id == receipt.id


async def test_lost_connection_costs_no_request_and_no_outcome(scene: Scene) -> None:
    script = {"match": {"recipient_id": "80503"}, "latency_s": 1.0}
    await scene.system.sandbox.admin("POST", "faults", script)
    async with scene.client() as igsend:
        slow = await igsend.send(request(ACCOUNT, "80503", text("Hello")))
        await scene.system.broker.close_connections()
        others = [await igsend.send(to_somebody()) for _ in range(3)]
        for receipt in (slow, *others):
            assert (await receipt.outcome(timeout=60)).is_sent


async def test_blocked_broker_is_told_and_waited_for(scene: Scene) -> None:
    node = scene.system.broker.server.node
    if node is None:
        pytest.skip("only on a private node: an alarm is for everybody on the broker")
    async with scene.client() as igsend:
        try:
            await node.control("set_vm_memory_high_watermark", "absolute", "1")
            sent = to_somebody()
            # The broker blocks a connection that publishes.
            with pytest.raises(Unconfirmed, match=sent["id"]):
                await igsend.send(sent, timeout=2)
            await eventually(lambda: "short of memory" in (igsend.trouble or ""))
            with pytest.raises(Unconfirmed, match="short of memory"):
                await igsend.send(sent, timeout=0.1)
            # Each has its own time, not one after the other.
            async with asyncio.timeout(10):
                many = [result async for result in igsend.send_all([sent] * 100, timeout=0.5)]
            assert {type(result) for result in many} == {Unconfirmed}
        finally:
            await node.control("set_vm_memory_high_watermark", "absolute", "1GB")
        outcome = await (await igsend.send(sent)).outcome(timeout=60)
    assert outcome.is_sent
    messages = await scene.system.sandbox.messages(ACCOUNT)
    assert [m["recipient_id"] for m in messages].count(sent["recipient"]["id"]) == 1


async def test_client_without_an_event_loop_does_the_same(scene: Scene) -> None:
    broker = scene.system.broker

    def use() -> list[bool]:
        with SyncClient(broker.amqp_url, prefix=broker.prefix) as igsend:
            one = igsend.send(to_somebody())
            many = list(igsend.send_all([to_somebody() for _ in range(3)]))
            heard = [r for r in (one, *many) if not isinstance(r, SendError)]
            return [receipt.outcome(timeout=60).is_sent for receipt in heard]

    assert await asyncio.to_thread(use) == [True] * 4


async def test_worker_that_is_away_costs_time_only(scene: Scene, tmp_path: Path) -> None:
    prefix = f"{scene.system.broker.prefix}.late"
    settings = {**scene.system.settings, "IGSEND_PREFIX": prefix}
    async with running_worker(tmp_path, settings):
        pass
    async with Client(scene.system.broker.amqp_url, prefix=prefix) as igsend:
        receipt = await igsend.send(to_somebody())
        async with running_worker(tmp_path, settings, name="later"):
            assert (await receipt.outcome(timeout=60)).is_sent
