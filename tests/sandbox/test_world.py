"""Windows, tags, comments, posts, reactions: lenient about the unknown, exact about the known."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sandbox.caller import (
    ACCOUNT,
    COMMENT,
    OTHER_ACCOUNT,
    OTHER_TOKEN,
    PERSON,
    TOKEN,
    Caller,
    a_message,
    a_private_reply,
    a_text,
    an_action,
)
from worker.sandbox.graph_server import RunningSandbox

_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S
_TAG = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
_CLOSED = (403, 10, 2534022)
_NOT_APPROVED = (400, 100, 2018276)
_POST = a_message(attachment={"type": "MEDIA_SHARE", "payload": {"id": "9001"}})


async def _inbound(caller: Caller, **more: Any) -> str:
    person = {"account_id": ACCOUNT, "user_id": PERSON}
    answer = await caller.admin("POST", "inbound", {**person, **more})
    return str(answer["message_id"])


async def _comment(caller: Caller, **more: Any) -> None:
    comment = {"account_id": ACCOUNT, "comment_id": COMMENT, "user_id": PERSON}
    await caller.admin("POST", "comments", {**comment, **more})


async def _error_or_none(caller: Caller, body: dict[str, Any]) -> Any:
    reply = await caller.send(body)
    return None if reply.status == 200 else reply.error


@pytest.mark.parametrize(
    ("age_s", "tagged", "human_agent", "expected"),
    [
        (0, False, False, None),
        (_DAY_S - 60, False, False, None),
        (_DAY_S + 60, False, False, _CLOSED),
        (_DAY_S + 60, False, True, _CLOSED),
        (0, True, False, _NOT_APPROVED),
        (_DAY_S + 60, True, False, _NOT_APPROVED),
        (0, True, True, None),
        (_DAY_S + 60, True, True, None),
        (7 * _DAY_S - 60, True, True, None),
        (7 * _DAY_S + 60, True, True, _CLOSED),
    ],
)
async def test_window_by_age_tag_and_permission(
    age_s: float, tagged: bool, human_agent: bool, expected: Any, caller: Caller
) -> None:
    account = {"token": TOKEN, "human_agent": human_agent}
    await caller.admin("PUT", f"accounts/{ACCOUNT}", account)
    await _inbound(caller, at=time.time() - age_s)
    body = a_text(**(_TAG if tagged else {}))
    assert await _error_or_none(caller, body) == expected


@pytest.mark.parametrize("body", [an_action("typing_on"), an_action("mark_seen")])
async def test_closed_window_stops_actions_too(body: dict[str, Any], caller: Caller) -> None:
    await _inbound(caller, at=time.time() - 2 * _DAY_S)
    assert await _error_or_none(caller, body) == _CLOSED


async def test_moments_are_taken_as_text_or_as_unix_seconds(caller: Caller) -> None:
    long_ago = datetime.fromtimestamp(time.time() - 2 * _DAY_S, UTC)
    await _inbound(caller, at=long_ago.isoformat())
    assert await _error_or_none(caller, a_text()) == _CLOSED
    await _inbound(caller, at=int(time.time()))
    assert await _error_or_none(caller, a_text()) is None


async def test_new_message_of_the_person_reopens_the_window(caller: Caller) -> None:
    await _inbound(caller, at=time.time() - 2 * _DAY_S)
    assert await _error_or_none(caller, a_text()) == _CLOSED
    await _inbound(caller, text="are you there?")
    assert await _error_or_none(caller, a_text()) is None


async def test_older_message_arriving_late_does_not_shorten_the_window(caller: Caller) -> None:
    await _inbound(caller)
    await _inbound(caller, at=time.time() - 3 * _DAY_S)
    assert await _error_or_none(caller, a_text()) is None


async def test_window_belongs_to_one_account(caller: Caller) -> None:
    await _inbound(caller, at=time.time() - 2 * _DAY_S)
    reply = await caller.send(a_text(), account=OTHER_ACCOUNT, token=OTHER_TOKEN)
    assert reply.status == 200


async def test_comment_is_answered_once(sandbox: RunningSandbox, caller: Caller) -> None:
    assert await _error_or_none(caller, a_private_reply()) is None
    assert await _error_or_none(caller, a_private_reply()) == (400, 100, 2534025)
    assert len(sandbox.accepted) == 1


async def test_registering_an_answered_comment_again_keeps_it_answered(caller: Caller) -> None:
    await _comment(caller)
    assert await _error_or_none(caller, a_private_reply()) is None
    await _comment(caller)
    assert await _error_or_none(caller, a_private_reply()) == (400, 100, 2534025)


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ({"age_s": 6 * _DAY_S}, None),
        ({"age_s": 7 * _DAY_S + 60}, (400, 100, 2534025)),
        ({"account_id": OTHER_ACCOUNT}, (400, 100, 2534025)),
        ({"live": True}, None),
        ({"live": True, "live_until_age_s": 60}, (400, 100, 2534025)),
        ({"live": True, "live_until_age_s": -60}, None),
    ],
)
async def test_private_reply_by_state_of_the_comment(
    comment: dict[str, Any], expected: Any, caller: Caller
) -> None:
    ages = {"age_s": "at", "live_until_age_s": "live_until"}
    await _comment(
        caller,
        **{
            ages.get(name, name): time.time() - value if name in ages else value
            for name, value in comment.items()
        },
    )
    assert await _error_or_none(caller, a_private_reply()) == expected


async def test_private_reply_opens_no_window(caller: Caller) -> None:
    await _comment(caller)
    assert await _error_or_none(caller, a_private_reply()) is None
    assert await _error_or_none(caller, a_text()) == _CLOSED
    await _inbound(caller)
    assert await _error_or_none(caller, a_text()) is None


async def test_comment_leaves_an_open_window_open(caller: Caller) -> None:
    await _inbound(caller)
    await _comment(caller)
    assert await _error_or_none(caller, a_text()) is None


async def test_post_of_another_account_is_refused(caller: Caller) -> None:
    await caller.admin("POST", "posts", {"account_id": OTHER_ACCOUNT, "post_id": "9001"})
    assert await _error_or_none(caller, _POST) == (400, 100, 33)
    await caller.admin("POST", "posts", {"account_id": ACCOUNT, "post_id": "9001"})
    assert await _error_or_none(caller, _POST) is None


async def test_reaction_reaches_messages_of_the_same_conversation_only(caller: Caller) -> None:
    of_the_person = await _inbound(caller)
    of_someone_else = await _inbound(caller, user_id="777")
    own = (await caller.send(a_text())).json["message_id"]
    for message_id in (of_the_person, own):
        body = an_action("react", message_id=message_id, reaction="love")
        assert await _error_or_none(caller, body) is None
        assert await _error_or_none(caller, an_action("unreact", message_id=message_id)) is None
    body = an_action("react", message_id=of_someone_else, reaction="love")
    assert await _error_or_none(caller, body) == (400, 9000001, None)


_UNKNOWN: dict[str, tuple[dict[str, Any], Any]] = {
    "person": (a_text(to="1"), (400, 100, 2534014)),
    "comment": (a_private_reply(comment_id="1"), (400, 100, 2534025)),
    "post": (_POST, (400, 100, 33)),
    "message": (
        an_action("react", message_id="aWdfunknown", reaction="love"),
        (400, 9000001, None),
    ),
}


@pytest.mark.parametrize("name", _UNKNOWN)
async def test_unknown_exists_unless_strict(name: str, caller: Caller) -> None:
    body, refusal = _UNKNOWN[name]
    await _inbound(caller)
    assert await _error_or_none(caller, body) is None
    await caller.admin("DELETE", "world")
    await _inbound(caller)
    await caller.admin("PUT", "settings", {"strict": True})
    assert await _error_or_none(caller, body) == refusal


async def test_registered_is_accepted_when_strict(caller: Caller) -> None:
    await caller.admin("PUT", "settings", {"strict": True})
    message_id = await _inbound(caller)
    await _comment(caller, user_id="555")
    await caller.admin("POST", "posts", {"account_id": ACCOUNT, "post_id": "9001"})
    for body in (
        a_text(),
        a_private_reply(),
        _POST,
        an_action("react", message_id=message_id, reaction="love"),
    ):
        assert await _error_or_none(caller, body) is None


async def test_forgotten_world_is_unknown_again(caller: Caller) -> None:
    await _inbound(caller, at=time.time() - 2 * _DAY_S)
    await caller.admin("DELETE", "world")
    assert await _error_or_none(caller, a_text()) is None


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("inbound", {"account_id": ACCOUNT}, "user_id"),
        ("inbound", {"account_id": ACCOUNT, "user_id": 5}, "user_id"),
        ("inbound", {"account_id": ACCOUNT, "user_id": "5", "at": "yesterday"}, "at"),
        ("inbound", {"account_id": ACCOUNT, "user_id": "5", "at": "2026-01-01T00:00:00"}, "at"),
        ("inbound", {"account_id": ACCOUNT, "user_id": "5", "at": 1.7e12}, "at"),
        ("inbound", {"account_id": ACCOUNT, "user_id": "5", "at": True}, "at"),
        ("inbound", {"account_id": ACCOUNT, "user_id": "5", "when": 5}, "when"),
        ("comments", {"account_id": ACCOUNT, "user_id": "5", "comment_id": "x"}, "comment_id"),
        ("comments", {"account_id": ACCOUNT, "user_id": "5", "live": "yes"}, "live"),
        ("posts", {"account_id": "me", "post_id": "5"}, "account_id"),
        ("posts", [], "object"),
    ],
)
async def test_wrong_fact_is_answered_with_its_place(
    path: str, body: Any, place: str, caller: Caller
) -> None:
    reply = await caller.call("POST", f"/_sandbox/{path}", json=body)
    assert reply.status == 400
    assert place in reply.json["error"]
