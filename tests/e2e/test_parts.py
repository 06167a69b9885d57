"""A request in several parts: strictly in order, resumed after the last that went."""

import json
from secrets import token_hex
from typing import Any

import pytest

from tests.support.builders import a_document
from tests.support.producer import a_producer
from tests.support.system import System

pytestmark = pytest.mark.broker

ACCOUNT = "17841400000000002"
IMAGE = {"attachment": {"type": "image", "payload": {"url": "https://shop.example/parcel.jpg"}}}
PARTS: list[dict[str, Any]] = [{"text": "Here it is:"}, IMAGE, {"text": "All well?"}]


async def in_parts(system: System, *, person: str, **fault: Any) -> dict[str, Any]:
    """Give a request to `person`, and have the sandbox strike one kind of its parts."""
    match = {"account_id": ACCOUNT, "recipient_id": person, "kind": fault.pop("kind", "image")}
    await system.sandbox.admin("POST", "faults", {"match": match, **fault})
    return a_document(id=token_hex(6), account_id=ACCOUNT, recipient={"id": person}, messages=PARTS)


async def calls_to(system: System, person: str) -> list[tuple[str, int, bool]]:
    calls = await system.sandbox.calls(ACCOUNT)
    return [(c["kind"], c["status"], c["accepted"]) for c in calls if c["recipient_id"] == person]


async def accepted_by(system: System, person: str) -> list[dict[str, Any]]:
    messages = await system.sandbox.messages(ACCOUNT)
    return [message for message in messages if message["recipient_id"] == person]


async def test_a_middle_part_that_fails_once_is_resumed_and_nothing_is_repeated(
    system: System,
) -> None:
    request = await in_parts(system, person="700301", scenario="media_not_fetched")
    async with a_producer(system.broker) as producer:
        outcome = await producer.outcome_of(request)
    accepted = await accepted_by(system, "700301")
    assert [message["body"]["message"] for message in accepted] == PARTS
    assert await calls_to(system, "700301") == [
        ("text", 200, True),
        ("image", 400, False),
        ("image", 200, True),
        ("text", 200, True),
    ]
    assert outcome["status"] == "sent"
    assert outcome["message_ids"] == [message["message_id"] for message in accepted]
    assert outcome["attempts"] == 2


async def test_a_throttled_middle_part_waits_and_costs_no_attempt(system: System) -> None:
    request = await in_parts(system, person="700302", scenario="throttled_retry_after")
    async with a_producer(system.broker) as producer:
        outcome = await producer.outcome_of(request)
    accepted = await accepted_by(system, "700302")
    assert [message["body"]["message"] for message in accepted] == PARTS
    assert outcome["message_ids"] == [message["message_id"] for message in accepted]
    assert outcome["attempts"] == 1
    first, *later = [message["accepted_at"] for message in accepted]
    assert min(later) - first >= 2.0, "Retry-After asked for 2 seconds"


async def test_a_refusal_in_the_middle_ends_it_with_the_parts_that_went(system: System) -> None:
    request = await in_parts(system, person="700303", scenario="media_too_big")
    async with a_producer(system.broker) as producer:
        outcome = await producer.outcome_of(request)
        letters = {
            letter.headers["x-igsend-request-id"]: letter
            for letter in await producer.dead_letters("rejected")
        }
    (went,) = await accepted_by(system, "700303")
    assert went["body"]["message"] == PARTS[0]
    assert (outcome["status"], outcome["reason"]) == ("failed", "rejected")
    assert outcome["message_ids"] == [went["message_id"]]
    letter = letters[request["id"]]
    assert json.loads(letter.headers["x-igsend-sent-parts"]) == [went["message_id"]]
    assert json.loads(letter.body) == request


async def test_a_middle_part_that_went_without_an_answer_is_found_and_the_rest_follows(
    system: System,
) -> None:
    request = await in_parts(system, person="700304", scenario="reset_after_accept")
    async with a_producer(system.broker) as producer:
        outcome = await producer.outcome_of(request)
    accepted = await accepted_by(system, "700304")
    assert [message["body"]["message"] for message in accepted] == PARTS
    assert outcome["status"] == "sent"
    assert outcome["message_ids"] == [message["message_id"] for message in accepted]


async def test_a_middle_part_whose_end_is_unknown_and_not_found_holds_the_rest(
    system: System,
) -> None:
    request = await in_parts(system, person="700305", scenario="reset_before_accept")
    async with a_producer(system.broker) as producer:
        outcome = await producer.outcome_of(request)
    accepted = await accepted_by(system, "700305")
    assert [message["body"]["message"] for message in accepted] == PARTS[:1]
    assert (outcome["status"], outcome["reason"]) == ("held", "unconfirmed")
    assert outcome["message_ids"] == [accepted[0]["message_id"]]


async def test_a_long_text_is_split_where_a_reader_would_and_arrives_in_order(
    system: System,
) -> None:
    text = " ".join(f"This is sentence number {number} of a long answer." for number in range(60))
    replies = [{"content_type": "text", "title": "Thanks", "payload": "THANKS"}]
    request = a_document(
        id=token_hex(6),
        account_id=ACCOUNT,
        recipient={"id": "700309"},
        message={"text": text, "quick_replies": replies},
        split=True,
    )
    async with a_producer(system.broker) as producer:
        outcome = await producer.outcome_of(request)
    accepted = [message["body"]["message"] for message in await accepted_by(system, "700309")]
    assert (outcome["status"], len(outcome["message_ids"])) == ("sent", 3)
    assert " ".join(message["text"] for message in accepted) == text
    assert all(message["text"].endswith(".") for message in accepted)
    assert [message.get("quick_replies") for message in accepted] == [None, None, replies]
