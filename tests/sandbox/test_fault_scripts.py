"""Fault scripts are read strictly, and each ready-made scenario does what its name says."""

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.sandbox.caller import ACCOUNT, Caller, a_text
from worker.sandbox.graph_server import RunningSandbox
from worker.sandbox.scenarios import SCENARIOS

_WRONG: dict[str, tuple[Any, str]] = {
    "no script": ({}, "nothing happens"),
    "a match alone": ({"match": {"account_id": "1"}}, "nothing happens"),
    "not an object": ([], "object"),
    "unknown field": ({"status": 500, "delay": 5}, "delay"),
    "unknown match": ({"status": 500, "match": {"metadata": {}}}, "match.metadata"),
    "account as number": ({"status": 500, "match": {"account_id": 5}}, "match.account_id"),
    "unknown kind": ({"status": 500, "match": {"kind": "song"}}, "match.kind"),
    "empty text": ({"status": 500, "match": {"text_contains": ""}}, "match.text_contains"),
    "no times": ({"status": 500, "times": 0}, "times"),
    "times as text": ({"status": 500, "times": "2"}, "times"),
    "negative skip": ({"status": 500, "skip": -1}, "skip"),
    "status out of range": ({"status": 99}, "status"),
    "error without code": ({"error": {"message": "x"}}, "error.code"),
    "error with a stray key": ({"error": {"code": 1, "subcode": 5}}, "error.subcode"),
    "error and body": ({"error": {"code": 1}, "body": "x"}, "error and body"),
    "type without body": ({"status": 500, "content_type": "text/html"}, "content_type"),
    "type of two lines": ({"body": "x", "content_type": "a/b\r\nX: y"}, "content_type"),
    "header of two lines": ({"headers": {"X-A": "b\r\nX-C: d"}}, "headers"),
    "length by header": ({"headers": {"Content-Length": "5"}}, "Content-Length"),
    "negative latency": ({"latency_s": -1}, "latency_s"),
    "unknown stage": ({"latency_s": 1, "latency_at": "later"}, "latency_at"),
    "hang and reset": ({"hang": True, "reset": "before_accepting"}, "exclude"),
    "hang with an answer": ({"hang": True, "status": 500}, "hang"),
    "unknown reset": ({"reset": "never"}, "reset"),
    "reset with accept": ({"reset": "after_accepting", "accept": True}, "accept"),
    "unread but matched by recipient": (
        {"reset": "before_reading", "match": {"recipient_id": "5"}},
        "account_id only",
    ),
    "nothing to cut": ({"cut": True, "status": 500}, "cut"),
    "omitting from an error": ({"omit_message_id": True, "status": 500}, "omit_message_id"),
    "unknown scenario": ({"scenario": "earthquake"}, "throttled_1m"),
    "scenario as list": ({"scenario": ["throttled_1m"]}, "throttled_1m"),
}


@pytest.mark.parametrize("name", _WRONG)
async def test_wrong_script_is_refused_with_what_and_where(name: str, caller: Caller) -> None:
    script, place = _WRONG[name]
    reply = await caller.call("POST", "/_sandbox/faults", json=script)
    assert reply.status == 400
    assert place in reply.json["error"]
    assert await caller.admin("GET", "faults") == []


async def test_script_that_is_no_json_is_refused(caller: Caller) -> None:
    reply = await caller.call("POST", "/_sandbox/faults", data=b"{")
    assert (reply.status, "not JSON" in reply.json["error"]) == (400, True)


# What the client sees (status, code, subcode; or how it failed) and whether it counts.
_SCENARIOS: dict[str, tuple[Any, bool]] = {
    "throttled_1m": ((429, 613, 2534040), False),
    "throttled_retry_after": ((429, 613, 2534040), False),
    "throttled_bare": (429, False),
    "throttled_app": ((400, 4, None), False),
    "throttled_person": ((400, 613, 2018338), False),
    "expired_token": ((400, 190, 463), False),
    "password_changed": ((400, 190, 460), False),
    "permission_revoked": ((403, 10, None), False),
    "policy_block": ((400, 368, None), False),
    "access_switched_off": ((400, 200, 2534041), False),
    "window_closed": ((403, 10, 2534022), False),
    "person_unavailable": ((400, 551, None), False),
    "no_such_person": ((400, 100, 2534014), False),
    "comment_spent": ((400, 100, 2534025), False),
    "media_not_fetched": ((400, 100, 2018008), False),
    "media_too_big": ((400, 100, 2018109), False),
    "temporary_error": ((500, 2, None), False),
    "error_after_accept": ((400, 1, 1357046), True),
    "error_with_200": ((200, 2, 1545133), False),
    "html_502": (502, False),
    "html_502_after_accept": (502, True),
    "empty_500": (500, False),
    "ok_without_id": (200, True),
    "ok_not_json": (200, True),
    "reset_before_reading": (aiohttp.ClientOSError, False),
    "reset_before_accept": (aiohttp.ClientOSError, False),
    "reset_after_accept": (aiohttp.ClientOSError, True),
    "cut_answer": (aiohttp.ClientPayloadError, True),
    "hang_before_accept": (asyncio.CancelledError, False),
    "hang_after_accept": (asyncio.CancelledError, True),
    "slow_5s": (200, True),
}


def test_every_scenario_is_in_the_table() -> None:
    assert _SCENARIOS.keys() == SCENARIOS.keys()


@pytest.mark.parametrize("name", _SCENARIOS)
async def test_scenario_does_what_its_name_says(
    name: str, sandbox: RunningSandbox, caller: Caller
) -> None:
    expected, counts = _SCENARIOS[name]
    shortened = {"latency_s": 0.05} if name == "slow_5s" else {}
    await caller.script(scenario=name, match={"account_id": ACCOUNT}, **shortened)
    calling = asyncio.create_task(caller.send(a_text()))
    await sandbox.wait_for_decided(1)
    if expected is asyncio.CancelledError:
        # Nothing will come, so the client gives up.
        calling.cancel()
    if isinstance(expected, type):
        with pytest.raises(expected):
            await calling
    else:
        reply = await calling
        assert (reply.error if isinstance(expected, tuple) else reply.status) == expected
    assert len(sandbox.accepted) == int(counts)
    assert sandbox.calls[0].verdict == "fault"


async def test_scenarios_are_listed_with_their_meaning(caller: Caller) -> None:
    listed = await caller.admin("GET", "scenarios")
    assert listed.keys() == SCENARIOS.keys()
    assert all(entry["meaning"] and entry["script"] for entry in listed.values())


async def test_fields_beside_a_scenario_win_over_it(caller: Caller) -> None:
    await caller.script(scenario="throttled_1m", status=400, regain_access_minutes=9, times=2)
    reply = await caller.send(a_text())
    assert reply.error == (400, 613, 2534040)
    assert ":9}" in reply.headers["x-business-use-case-usage"]
