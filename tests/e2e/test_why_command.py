"""`igsend why ID` beside a running worker, whose gate is its memory or a Redis."""

import asyncio
import re
from collections.abc import AsyncIterator
from secrets import randbelow, token_hex
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.test_accounts_command import QUIET, TOKENS, gated_system
from tests.support.builders import TEXT, a_document
from tests.support.commands import Finished, igsend
from tests.support.nodes import RabbitServer
from tests.support.producer import a_producer
from tests.support.system import System
from tests.support.waiting import eventually

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

FIELDS = {
    "id", "account_id", "now", "where", "attempts", "parts_sent", "checks", "since", "worker",
    "lease_until", "place", "outcome",
}  # fmt: skip
OTHER = next(account for account in TOKENS if account != QUIET)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["memory", "redis"])
async def scene(
    request: pytest.FixtureRequest,
    rabbitmq: RabbitServer,
    redis: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[System]:
    gate_url = redis if request.param == "redis" else "memory://"
    folder = tmp_path_factory.mktemp("why")
    # What waits, waits for longer than the tests that look at it take.
    slow = {"IGSEND_RETRY_BASE_S": "900", "IGSEND_CHECK_AFTER_S": "60"}
    async with gated_system(rabbitmq, folder, gate_url, **slow) as system:
        yield system


def a_request() -> dict[str, Any]:
    """A text to a person of its own."""
    person = str(10**15 + randbelow(10**15))
    return a_document(id=f"why-{token_hex(6)}", account_id=QUIET, recipient={"id": person})


async def why(system: System, *arguments: str, **changes: str) -> Finished:
    return await igsend("why", *arguments, settings={**system.settings, **changes})


async def told(system: System, request: dict[str, Any]) -> dict[str, Any] | None:
    """Ask about a request; None while it is not known."""
    done = await why(system, request["id"], "--json")
    assert done.code == (0 if done.json else 1)
    found: list[dict[str, Any]] = done.json
    assert len(found) <= 1
    return found[0] if found else None


async def strike(system: System, request: dict[str, Any], **fault: Any) -> None:
    match = {"recipient_id": request["recipient"]["id"]}
    await system.sandbox.admin("POST", "faults", {"match": match, **fault})


async def test_what_was_sent_is_told_with_its_message_ids(scene: System) -> None:
    request = a_request()
    async with a_producer(scene.broker) as producer:
        outcome = await producer.outcome_of(request)
    # The outcome is published before Redis hears of it.
    await eventually(lambda: is_where(scene, request, "ended"))
    machine, person = await asyncio.gather(
        why(scene, request["id"], "--json"), why(scene, request["id"], "--account", QUIET)
    )
    (found,) = machine.json
    assert found.keys() == FIELDS
    assert (found["id"], found["account_id"], found["place"]) == (request["id"], QUIET, None)
    assert found["outcome"]["status"] == "sent"
    assert found["outcome"]["message_ids"] == outcome["message_ids"]
    assert (person.code, person.err) == (0, "")
    assert f"{request['id']} of account {QUIET}: sent 20" in person.out
    assert outcome["message_ids"][0] in person.out


async def is_where(system: System, request: dict[str, Any], where: str) -> bool:
    found = await told(system, request)
    return found is not None and found["where"] == where


async def test_what_was_refused_is_told_with_reason_and_code(scene: System) -> None:
    request = a_request()
    await strike(scene, request, scenario="person_unavailable")
    async with a_producer(scene.broker) as producer:
        assert (await producer.outcome_of(request))["reason"] == "rejected"
    await eventually(lambda: is_where(scene, request, "ended"))
    person = await why(scene, request["id"])
    assert "failed, rejected (code 551" in person.out


async def test_a_call_under_way_and_what_waits_behind_it(scene: System) -> None:
    request = a_request()
    second = {**request, "id": f"{request['id']}-second"}
    await strike(scene, request, latency_s=20.0, times=1)
    async with a_producer(scene.broker) as producer:
        first_key = await producer.publish(request)
        await eventually(lambda: is_where(scene, request, "running"))
        second_key = await producer.publish(second)
        await eventually(lambda: is_behind(scene, second))
        (running, behind) = await asyncio.gather(
            why(scene, request["id"]), why(scene, second["id"])
        )
        assert "running, attempt 1, since 20" in running.out
        assert "place 2 of 2 in its conversation" in behind.out
        for key in (first_key, second_key):
            assert (await producer.outcome(key))["status"] == "sent"


async def is_behind(system: System, request: dict[str, Any]) -> bool:
    found = await told(system, request)
    if found is None or found["where"] not in {"in_hand", "parked"}:
        return False
    assert found["place"]["ahead"] == 1
    assert found["place"]["head"]["in_hand"] is True
    return True


async def test_what_waits_for_another_try_says_how_often_and_when(scene: System) -> None:
    image = {"attachment": {"type": "image", "payload": {"url": "https://example.com/a.png"}}}
    request = {**a_request(), "message": image}
    await strike(scene, request, scenario="media_not_fetched")
    async with a_producer(scene.broker) as producer:
        await producer.publish(request)
        # The wait is drawn by lot, and may be over already.
        await eventually(lambda: says_that_it_waits(scene, request))


async def says_that_it_waits(system: System, request: dict[str, Any]) -> bool:
    said = (await why(system, request["id"])).out
    if "waits for another try" not in said:
        return False
    assert re.search(r"after \d attempts?; looked at again at 20", said)
    assert "first in its conversation; 0 others behind it" in said
    return True


async def test_what_may_have_been_sent_says_since_when_that_is_in_doubt(scene: System) -> None:
    request = a_request()
    await strike(scene, request, scenario="temporary_error")
    async with a_producer(scene.broker) as producer:
        await producer.publish(request)
        await eventually(lambda: is_where(scene, request, "doubtful"))
    person = await why(scene, request["id"])
    assert "doubtful: the call that began 20" in person.out
    assert "looked up 0 times, again at 20" in person.out


async def test_an_unknown_id_is_a_failure_that_says_what_it_can_mean(scene: System) -> None:
    person, machine = await asyncio.gather(
        why(scene, "never-seen"), why(scene, "never-seen", "--json", "--account", OTHER)
    )
    assert (person.code, person.out) == (1, "")
    assert "never-seen is not known to the gate" in person.err
    assert "intake queue" in person.err
    assert (machine.code, machine.json) == (1, [])
    assert OTHER in machine.err


async def test_an_id_of_another_account_is_not_told_of(scene: System) -> None:
    request = a_request()
    async with a_producer(scene.broker) as producer:
        await producer.outcome_of(request)
    await eventually(lambda: is_where(scene, request, "ended"))
    other = await why(scene, request["id"], "--json", "--account", OTHER)
    assert (other.code, other.json) == (1, [])


async def test_what_is_no_id_is_a_usage_error(scene: System) -> None:
    for arguments in (["no id"], ["", "--json"], ["id", "--account", "shop"]):
        done = await why(scene, *arguments)
        assert (done.code, done.out) == (2, ""), arguments


async def test_neither_token_nor_text_is_shown(scene: System) -> None:
    request = a_request()
    async with a_producer(scene.broker) as producer:
        await producer.outcome_of(request)
    await eventually(lambda: is_where(scene, request, "ended"))
    machine, person = await asyncio.gather(
        why(scene, request["id"], "--json"), why(scene, request["id"])
    )
    for done in (machine, person):
        assert request["id"] in done.out
        assert "IGAA" not in done.out + done.err
        assert TEXT not in done.out + done.err
