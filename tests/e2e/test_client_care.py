"""What the client does about repeated ids, slow sources, closed clients and lost queues."""

import asyncio
from collections.abc import AsyncIterator
from secrets import randbelow, token_hex
from typing import Any

import aio_pika
import pytest

from tests.support.system import System
from tests.support.waiting import eventually
from worker.client import (
    Client,
    ClientError,
    NoOutcome,
    Receipt,
    SendError,
    SyncClient,
    request,
    text,
)

pytestmark = pytest.mark.broker

ACCOUNT = "17841400000000003"


def client_of(system: System, **options: Any) -> Client:
    return Client(system.broker.amqp_url, prefix=system.broker.prefix, **options)


def to_somebody(**fields: Any) -> dict[str, Any]:
    return request(ACCOUNT, str(10**9 + randbelow(10**9)), text("Hello"), **fields)


async def never_in_time(system: System) -> dict[str, Any]:
    """Give a request whose outcome takes its time."""
    sent = to_somebody()
    match = {"recipient_id": sent["recipient"]["id"]}
    await system.sandbox.admin("POST", "faults", {"match": match, "latency_s": 3.0})
    return sent


async def test_same_id_with_another_body_has_an_outcome_of_its_own(system: System) -> None:
    async with client_of(system) as igsend:
        sent = to_somebody()
        first = await igsend.send(sent)
        assert (await first.outcome(timeout=60)).is_sent
        second = await igsend.send({**sent, "message": {"text": "Something else"}})
        assert (await second.outcome(timeout=60)).reason == "invalid"
        assert (await first.outcome(timeout=60)).is_sent, "it stays as it was"


async def test_who_waits_on_a_client_that_is_closed_is_told(system: System) -> None:
    sent = await never_in_time(system)
    async with client_of(system) as igsend:
        receipt = await igsend.send(sent)
        waiting = asyncio.create_task(receipt.outcome())
        await asyncio.sleep(0)
    with pytest.raises(ClientError, match="closed before the outcome"):
        await waiting
    with pytest.raises(ClientError, match="closed before the outcome"):
        await receipt.outcome(timeout=60)


async def test_client_that_is_not_open_says_so_at_once(system: System) -> None:
    igsend = client_of(system)
    with pytest.raises(ClientError, match="not open"):
        await igsend.send(to_somebody())
    with pytest.raises(ClientError, match="not open"):
        igsend.outcomes("shop.never")
    with pytest.raises(ClientError, match="not open"):
        _ = [result async for result in igsend.send_all([to_somebody()])]
    async with igsend:
        with pytest.raises(ClientError, match="open already"):
            await igsend.open()


async def test_who_waits_is_told_that_the_queue_for_outcomes_is_lost(system: System) -> None:
    sent = await never_in_time(system)
    async with client_of(system) as igsend:
        receipt = await igsend.send(sent)
        assert igsend._replies is not None
        queue = igsend._replies.name
        assert queue is not None
        await delete(system, queue)
        with pytest.raises(NoOutcome, match="send the same request again"):
            await receipt.outcome(timeout=60)
        again = await igsend.send(sent)
        assert (await again.outcome(timeout=60)).is_sent
    accepted = [m["recipient_id"] for m in await system.sandbox.messages(ACCOUNT)]
    assert accepted.count(sent["recipient"]["id"]) == 1


async def delete(system: System, queue: str) -> None:
    async with await aio_pika.connect(system.broker.amqp_url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(queue)


async def test_outcomes_that_are_closed_let_go_of_what_they_held(system: System) -> None:
    queue = f"shop.{token_hex(3)}"
    async with client_of(system) as igsend:
        async with igsend.outcomes(queue, keys=[f"sent.{ACCOUNT}"]) as outcomes:
            sent = {(await igsend.send(to_somebody())).id for _ in range(3)}
            first = await one_of(outcomes, sent)
        async with igsend.outcomes(queue) as outcomes:
            others = {await one_of(outcomes, sent - {first}) for _ in range(2)}
    assert {first, *others} == sent


async def test_queue_of_outcomes_that_was_deleted_is_there_again(system: System) -> None:
    queue = f"shop.{token_hex(3)}"
    async with client_of(system) as igsend, igsend.outcomes(queue) as outcomes:
        before = await igsend.send(to_somebody())
        await one_of(outcomes, {before.id})
        await delete(system, queue)
        hearing = asyncio.create_task(one_of(outcomes, ids := set[str]()))

        async def is_heard() -> bool:
            ids.add((await igsend.send(to_somebody())).id)
            await asyncio.wait([hearing], timeout=0.5)
            return hearing.done()

        await eventually(is_heard)
        assert await hearing in ids


async def one_of(outcomes: Any, ids: set[str]) -> str:
    """Wait for the outcome of one of these; other tests use the account too."""
    async with asyncio.timeout(60):
        async for outcome in outcomes:
            if outcome.id in ids:
                return str(outcome.id)
    raise AssertionError("they ended")


async def test_slow_source_keeps_no_result_back(system: System) -> None:
    first_is_taken = asyncio.Event()

    async def one_after_the_other() -> AsyncIterator[dict[str, Any]]:
        yield to_somebody()
        async with asyncio.timeout(60):
            await first_is_taken.wait()
        yield to_somebody()

    results: list[Receipt | SendError] = []
    async with client_of(system, listens=False) as igsend:
        async for result in igsend.send_all(one_after_the_other()):
            results.append(result)
            first_is_taken.set()
    assert [type(result) for result in results] == [Receipt, Receipt]


async def test_error_of_the_source_comes_behind_the_results(system: System) -> None:
    async def broken() -> AsyncIterator[dict[str, Any]]:
        for _ in range(3):
            yield to_somebody()
        raise LookupError("the table is gone")

    async with client_of(system, listens=False) as igsend:
        sending = igsend.send_all(broken())
        results = [await anext(sending) for _ in range(3)]
        with pytest.raises(LookupError, match="the table is gone"):
            await anext(sending)
        assert isinstance(await igsend.send(to_somebody()), Receipt), "the client goes on"
    assert [type(result) for result in results] == [Receipt] * 3


async def test_who_stops_in_the_middle_leaves_a_client_that_works(system: System) -> None:
    async with client_of(system, listens=False) as igsend:
        async for result in igsend.send_all(to_somebody() for _ in range(2000)):
            assert isinstance(result, Receipt)
            break
        assert isinstance(await igsend.send(to_somebody()), Receipt)


async def test_outcomes_of_a_service_are_heard_without_a_loop(system: System) -> None:
    queue = f"shop.{token_hex(3)}"

    def use() -> tuple[list[str], list[str | None]]:
        with (
            SyncClient(system.broker.amqp_url, prefix=system.broker.prefix) as igsend,
            igsend.outcomes(queue, keys=[f"*.{ACCOUNT}"]) as outcomes,
        ):
            sent = [igsend.send(to_somebody()) for _ in range(3)]
            heard: list[str | None] = []
            for outcome in outcomes:
                heard.append(outcome.id)
                if {each.id for each in sent} <= set(heard):
                    break
            return [each.id for each in sent], heard

    sent, heard = await asyncio.wait_for(asyncio.to_thread(use), 120)
    assert set(sent) <= set(heard)


async def test_queue_of_outcomes_without_its_exchange_is_said(system: System) -> None:
    async with Client(system.broker.amqp_url, prefix="nowhere", listens=False) as igsend:
        outcomes = igsend.outcomes(f"shop.{token_hex(3)}")
        with pytest.raises(ClientError, match=r"not bound to nowhere\.outcomes"):
            await outcomes.ready(timeout=0.5)


def test_wrong_url_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="amqp") as refused:
        Client("http://guest:geheim@broker/")
    assert "geheim" not in str(refused.value)
