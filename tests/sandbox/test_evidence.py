"""The witness: what was accepted and called, in order, bounded, and without any token."""

import asyncio
import json
import time
from typing import Any

import aiohttp
import pytest

from tests.sandbox.caller import (
    ACCOUNT,
    OTHER_ACCOUNT,
    OTHER_TOKEN,
    PERSON,
    TOKEN,
    Caller,
    a_text,
    an_action,
)
from worker.sandbox.graph_server import RunningSandbox, running_sandbox
from worker.sandbox.ledger import Ledger
from worker.sandbox.state import SandboxState
from worker.sandbox.world import Comment, World

_DEADLINE_S = 20.0


async def test_accepted_message_is_listed_with_all_its_facts(caller: Caller) -> None:
    before = time.time()
    reply = await caller.send(a_text("Olá"))
    [message] = await caller.admin("GET", "messages")
    assert before <= message.pop("received_at") <= message.pop("accepted_at") <= time.time()
    headers = message.pop("headers")
    assert headers.keys() == {"content-type", "host", "user-agent"}
    assert message == {
        "seq": 1,
        "account_id": ACCOUNT,
        "recipient": {"id": PERSON},
        "recipient_id": PERSON,
        "kind": "text",
        "message_id": reply.json["message_id"],
        "body": a_text("Olá"),
        "api_version": "v23.0",
    }


async def test_body_is_listed_byte_for_byte(caller: Caller) -> None:
    body = b'{ "message":{"text":"\\u00e9 1"} , "recipient":{"id":"1"}}'
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    await caller.call("POST", f"/v23.0/{ACCOUNT}/messages", data=body, headers=headers)
    listed = await caller.call("GET", "/_sandbox/messages")
    assert body.decode() in listed.text


async def test_messages_are_in_order_and_filtered(caller: Caller) -> None:
    for to in ("1", "2", "1"):
        await caller.send(a_text(to=to))
    await caller.send(a_text(to="1"), account=OTHER_ACCOUNT, token=OTHER_TOKEN)

    async def seqs(query: str) -> list[int]:
        return [message["seq"] for message in await caller.admin("GET", f"messages?{query}")]

    assert await seqs("") == [1, 2, 3, 4]
    assert await seqs("recipient_id=1") == [1, 3, 4]
    assert await seqs(f"account_id={ACCOUNT}&recipient_id=1") == [1, 3]
    assert await seqs("since_seq=2") == [3, 4]
    assert await seqs("since_seq=9") == []
    assert await seqs("recipient_id=9") == []


@pytest.mark.parametrize("query", ["since_seq=x", "since_seq=-1", "recipient=1"])
@pytest.mark.parametrize("path", ["messages", "calls"])
async def test_wrong_filter_is_refused(path: str, query: str, caller: Caller) -> None:
    reply = await caller.call("GET", f"/_sandbox/{path}?{query}")
    assert reply.status == 400
    assert query.partition("=")[0] in reply.json["error"]


async def test_clearing_forgets_messages_and_calls_and_numbers_go_on(caller: Caller) -> None:
    await caller.send(a_text())
    assert await caller.admin("DELETE", "messages") == []
    assert await caller.admin("GET", "messages") == []
    assert await caller.admin("GET", "calls") == []
    await caller.send(a_text())
    [message] = await caller.admin("GET", "messages")
    assert message["seq"] == 2


async def test_every_call_is_listed_with_its_verdict(caller: Caller) -> None:
    await caller.script(status=500, error={"code": 2}, match={"recipient_id": "7"})
    await caller.send(a_text())
    await caller.send(a_text(""))
    await caller.send(a_text(to="7"))
    await caller.call("GET", "/v23.0/me", headers={"Authorization": f"Bearer {TOKEN}"})
    await caller.send(a_text(), token="IGAAunknown")
    calls = await caller.admin("GET", "calls")
    shown = [(call["verdict"], call["status"], call["code"], call["subcode"]) for call in calls]
    assert shown == [
        ("accepted", 200, None, None),
        ("refused", 400, 100, 2018034),
        ("fault", 500, 2, None),
        ("read", 200, None, None),
        ("refused", 400, 190, None),
    ]
    assert [call["message_seq"] for call in calls] == [1, None, None, None, None]
    assert [call["kind"] for call in calls] == ["text", None, "text", None, None]
    assert all(call["received_at"] <= call["decided_at"] <= call["answered_at"] for call in calls)
    assert [call["seq"] for call in await caller.admin("GET", "calls?since_seq=3")] == [4, 5]
    assert len(await caller.admin("GET", "calls?recipient_id=7")) == 1


async def test_call_under_way_is_listed_as_open(sandbox: RunningSandbox, caller: Caller) -> None:
    await caller.script(latency_s=60, latency_at="after_accepting")
    calling = asyncio.create_task(caller.send(a_text()))
    await sandbox.wait_for_accepted(1, deadline_s=_DEADLINE_S)
    [call] = await caller.admin("GET", "calls")
    assert (call["verdict"], call["accepted"], call["answered_at"]) == ("open", True, None)
    calling.cancel()


async def test_client_that_leaves_within_its_body_is_on_record(
    sandbox: RunningSandbox, caller: Caller
) -> None:
    host, port = sandbox.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        f"POST /v23.0/{ACCOUNT}/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        'Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{"recip'.encode()
    )
    await writer.drain()
    await sandbox.state.ledger.wait_until(lambda: bool(sandbox.calls), deadline_s=_DEADLINE_S)
    writer.close()
    await writer.wait_closed()
    [call] = await sandbox.wait_for_decided(1, deadline_s=_DEADLINE_S)
    assert (call.verdict, call.accepted, call.status) == ("aborted", False, None)


async def test_stats_count_verdicts_kinds_and_errors(caller: Caller) -> None:
    await caller.send(a_text())
    await caller.send(an_action("typing_on"))
    await caller.send(a_text(""))
    stats = await caller.admin("GET", "stats")
    assert stats["counters"] == {
        "accepted.text": 1,
        "accepted.typing_on": 1,
        "calls.accepted": 2,
        "calls.refused": 1,
        "errors.100/2018034": 1,
    }
    assert (stats["messages_kept"], stats["calls_kept"]) == (2, 3)
    assert (stats["last_message_seq"], stats["last_call_seq"]) == (2, 3)


async def test_only_the_newest_are_kept_and_counts_go_on() -> None:
    state = SandboxState(ledger=Ledger(keep=3), world=World(keep=3))
    async with (
        running_sandbox(state, accounts={ACCOUNT: TOKEN}) as sandbox,
        aiohttp.ClientSession() as session,
    ):
        caller = Caller(sandbox.url, session)
        for _ in range(5):
            await caller.send(a_text())
        assert [message.seq for message in sandbox.accepted] == [3, 4, 5]
        listed = await caller.admin("GET", "messages?since_seq=3")
        assert [message["seq"] for message in listed] == [4, 5]
        stats = await caller.admin("GET", "stats")
        assert (stats["messages_kept"], stats["last_message_seq"], stats["keep"]) == (3, 5, 3)
        assert stats["world"]["messages"] == 3


def test_world_forgets_what_was_touched_longest_ago() -> None:
    world = World(keep=2)
    for comment_id in ("1", "2", "1", "3"):
        world.comment_appeared(comment_id, Comment(ACCOUNT, comment_id, at=0.0))
        world.post_published(ACCOUNT, comment_id)
    assert world.sizes() == {"people": 2, "comments": 2, "posts": 2, "messages": 0}


async def test_waiting_ends_when_enough_was_accepted(caller: Caller) -> None:
    waiting = asyncio.create_task(caller.admin("GET", "wait?accepted=2&within_s=20"))
    await caller.send(a_text())
    await caller.send(a_text())
    assert await waiting == {"accepted": 2}


async def test_waiting_in_vain_says_how_far_it_got(sandbox: RunningSandbox, caller: Caller) -> None:
    await caller.send(a_text())
    reply = await caller.call("GET", "/_sandbox/wait?accepted=2&within_s=0")
    assert reply.status == 408
    assert "1 of 2" in reply.json["error"]
    with pytest.raises(TimeoutError, match="1 of 3"):
        await sandbox.wait_for_accepted(3, deadline_s=0.01)


async def test_index_names_every_endpoint(caller: Caller) -> None:
    index = await caller.admin("GET", "")
    assert any("/_sandbox/messages" in line for line in index["endpoints"])
    for line in index["endpoints"]:
        methods, path = line.split(" ")
        if "GET" in methods and "wait" not in path:
            await caller.admin("GET", path.removeprefix("/_sandbox/"))


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "nothing"), ("POST", "messages"), ("DELETE", "faults/99")]
)
async def test_unknown_endpoint_of_the_sandbox_is_not_found(
    method: str, path: str, caller: Caller
) -> None:
    reply = await caller.call(method, f"/_sandbox/{path}")
    assert reply.status == 404
    assert "/_sandbox/" in reply.json["error"]


async def test_sandbox_endpoints_are_no_calls(sandbox: RunningSandbox, caller: Caller) -> None:
    await caller.admin("GET", "messages")
    assert sandbox.calls == []


async def test_no_output_holds_a_token(sandbox: RunningSandbox, caller: Caller) -> None:
    await caller.send(a_text())
    await caller.send(a_text(), account=OTHER_ACCOUNT)
    await caller.call("GET", f"/v23.0/me?access_token={TOKEN}")
    await caller.call("POST", f"/v23.0/{ACCOUNT}/messages?access_token={TOKEN}", json=a_text())
    outputs: list[Any] = [
        await caller.admin("GET", path)
        for path in ("messages", "calls", "stats", "accounts", "settings", "faults")
    ]
    shown = json.dumps(outputs) + repr(sandbox) + repr(sandbox.calls) + repr(sandbox.accepted)
    assert TOKEN not in shown
    assert TOKEN not in repr(sandbox.state.accounts.known())


async def test_concurrent_calls_are_each_recorded_once(
    sandbox: RunningSandbox, caller: Caller
) -> None:
    people = [str(1000 + number) for number in range(300)]
    replies = await asyncio.gather(*(caller.send(a_text(to=person)) for person in people))
    assert {reply.status for reply in replies} == {200}
    assert sorted(message.recipient_id for message in sandbox.accepted) == sorted(people)
    assert [message.seq for message in sandbox.accepted] == list(range(1, 301))
