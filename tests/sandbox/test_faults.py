"""Each fault as the client sees it, which calls it strikes, and what counts as accepted."""

import asyncio
import json
import socket
from typing import Any

import aiohttp
import pytest

from tests.sandbox.caller import (
    ACCOUNT,
    OTHER_ACCOUNT,
    OTHER_TOKEN,
    TOKEN,
    Caller,
    Reply,
    a_file,
    a_private_reply,
    a_text,
    an_action,
)
from worker.sandbox.graph_server import RunningSandbox

_DEADLINE_S = 20.0


async def _raw_call(sandbox: RunningSandbox, body: dict[str, Any]) -> socket.socket:
    """Send a call on a plain socket and leave the answer unread."""
    payload = json.dumps(body).encode()
    head = (
        f"POST /v23.0/{ACCOUNT}/messages HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n\r\n"
    )
    host, port = sandbox.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_sendall(connection, head.encode() + payload)
    return connection


async def _read(connection: socket.socket) -> bytes:
    async with asyncio.timeout(_DEADLINE_S):
        return await asyncio.get_running_loop().sock_recv(connection, 65536)


async def _accepted_after(sandbox: RunningSandbox, count: int) -> int:
    """Count what was accepted once `count` calls are decided."""
    await sandbox.wait_for_decided(count, deadline_s=_DEADLINE_S)
    return len(sandbox.accepted)


async def test_error_is_answered_as_scripted(sandbox: RunningSandbox, caller: Caller) -> None:
    error = {"code": 2, "error_subcode": 1545133, "is_transient": True, "type": "OAuthException"}
    await caller.script(status=500, error={**error, "message": "so it is"})
    reply = await caller.send(a_text())
    assert reply.error == (500, 2, 1545133)
    assert reply.json["error"].items() >= {**error, "message": "so it is"}.items()
    assert "fbtrace_id" in reply.json["error"]
    assert sandbox.accepted == []
    assert (await caller.send(a_text())).status == 200


@pytest.mark.parametrize(("code", "status"), [(10, 403), (190, 400), (613, 400)])
async def test_error_without_status_gets_the_usual_one(
    code: int, status: int, caller: Caller
) -> None:
    await caller.script(error={"code": code})
    assert (await caller.send(a_text())).error == (status, code, None)


async def test_raw_body_status_type_and_headers_are_answered_as_scripted(caller: Caller) -> None:
    headers = {"Retry-After": "7", "X-App-Usage": '{"call_volume":99,"cpu_time":1}'}
    await caller.script(status=503, body="<p>later</p>", content_type="text/html", headers=headers)
    reply = await caller.send(a_text())
    assert (reply.status, reply.text) == (503, "<p>later</p>")
    assert reply.headers["content-type"] == "text/html"
    assert reply.headers["retry-after"] == "7"
    assert reply.headers["x-app-usage"] == '{"call_volume":99,"cpu_time":1}'


async def test_status_alone_is_an_empty_body(caller: Caller) -> None:
    await caller.script(status=500)
    reply = await caller.send(a_text())
    assert (reply.status, reply.text) == (500, "")


async def test_success_may_carry_headers(sandbox: RunningSandbox, caller: Caller) -> None:
    await caller.script(headers={"X-App-Usage": '{"call_volume":97,"cpu_time":1}'})
    reply = await caller.send(a_text())
    assert reply.json["message_id"] == sandbox.accepted[0].message_id
    assert "97" in reply.headers["x-app-usage"]


async def test_regain_access_is_told_in_minutes_under_the_accounts_id(caller: Caller) -> None:
    await caller.script(status=429, error={"code": 80002}, regain_access_minutes=3)
    reply = await caller.send(a_text())
    usage = json.loads(reply.headers["x-business-use-case-usage"])
    assert usage[ACCOUNT][0]["estimated_time_to_regain_access"] == 3
    assert reply.status == 429


@pytest.mark.parametrize("accept", [True, False])
async def test_accept_says_whether_a_failed_call_counts(
    accept: bool, sandbox: RunningSandbox, caller: Caller
) -> None:
    await caller.script(status=502, body="x", accept=accept)
    assert (await caller.send(a_text())).status == 502
    assert len(sandbox.accepted) == int(accept)
    assert sandbox.calls[0].accepted is accept


async def test_accepted_private_reply_stays_accepted_whatever_was_answered(caller: Caller) -> None:
    await caller.script(scenario="html_502_after_accept")
    assert (await caller.send(a_private_reply())).status == 502
    assert (await caller.send(a_private_reply())).error == (400, 100, 2534025)


@pytest.mark.parametrize("stage", ["before_reading", "before_accepting", "after_accepting"])
async def test_reset_is_a_reset_at_every_stage(
    stage: str, sandbox: RunningSandbox, caller: Caller
) -> None:
    await caller.script(reset=stage)
    with await _raw_call(sandbox, a_text()) as connection:
        with pytest.raises(ConnectionResetError):
            await _read(connection)
        assert await _accepted_after(sandbox, 1) == int(stage == "after_accepting")
    [call] = sandbox.calls
    assert (call.verdict, call.status, call.answered_at) == ("fault", None, None)


@pytest.mark.parametrize("accept", [True, False])
async def test_hang_answers_nothing_until_the_client_leaves(
    accept: bool, sandbox: RunningSandbox, caller: Caller
) -> None:
    await caller.script(hang=True, accept=accept)
    with await _raw_call(sandbox, a_text()) as connection:
        assert await _accepted_after(sandbox, 1) == int(accept)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
    assert sandbox.calls[0].answered_at is None
    assert (await caller.send(a_text())).status == 200


async def test_cut_breaks_off_in_the_middle_of_the_body(
    sandbox: RunningSandbox, caller: Caller
) -> None:
    await caller.script(cut=True)
    with pytest.raises(aiohttp.ClientPayloadError):
        await caller.send(a_text())
    assert await _accepted_after(sandbox, 1) == 1


async def test_cut_of_a_scripted_body_sends_half_of_it(
    sandbox: RunningSandbox, caller: Caller
) -> None:
    await caller.script(cut=True, status=500, body="0123456789", accept=False)
    with await _raw_call(sandbox, a_text()) as connection:
        received = b""
        while chunk := await _read(connection):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"500" in head.splitlines()[0]
    assert b"content-length: 10" in head.lower()
    assert body == b"01234"
    assert sandbox.accepted == []


@pytest.mark.parametrize(
    ("stage", "accepted_meanwhile"), [("before_accepting", 0), ("after_accepting", 1)]
)
async def test_latency_comes_before_or_after_acceptance(
    stage: str, accepted_meanwhile: int, sandbox: RunningSandbox, caller: Caller
) -> None:
    await caller.script(latency_s=0.2, latency_at=stage)
    calling = asyncio.create_task(caller.send(a_text()))
    if accepted_meanwhile:
        await sandbox.wait_for_accepted(1, deadline_s=_DEADLINE_S)
        assert not calling.done()
    assert (await calling).status == 200
    [call] = sandbox.calls
    [message] = sandbox.accepted
    assert call.answered_at is not None
    before_s = message.accepted_at - call.received_at
    after_s = call.answered_at - message.accepted_at
    assert (after_s if accepted_meanwhile else before_s) >= 0.19


async def test_message_is_accepted_although_the_client_left_during_the_latency(
    sandbox: RunningSandbox, caller: Caller
) -> None:
    await caller.script(latency_s=0.1)
    with await _raw_call(sandbox, a_text()):
        pass
    await sandbox.wait_for_accepted(1, deadline_s=_DEADLINE_S)


async def test_slow_private_replies_to_one_comment_are_still_accepted_once(
    sandbox: RunningSandbox, caller: Caller
) -> None:
    await caller.script(latency_s=0.1, times=None)
    replies = await asyncio.gather(*(caller.send(a_private_reply()) for _ in range(5)))
    assert sorted(reply.status for reply in replies) == [200, 400, 400, 400, 400]
    assert len(sandbox.accepted) == 1


async def test_without_message_id_the_message_counts(
    sandbox: RunningSandbox, caller: Caller
) -> None:
    await caller.script(omit_message_id=True)
    reply = await caller.send(a_text())
    assert (reply.status, reply.json.keys()) == (200, {"recipient_id"})
    assert sandbox.accepted[0].message_id is not None


async def test_skip_and_times_pick_the_calls_that_are_struck(caller: Caller) -> None:
    await caller.script(status=500, skip=2, times=2)
    statuses = [(await caller.send(a_text())).status for _ in range(6)]
    assert statuses == [200, 200, 500, 500, 200, 200]
    [listed] = await caller.admin("GET", "faults")
    assert (listed["seen"], listed["struck"]) == (4, 2)


async def test_null_times_strikes_until_it_is_removed(caller: Caller) -> None:
    fault_id = await caller.script(status=500, times=None)
    assert [(await caller.send(a_text())).status for _ in range(3)] == [500] * 3
    await caller.admin("DELETE", f"faults/{fault_id}")
    assert (await caller.send(a_text())).status == 200
    assert await caller.admin("GET", "faults") == []


async def test_fault_added_first_strikes_first(caller: Caller) -> None:
    await caller.script(status=501)
    await caller.script(status=502, match={"recipient_id": "1"})
    await caller.script(status=503, match={"account_id": ACCOUNT})
    statuses = [(await caller.send(a_text(to="1"))).status for _ in range(4)]
    assert statuses == [501, 502, 503, 200]


_MATCHES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "recipient": ({"recipient_id": "1"}, a_text(to="1"), a_text(to="2")),
    "comment": ({"comment_id": "8"}, a_private_reply(comment_id="8"), a_private_reply()),
    "text": ({"text_contains": "bird"}, a_text("a bird sings"), a_text("a dog barks")),
    "kind": ({"kind": "typing_on"}, an_action("typing_on"), an_action("typing_off")),
    "media kind": ({"kind": "audio"}, a_file("audio", "https://e.com/a.wav"), a_text("a.wav")),
    "text of a message without text": (
        {"text_contains": "a"},
        a_text("a"),
        a_file("audio", "https://e.com/a.wav"),
    ),
    "two fields": (
        {"recipient_id": "1", "kind": "text"},
        a_text(to="1"),
        {**an_action("typing_on"), "recipient": {"id": "1"}},
    ),
}


@pytest.mark.parametrize("name", _MATCHES)
async def test_fault_strikes_what_it_matches_and_nothing_else(name: str, caller: Caller) -> None:
    match, struck, spared = _MATCHES[name]
    await caller.script(status=500, match=match, times=None)
    assert (await caller.send(spared)).status == 200
    assert (await caller.send(struck)).status == 500


@pytest.mark.parametrize("script", [{"status": 500}, {"reset": "before_reading"}])
async def test_fault_of_one_account_spares_the_other(
    script: dict[str, Any], caller: Caller
) -> None:
    await caller.script(**script, match={"account_id": OTHER_ACCOUNT}, times=None)
    assert (await caller.send(a_text())).status == 200
    struck: Reply | None = None
    try:
        struck = await caller.send(a_text(), account=OTHER_ACCOUNT, token=OTHER_TOKEN)
    except aiohttp.ClientOSError:
        assert "reset" in script
    assert struck is None or struck.status == script["status"]


async def test_call_the_rules_refuse_uses_up_no_fault(caller: Caller) -> None:
    await caller.script(status=500)
    assert (await caller.send(a_text(""))).error == (400, 100, 2018034)
    assert (await caller.send(a_text(), token="IGAAunknown")).error == (400, 190, None)
    assert (await caller.send(a_text())).status == 500


async def test_thousands_of_faults_for_single_persons_do_not_mix(
    sandbox: RunningSandbox, caller: Caller
) -> None:
    for person in range(5000):
        status = 500 + person % 10
        sandbox.add_fault(status=status, match={"recipient_id": str(1000 + person)}, times=1)
    assert (await caller.send(a_text(to="5321"))).status == 501
    assert (await caller.send(a_text(to="5321"))).status == 200
    assert len(await caller.admin("GET", "faults")) == 5000
    assert await caller.admin("DELETE", "faults") == []
    assert (await caller.send(a_text(to="1000"))).status == 200
