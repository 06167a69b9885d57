"""What is no request ends in `ig.dead.invalid`, as it was, and says why."""

import json
from secrets import token_hex
from typing import Any

import pytest

from tests.support.raw_amqp import RawMessage, long, short, table
from tests.support.stage import ACCOUNT, Stage, a_message, a_text
from worker.core.reason import Reason

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

PROPERTIES = {
    "content_type": short("application/json"),
    "content_encoding": short("utf-8"),
    "correlation_id": short("their-correlation"),
    "priority": b"\x03",
    "timestamp": (1_795_340_000).to_bytes(8),
    "type": short("send.request"),
    "app_id": short("crm"),
}
HEADERS = {
    b"traceparent": long("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    b"tenant": b"l" + (7).to_bytes(8),
    b"weight": b"d\x3f\xf1\x99\x99\x99\x99\x99\x9a",
}


def text_of(text: str) -> bytes:
    return json.dumps(a_text(message={"text": text}), ensure_ascii=False).encode()


BODIES = {
    "empty": b"",
    "not_utf8": b"\xff\xfe{}",
    "an_array": b"[]",
    "a_number": b"7",
    "half": b'{"id": "x", ',
    "10_megabytes": b'{"id": "' + b"x" * 10_000_000 + b'"}',
    "10000_deep": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "10000_brackets": b"[" * 10_000,
    "numbers_as_ids": json.dumps(a_text(account_id=int(ACCOUNT), id="x")).encode(),
    "a_number_as_recipient": json.dumps(a_text(recipient={"id": 7})).encode(),
    "1001_bytes_in_600_characters": text_of("é" * 401 + "a" * 199),
    "nan": json.dumps(a_text(metadata={"n": float("nan")})).encode(),
    "an_unknown_field": json.dumps(a_text(prioritty=1)).encode(),
    "message_and_action": json.dumps(
        a_text(message={"text": "x"}, sender_action="mark_seen")
    ).encode(),
    "a_lone_surrogate": b'{"id": "\\ud800"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_body_that_is_no_request_ends_in_invalid_untouched(
    body: bytes, shared_stage: Stage
) -> None:
    key = token_hex(8)
    properties = {
        **PROPERTIES,
        "message_id": short(key),
        "expiration": short("3600000"),
        "user_id": short("guest"),
        "headers": table(HEADERS),
    }
    already = len(await shared_stage.look())
    await shared_stage.publish(RawMessage(body, {**properties, "delivery_mode": b"\x02"}))
    await shared_stage.idle()
    (letter,) = await shared_stage.dead(Reason.INVALID)
    assert letter.body == body
    kept = {name: value for name, value in letter.properties.items() if name in PROPERTIES}
    assert kept == PROPERTIES
    assert letter.foreign_headers == HEADERS, "byte for byte, and none of the broker's"
    assert not {"expiration", "user_id"} & letter.properties.keys()
    assert letter.properties["delivery_mode"] == b"\x02"
    assert letter.short("message_id") not in (None, key.encode()), "fresh"
    ours = letter.plain_headers
    assert (ours["x-igsend-reason"], ours["x-igsend-message-id"]) == ("invalid", key)
    assert ours["x-igsend-lane"] == "interactive"
    assert json.loads(str(ours["x-igsend-problems"])), "at least one problem is told"
    (outcome,) = (await shared_stage.look())[already:]
    assert (outcome["status"], outcome["reason"]) == ("failed", "invalid")
    assert outcome["error"]["problems"]
    assert not shared_stage.sandbox.calls


async def test_a_version_that_is_not_known_ends_in_invalid_and_keeps_its_name(
    shared_stage: Stage,
) -> None:
    document = a_text()
    already = len(await shared_stage.look())
    await shared_stage.publish(a_message(document, type=short("igsend.request.v2")))
    await shared_stage.idle()
    (letter,) = await shared_stage.dead(Reason.INVALID)
    assert json.loads(letter.body) == document
    assert letter.short("type") == b"igsend.request.v2"
    assert "igsend.request.v2" in str(letter.plain_headers["x-igsend-detail"])
    assert letter.plain_headers["x-igsend-request-id"] == document["id"]
    (outcome,) = (await shared_stage.look())[already:]
    assert (outcome["id"], outcome["reason"]) == (document["id"], "invalid")
    assert outcome["request_schema"] is None
    assert not shared_stage.sandbox.calls


async def test_an_unknown_account_ends_in_account(shared_stage: Stage) -> None:
    document: dict[str, Any] = a_text(account_id="17840000000000000", metadata={"ticket": 42})
    already = len(await shared_stage.look())
    await shared_stage.publish(a_message(document))
    await shared_stage.idle()
    (letter,) = await shared_stage.dead(Reason.ACCOUNT)
    assert json.loads(letter.body) == document
    assert letter.plain_headers["x-igsend-account-id"] == document["account_id"]
    assert letter.plain_headers["x-igsend-safe-to-replay"] is True
    (outcome,) = (await shared_stage.look())[already:]
    assert (outcome["status"], outcome["reason"]) == ("failed", "account")
    assert outcome["metadata"] == {"ticket": 42}
    assert not shared_stage.sandbox.calls


async def test_no_delivery_of_a_bad_body_ever_costs_a_connection(shared_stage: Stage) -> None:
    assert shared_stage.live.link_changes("down") == 0
    assert shared_stage.live.is_ready
