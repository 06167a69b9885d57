"""The harness itself: it sees every changed byte, and no count that a broker adds."""

from dataclasses import replace

import pytest

from tests.dead_letters.letters import letters, written
from tests.dead_letters.one_account import is_as_promised
from tests.dead_letters.queues import digest_of
from tests.dead_letters.scene import a_scene
from tests.support.nodes import require_rabbitmq
from tests.support.raw_amqp import RawMessage, long, raw_amqp, short, table
from worker.rabbit.names import Names

LETTERS = [written(each, Names("ig", 2)).message for each in letters(10, ["1", "2"])]
REPLAYED = {
    b"x-igsend-reason": long("account"),
    b"x-igsend-replay-batch": long("b"),
    b"x-igsend-replay-count": b"I\x00\x00\x00\x01",
    b"x-igsend-replay-by": long("ada"),
}


def with_headers(message: RawMessage, **headers: bytes) -> RawMessage:
    found = message.headers | {name.replace("_", "-").encode(): v for name, v in headers.items()}
    return RawMessage(message.body, {**message.properties, "headers": table(found)})


def test_every_letter_has_a_digest_of_its_own() -> None:
    assert len({digest_of(message) for message in LETTERS}) == len(LETTERS)


def test_digest_tells_body_properties_and_headers() -> None:
    message = LETTERS[1]
    for changed in (
        replace(message, body=message.body + b" "),
        RawMessage(message.body, {**message.properties, "app_id": short("erp")}),
        with_headers(message, tenant=b"l" + (8).to_bytes(8)),
    ):
        assert digest_of(changed) != digest_of(message)
    assert digest_of(with_headers(message, x_delivery_count=b"l" + bytes(8))) == digest_of(message)


def test_replayed_letter_is_judged_by_what_is_its_producers_and_what_is_ours() -> None:
    letter = LETTERS[0]
    theirs = {**letter.properties, "message_id": short("fresh"), "headers": table(REPLAYED)}
    good = RawMessage(letter.body, theirs)
    assert is_as_promised(good, 1)
    assert not is_as_promised(letter, 1)
    assert not is_as_promised(with_headers(good, x_igsend_attempts=b"I\x00\x00\x00\x01"), 1)
    assert not is_as_promised(with_headers(good, x_igsend_replay_by=long("eve")), 1)


@pytest.mark.broker
async def test_lost_doubled_and_turned_letters_are_found() -> None:
    require_rabbitmq()
    async with a_scene(accounts=2) as scene:
        await scene.fill(4)
        async with raw_amqp(scene.url) as client:
            first = await client.get(scene.queue)
            assert first is not None
            assert digest_of(first) == scene.digests["letter-1"]
        told = await scene.wrong_with_the_rest(set(), patience_s=0.1)
        assert told == [
            "the rest is not as it was: 1 lost, 0 too many, 0 twice; expected 4",
            "from place 0 on the order is another: letter-2",
        ]
        await scene.fill(4)
        assert await scene.wrong_with_the_rest(set()) == []
