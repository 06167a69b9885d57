"""A dead letter that is published again with the headers of a replay, through a real broker."""

import json
from typing import Any

import pytest

from tests.support.nodes import Broker
from tests.support.raw_amqp import RawMessage, long, raw_amqp, table
from tests.support.stage import ACCOUNT, Stage, a_message, a_stage, a_text
from worker.core.reason import Reason
from worker.core.replay import COUNT, Doubt, Replay

pytestmark = pytest.mark.broker

REPLAY = Replay("20261123T101500-7f3a", 1, "ada")


async def replayed(stage: Stage, letter: RawMessage, replay: Replay, reason: Reason) -> None:
    """Do what the tool does with a letter."""
    kept = (b"x-igsend-sent-parts", b"x-igsend-recipient-id", b"x-igsend-unknown-since")
    headers = {name: value for name, value in letter.headers.items() if name in kept}
    headers |= letter.foreign_headers
    headers[b"x-igsend-reason"] = long(reason.value)
    for name, value in replay.headers().items():
        is_count = name == COUNT
        headers[name.encode()] = b"I" + replay.count.to_bytes(4) if is_count else long(str(value))
    again = RawMessage(letter.body, {**letter.properties, "headers": table(headers)})
    async with raw_amqp(stage.broker.amqp_url) as client:
        await client.publish(again, exchange=stage.names.bulk, routing_key=ACCOUNT)


async def struck(stage: Stage, document: dict[str, Any], **fault: object) -> None:
    """Publish a request that the sandbox strikes once."""
    match = {"recipient_id": document["recipient"]["id"]}
    stage.sandbox.add_fault(match=match, **fault)
    await stage.publish(a_message(document))


async def test_replay_is_sent_and_announced_by_name_although_nobody_wants_outcomes(
    broker: Broker,
) -> None:
    async with a_stage(broker, outcomes="none") as stage:
        document = a_text(metadata={"campaign": "spring"})
        await struck(stage, document, scenario="person_unavailable")
        await stage.idle()
        (letter,) = await stage.dead(Reason.REJECTED)
        await replayed(stage, letter, REPLAY, Reason.REJECTED)
        (outcome,) = await stage.outcome_count(1)
        assert (outcome["id"], outcome["status"]) == (document["id"], "sent")
        assert outcome["replay"] == {"batch": REPLAY.batch, "count": 1, "operator": "ada"}
        assert outcome["metadata"] == {"campaign": "spring"}
        # A copy of the same letter, as a tool leaves it that was killed before its ack.
        await replayed(stage, letter, Replay("later", 1, "ada"), Reason.REJECTED)
        (_, again) = await stage.outcome_count(2)
        assert again["duplicate"]
        assert again["replay"]["batch"] == "later"
        await stage.idle(sent=1)
        assert await stage.counts() == {}


async def test_unconfirmed_letter_is_looked_for_and_not_sent_again(broker: Broker) -> None:
    async with a_stage(broker) as stage:
        document = a_text(on_unknown="hold")
        await struck(stage, document, scenario="reset_after_accept")
        await stage.idle(sent=1)
        (letter,) = await stage.dead(Reason.UNCONFIRMED)
        assert b"x-igsend-unknown-since" in letter.headers
        looked_for = Replay(REPLAY.batch, 1, "ada", doubt=Doubt.VERIFY)
        await replayed(stage, letter, looked_for, Reason.UNCONFIRMED)
        outcomes = await stage.outcome_count(2)
        assert [outcome["status"] for outcome in outcomes] == ["held", "sent"]
        assert len(stage.sandbox.accepted) == 1
        assert json.loads(letter.body) == document
