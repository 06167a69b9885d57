"""`igsend send`: publishes, waits for outcomes, and reports what cannot be published."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any

import aio_pika
import pytest
import pytest_asyncio

from tests.support.builders import a_document
from tests.support.commands import Finished, igsend
from tests.support.nodes import Broker
from tests.support.producer import a_producer
from tests.support.system import System

pytestmark = pytest.mark.broker

ACCOUNT = "17841400000000001"
BLOCKING = "6789000551"
OUTCOME = json.loads(
    (Path(__file__).parents[2] / "schemas" / "examples" / "outcome" / "sent.json").read_text()
)


@pytest_asyncio.fixture(autouse=True)
async def _one_person_blocks_the_account(system: System) -> AsyncIterator[None]:
    fault = {"scenario": "person_unavailable", "times": None}
    match = {"account_id": ACCOUNT, "recipient_id": BLOCKING}
    added = await system.sandbox.admin("POST", "faults", {**fault, "match": match})
    yield
    await system.sandbox.admin("DELETE", f"faults/{added['id']}")


def a_request(**fields: Any) -> dict[str, Any]:
    return a_document(id=token_hex(6), account_id=ACCOUNT, **fields)


async def send(system: System, requests: list[Any], *options: str) -> Finished:
    lines = b"\n".join(json.dumps(request).encode() for request in requests)
    return await igsend("send", "-", *options, settings=system.settings, given=lines)


def by_id(done: Finished) -> Mapping[str, dict[str, Any]]:
    return {outcome["id"]: outcome for outcome in done.json_lines}


async def test_wait_prints_one_outcome_a_line_and_exits_0_when_all_were_sent(
    system: System,
) -> None:
    requests = [a_request(metadata={"n": n}) for n in range(5)]
    done = await send(system, requests, "--wait", "60", "--json")
    assert (done.code, done.err) == (0, "")
    outcomes = by_id(done)
    assert set(outcomes) == {request["id"] for request in requests}
    for request in requests:
        outcome = outcomes[request["id"]]
        assert set(outcome) == set(OUTCOME), "what the published example shows"
        assert (outcome["status"], outcome["account_id"]) == ("sent", ACCOUNT)
        assert outcome["metadata"] == request["metadata"]
        assert len(outcome["message_ids"]) == 1


async def test_a_file_is_published_without_waiting_and_sent(system: System, tmp_path: Path) -> None:
    request = a_request(recipient={"id": "700100"})
    file = tmp_path / "one.json"
    file.write_text(json.dumps(request, indent=4))
    async with a_producer(system.broker) as listener:
        done = await igsend("send", file, settings=system.settings)
        assert (done.code, done.out, done.err) == (0, "published 1 requests\n", "")
        # The answer to the same request comes after its first outcome.
        again = await listener.outcome_of(request)
    assert (again["status"], again["id"]) == ("sent", request["id"])
    bodies = [
        message["body"]
        for message in await system.sandbox.messages(ACCOUNT)
        if message["recipient_id"] == "700100"
    ]
    assert bodies == [{"recipient": request["recipient"], "message": request["message"]}]


async def test_bulk_goes_through_the_lane_for_campaigns(system: System) -> None:
    request = a_request(recipient={"id": BLOCKING})
    done = await send(system, [request], "--lane", "bulk", "--wait", "60", "--json")
    assert done.code == 1
    async with a_producer(system.broker) as operator:
        lanes = {
            letter.headers["x-igsend-request-id"]: letter.headers["x-igsend-lane"]
            for letter in await operator.dead_letters("rejected")
        }
    assert lanes[request["id"]] == "bulk"


async def test_invalid_lines_are_reported_and_the_others_are_sent(system: System) -> None:
    good, wrong = [a_request(), a_request()], a_request(message={"text": ""})
    done = await send(system, [good[0], wrong, "not an object", good[1]], "--wait", "60", "--json")
    assert done.code == 1
    assert done.err == "igsend: 2 of 4 requests were not sent\n"
    outcomes = by_id(done)
    assert [outcomes[request["id"]]["status"] for request in good] == ["sent", "sent"]
    assert outcomes[wrong["id"]]["reason"] == "invalid"
    assert [p["pointer"] for p in outcomes[wrong["id"]]["error"]["problems"]] == ["/message/text"]
    assert "line 3" in json.dumps(done.json_lines)
    async with a_producer(system.broker) as operator:
        ids = [
            letter.headers.get("x-igsend-request-id")
            for letter in await operator.dead_letters("invalid")
        ]
    assert wrong["id"] not in ids, "what is invalid is not published"


async def test_a_refusal_is_shown_to_people_with_its_reason(system: System) -> None:
    sent, refused = a_request(), a_request(recipient={"id": BLOCKING})
    done = await send(system, [sent, refused], "--wait", "60")
    assert done.code == 1
    assert f"sent   {sent['id']}  aWdf" in done.out
    assert f"failed {refused['id']}  rejected: the person cannot receive messages" in done.out
    assert done.err == "igsend: 1 of 2 requests were not sent\n"


async def test_sending_the_same_file_again_sends_nothing_twice(system: System) -> None:
    requests = [a_request(recipient={"id": "700200"})]
    for duplicate in (False, True):
        done = await send(system, requests, "--wait", "60", "--json")
        assert (done.code, done.json["duplicate"]) == (0, duplicate)
    bodies = [m for m in await system.sandbox.messages(ACCOUNT) if m["recipient_id"] == "700200"]
    assert len(bodies) == 1


async def test_no_outcome_in_time_is_a_failure_that_says_how_many(system: System) -> None:
    later = a_request(not_before="2099-01-01T00:00:00Z")
    done = await send(system, [later], "--wait", "1")
    assert done.code == 1
    assert "1 requests have no outcome after 1 s" in done.err


@pytest.mark.parametrize("has_exchange", [False, True])
async def test_a_broker_without_the_topology_says_what_to_do(
    broker: Broker, has_exchange: bool
) -> None:
    settings = {"IGSEND_AMQP_URL": broker.amqp_url, "IGSEND_PREFIX": broker.prefix}
    if has_exchange:  # with nothing behind it
        async with await aio_pika.connect(broker.amqp_url) as connection:
            channel = await connection.channel()
            await channel.declare_exchange(f"{broker.prefix}.requests", "direct")
    line = json.dumps(a_request()).encode()
    commands = [("send", "-"), ("send", "-", "--wait", "5")]
    for done in await asyncio.gather(
        *(igsend(*command, settings=settings, given=line) for command in commands)
    ):
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith(f"igsend: the broker has no exchange {broker.prefix}.")
        assert done.err.endswith("start a worker or run `igsend topology declare`\n")


async def test_an_unreadable_file_exits_2_before_anything_is_published(system: System) -> None:
    done = await igsend("send", "/nowhere/requests.jsonl", settings=system.settings)
    assert (done.code, done.out) == (2, "")
    assert done.err == ("igsend: cannot read /nowhere/requests.jsonl: No such file or directory\n")
