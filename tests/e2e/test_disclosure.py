"""People are told that they talk to an automation: what arrives, and what the outcome says."""

import asyncio
import json
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.dead_letters.tool import dead
from tests.support.builders import a_document
from tests.support.own_worker import worker_with
from tests.support.system import System
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker

TELLING, SILENT = "17841400000000111", "17841400000000112"
ENGLISH, GERMAN = "You are talking to our assistant.", "Du schreibst mit unserem Assistenten."
LAPSE_S = 4.0
IMAGE = {"attachment": {"type": "image", "payload": {"url": "https://shop.example/1.jpg"}}}


def accounts_file(folder: Path) -> Path:
    path = folder / "accounts.json"
    disclosure = {"text": ENGLISH, "texts": {"de": GERMAN}, "after_s": LAPSE_S}
    document = {
        "defaults": {"disclosure": disclosure},
        "accounts": {
            TELLING: {"token": "IGAAtelling"},
            SILENT: {"token": "IGAAsilent", "disclosure": False},
        },
    }
    path.write_text(json.dumps(document))
    return path


def to(person: str, account_id: str = TELLING, **fields: Any) -> dict[str, Any]:
    return a_document(id=token_hex(6), account_id=account_id, recipient={"id": person}, **fields)


async def test_it_arrives_first_once_and_again_after_a_lapse_or_a_person(
    system: System, tmp_path: Path
) -> None:
    for account_id, token in ((TELLING, "IGAAtelling"), (SILENT, "IGAAsilent")):
        await system.sandbox.admin("PUT", f"accounts/{account_id}", {"token": token})

    async def arrived(person: str, account_id: str = TELLING) -> list[Any]:
        messages = await system.sandbox.messages(account_id)
        bodies = [each["body"] for each in messages if each["recipient_id"] == person]
        return [body["message"] for body in bodies if "message" in body]

    async with worker_with(system, tmp_path, accounts_file(tmp_path)) as (_, producer):
        first, second = await asyncio.gather(
            *(producer.outcome_of(to("730001", messages=[IMAGE, {"text": t}])) for t in "ab")
        )
        told = await arrived("730001")
        assert told[0] == {"text": ENGLISH}
        assert told.count({"text": ENGLISH}) == 1
        (with_it,) = [each for each in (first, second) if each["disclosure"] is not None]
        assert with_it["disclosure"]["message_id"] not in with_it["message_ids"]
        assert [len(each["message_ids"]) for each in (first, second)] == [2, 2]

        await producer.outcome_of(to("730002", sender_action="typing_on"))
        await producer.outcome_of(to("730002", author="human", message={"text": "Ann here"}))
        await producer.outcome_of(to("730002", locale="de-AT", message={"text": "hallo"}))
        await producer.outcome_of(to("730002", locale="de-AT", message={"text": "noch da?"}))
        assert [each["text"] for each in await arrived("730002")] == [
            "Ann here", GERMAN, "hallo", "noch da?",
        ]  # fmt: skip

        await asyncio.sleep(LAPSE_S)
        later = await producer.outcome_of(to("730001", message={"text": "c"}))
        assert later["disclosure"] is not None
        assert (await arrived("730001"))[-2:] == [{"text": ENGLISH}, {"text": "c"}]

        silent = await producer.outcome_of(to("730003", SILENT, message={"text": "d"}))
        assert silent["disclosure"] is None
        assert await arrived("730003", SILENT) == [{"text": "d"}]


async def test_refusal_behind_it_leaves_it_told_and_a_replay_does_not_repeat_it(
    system: System, tmp_path: Path
) -> None:
    await system.sandbox.admin("PUT", f"accounts/{TELLING}", {"token": "IGAAtelling"})
    match = {"account_id": TELLING, "recipient_id": "730011", "kind": "image"}
    await system.sandbox.admin("POST", "faults", {"match": match, "scenario": "media_too_big"})
    accounts, prefix = accounts_file(tmp_path), f"{system.broker.prefix}.{token_hex(3)}"
    own = {"IGSEND_PREFIX": prefix, "IGSEND_PARTITIONS": "1", "IGSEND_ACCOUNTS": str(accounts)}
    async with worker_with(system, tmp_path, accounts, prefix=prefix) as (_, producer):
        request = to("730011", message=IMAGE)
        outcome = await producer.outcome_of(request)
        assert (outcome["status"], outcome["message_ids"]) == ("failed", [])
        assert outcome["disclosure"] is not None
        following = await producer.outcome_of(to("730011", message={"text": "sorry"}))
        assert (following["status"], following["disclosure"]) == ("sent", None)
        replay = await dead(
            "replay", "rejected", "--yes", "--json", settings={**system.settings, **own}
        )
        assert replay.code == 0, replay.err
        sent = ("text", ENGLISH), ("text", "sorry"), ("attachment", IMAGE["attachment"])

        async def arrived() -> list[Any]:
            messages = await system.sandbox.messages(TELLING)
            return [m["body"]["message"] for m in messages if m["recipient_id"] == "730011"]

        async def all_arrived() -> bool:
            return len(await arrived()) == len(sent)

        await eventually(all_arrived)
        assert [next(iter(each.items())) for each in await arrived()] == list(sent)
