"""What the Conversations API shows of what was sent, and what it keeps to itself."""

import time
from contextlib import nullcontext
from datetime import datetime
from typing import Any

import aiohttp
import pytest

from tests.sandbox.caller import (
    ACCOUNT,
    IMAGE,
    OTHER_ACCOUNT,
    OTHER_TOKEN,
    PERSON,
    Caller,
    a_file,
    a_generic,
    a_message,
    a_private_reply,
    a_text,
    an_action,
    quick_replies,
)
from tests.sandbox.reader import DETAILS, conversation_with, messages_with, read, unhurried
from worker.sandbox.graph_server import RunningSandbox
from worker.sandbox.read_rate import ReadRate
from worker.sandbox.refusal import GraphRefusal
from worker.sandbox.threads import ThreadMessage, Threads

_DELETED = (400, 9000001, None)
_NO_OBJECT = (400, 100, 33)
_TOO_MANY = (400, 613, None)


@pytest.fixture
async def reader(caller: Caller) -> Caller:
    """A caller that may ask as often as it likes."""
    await unhurried(caller)
    return caller


async def test_sent_message_is_listed_with_its_details(reader: Caller) -> None:
    before = int(time.time())
    sent = (await reader.send(a_text("Olá"))).json
    [message] = await messages_with(reader)
    created = datetime.strptime(message.pop("created_time"), "%Y-%m-%dT%H:%M:%S%z").timestamp()
    assert before <= created <= time.time()
    assert message == {
        "id": sent["message_id"],
        "from": {"username": "sandbox.304914", "id": ACCOUNT},
        "to": {"data": [{"username": "person.012345", "id": PERSON}]},
        "message": "Olá",
    }


async def test_account_may_be_shown_by_its_other_id(reader: Caller) -> None:
    await reader.admin("PUT", "settings", {"own_id": "app_scoped"})
    await reader.send(a_text())
    [message] = await messages_with(reader)
    me = (await read(reader, "me", fields="id")).json
    assert message["from"]["id"] == me["id"] != ACCOUNT


async def test_newest_is_first_whoever_wrote_it(reader: Caller) -> None:
    await reader.send(a_text("first"))
    inbound = {"account_id": ACCOUNT, "user_id": PERSON}
    await reader.admin("POST", "inbound", {**inbound, "text": "second"})
    await reader.admin("POST", "inbound", {**inbound, "text": "long ago", "at": 1_700_000_000})
    await reader.send(a_text("third"))
    listed = [(row["message"], row["from"]["id"]) for row in await messages_with(reader)]
    assert listed == [
        ("third", ACCOUNT),
        ("second", PERSON),
        ("first", ACCOUNT),
        ("long ago", PERSON),
    ]


async def test_conversation_nobody_wrote_in_is_unknown(reader: Caller) -> None:
    await reader.send(a_text(to="1"))
    await reader.send(a_text(), account=OTHER_ACCOUNT, token=OTHER_TOKEN)
    await reader.send(an_action("typing_on"))
    assert await conversation_with(reader) is None


async def test_private_reply_is_in_the_conversation_with_the_writer_of_the_comment(
    reader: Caller,
) -> None:
    sent = (await reader.send(a_private_reply())).json
    [message] = await messages_with(reader, sent["recipient_id"])
    assert message["id"] == sent["message_id"]


_LOST = (
    "error_after_accept",
    "html_502_after_accept",
    "ok_without_id",
    "ok_not_json",
    "reset_after_accept",
    "cut_answer",
)
_NOT_TAKEN = ("throttled_1m", "temporary_error", "html_502", "empty_500", "reset_before_accept")


@pytest.mark.parametrize("scenario", [*_LOST, *_NOT_TAKEN])
async def test_only_what_went_is_listed_whatever_was_answered(
    scenario: str, reader: Caller
) -> None:
    await reader.script(scenario=scenario)
    try:
        await reader.send(a_text("in doubt"))
    except aiohttp.ClientError:
        assert scenario in ("reset_after_accept", "cut_answer", "reset_before_accept")
    listed = [row["message"] for row in await messages_with(reader)]
    assert listed == (["in doubt"] if scenario in _LOST else [])


async def test_refused_message_is_not_listed(reader: Caller) -> None:
    assert (await reader.send(a_text(""))).status == 400
    assert await messages_with(reader) == []


_ATTACHMENTS: dict[str, tuple[dict[str, Any], list[set[str]]]] = {
    "image": (a_message(attachment=IMAGE), [{"image_data"}]),
    "images": (a_message(attachments=[IMAGE, IMAGE]), [{"image_data"}] * 2),
    "bare image": (a_message(attachments=IMAGE), [{"image_data"}]),
    "video": (a_file("video", "https://e.com/a.mp4"), [{"video_data"}]),
    "audio": (a_file("audio", "https://e.com/a.m4a"), [{"mime_type", "file_url"}]),
    "file": (a_file("file", "https://e.com/a.pdf"), [{"mime_type", "file_url"}]),
    "upload": (
        a_message(attachment={"type": "image", "payload": {"attachment_id": "5"}}),
        [{"image_data"}],
    ),
    "template": (a_generic(subtitle="Straw"), [{"generic_template"}]),
    "sticker": (a_message(attachment={"type": "like_heart"}), [{"image_data"}]),
    "post": (
        a_message(attachment={"type": "MEDIA_SHARE", "payload": {"id": "9001"}}),
        [{"image_data"}],
    ),
}


@pytest.mark.parametrize("name", _ATTACHMENTS)
async def test_what_is_no_text_has_attachments_instead(name: str, reader: Caller) -> None:
    body, keys = _ATTACHMENTS[name]
    assert (await reader.send(body)).status == 200
    [message] = await messages_with(reader)
    assert message["message"] == ""
    assert [each.keys() for each in message["attachments"]["data"]] == keys


async def test_quick_replies_are_listed_by_their_text(reader: Caller) -> None:
    await reader.send(a_message(text="Which?", quick_replies=quick_replies(2)))
    [message] = await messages_with(reader)
    assert message["message"] == "Which?"
    assert "attachments" not in message


async def test_message_shows_only_after_the_delay(reader: Caller) -> None:
    await reader.admin("PUT", "settings", {"read_delay_s": 3600})
    message_id = (await reader.send(a_text())).json["message_id"]
    assert await conversation_with(reader) is None
    assert (await read(reader, message_id)).error == _DELETED
    await reader.admin("PUT", "settings", {"read_delay_s": 0})
    assert [row["id"] for row in await messages_with(reader)] == [message_id]
    assert (await read(reader, message_id)).json["id"] == message_id


async def test_only_the_twenty_newest_have_details(reader: Caller) -> None:
    ids = [(await reader.send(a_text(f"{n}"))).json["message_id"] for n in range(22)]
    rows = await messages_with(reader)
    assert [row["id"] for row in rows] == list(reversed(ids))
    assert [row.get("message") for row in rows[:20]] == [f"{n}" for n in range(21, 1, -1)]
    assert [row.keys() for row in rows[20:]] == [{"id", "created_time"}] * 2
    assert (await read(reader, ids[2])).status == 200
    assert (await read(reader, ids[1])).error == _DELETED


async def test_limit_takes_the_newest(reader: Caller) -> None:
    for n in range(5):
        await reader.send(a_text(f"{n}"))
    assert [row["message"] for row in await messages_with(reader, limit=2)] == ["4", "3"]


async def test_page_that_is_too_large_is_refused_as_an_unknown_error(reader: Caller) -> None:
    await reader.admin("PUT", "settings", {"most_listed": 10})
    await reader.send(a_text())
    conversation = await conversation_with(reader)
    fields = "messages.limit(11){id}"
    assert (await read(reader, f"{conversation}", fields=fields)).error == (500, 1, None)
    assert len(await messages_with(reader, limit=10)) == 1


async def test_message_is_read_by_its_id(reader: Caller) -> None:
    message_id = (await reader.send(a_text("Hello"))).json["message_id"]
    usual = (await read(reader, message_id)).json
    assert usual.keys() == {"id", "created_time"}
    detailed = (await read(reader, message_id, fields=DETAILS)).json
    assert (detailed["message"], detailed["from"]["id"]) == ("Hello", ACCOUNT)


async def test_conversation_without_fields_is_its_id(reader: Caller) -> None:
    await reader.send(a_text())
    conversation = await conversation_with(reader)
    assert (await read(reader, f"{conversation}")).json == {"id": conversation}
    fields = {"fields": "id,updated_time,messages"}
    shown = (await read(reader, f"{conversation}", **fields)).json
    assert [row.keys() for row in shown["messages"]["data"]] == [{"id", "created_time"}]
    assert shown["updated_time"] == shown["messages"]["data"][0]["created_time"]


async def test_all_conversations_are_listed_the_latest_first(reader: Caller) -> None:
    for person in ("1", "2", "1"):
        await reader.send(a_text(to=person))
    rows = (await read(reader, "me/conversations")).json["data"]
    expected = [await conversation_with(reader, person) for person in ("1", "2")]
    assert [row["id"] for row in rows] == expected
    assert all(row["updated_time"] for row in rows)


async def test_what_belongs_to_another_account_does_not_exist(reader: Caller) -> None:
    message_id = (await reader.send(a_text())).json["message_id"]
    conversation = await conversation_with(reader)
    for node, error in ((message_id, _DELETED), (conversation, _DELETED), ("t_1", _NO_OBJECT)):
        assert (await read(reader, f"{node}", token=OTHER_TOKEN)).error == error
    foreign = await read(reader, f"{ACCOUNT}/conversations", token=OTHER_TOKEN)
    assert foreign.error == _NO_OBJECT


@pytest.mark.parametrize(
    ("path", "query", "error"),
    [
        (f"{ACCOUNT}/conversations", {"platform": "messenger"}, (400, 100, None)),
        (f"{ACCOUNT}/conversations", {"user": PERSON}, (400, 100, None)),
        ("MESSAGE", {"fields": "id,colour"}, (400, 100, None)),
        ("MESSAGE", {"limit": "5"}, (400, 100, None)),
        ("CONVERSATION", {"fields": "colour"}, (400, 100, None)),
        ("CONVERSATION", {"fields": "messages{colour}"}, (400, 100, None)),
        ("CONVERSATION", {"fields": "messages.limit(0){id}"}, (400, 100, None)),
        ("CONVERSATION", {"fields": "messages{id"}, (400, 100, None)),
        ("aWdfnosuchmessage", {}, _DELETED),
        ("t_10158", {}, _NO_OBJECT),
    ],
)
async def test_wrong_question_is_refused(
    path: str, query: dict[str, str], error: Any, reader: Caller
) -> None:
    message_id = (await reader.send(a_text())).json["message_id"]
    nodes = {"MESSAGE": message_id, "CONVERSATION": await conversation_with(reader)}
    assert (await read(reader, nodes.get(path) or path, **query)).error == error


@pytest.mark.parametrize("path", [f"{ACCOUNT}/conversations", "me/conversations", "aWdfany"])
async def test_token_must_be_valid(path: str, caller: Caller) -> None:
    assert (await read(caller, path, token="IGAAunknown")).error == (400, 190, None)


async def test_call_beyond_the_limit_is_refused_and_recorded(
    sandbox: RunningSandbox, caller: Caller
) -> None:
    for _ in range(2):
        # Ahead of the clock, so that a slow machine cannot leave them behind.
        sandbox.state.reads.count(ACCOUNT, at=time.time() + 60, most=None)
    for path in ("me/conversations", "aWdfany"):
        assert (await read(caller, path)).error == _TOO_MANY
    assert (await read(caller, "me/conversations", token=OTHER_TOKEN)).status == 200
    assert {call.kind for call in sandbox.calls} == {"conversations"}
    assert [call.account_id for call in sandbox.calls] == [ACCOUNT, ACCOUNT, OTHER_ACCOUNT]
    assert [call.verdict for call in sandbox.calls] == ["refused", "refused", "read"]


async def test_limit_can_be_another_or_none(reader: Caller) -> None:
    assert [(await read(reader, "me/conversations")).status for _ in range(5)] == [200] * 5
    await reader.admin("PUT", "settings", {"reads_per_s": 0})
    assert (await read(reader, "me/conversations")).error == _TOO_MANY


async def test_reading_the_account_itself_is_not_limited(caller: Caller) -> None:
    assert [(await read(caller, "me")).status for _ in range(5)] == [200] * 5


@pytest.mark.parametrize(
    ("moments", "refused"),
    [
        ((0.0, 0.5, 1.001), []),
        ((0.0, 0.5, 1.0), [1.0]),
        ((0.0, 1e-9, 2e-9), [2e-9]),
        ((0.0, 0.5, 0.6, 1.4, 1.55), [0.6, 1.4, 1.55]),
        ((0.0, 0.1, 5.0, 5.1), []),
    ],
    ids=["outside", "both ends count", "at once", "refused ones count", "a pause"],
)
def test_every_sliding_second_holds_at_most_two(
    moments: tuple[float, ...], refused: list[float]
) -> None:
    rate = ReadRate()
    for moment in moments:
        expected = pytest.raises(GraphRefusal, match="613") if moment in refused else nullcontext()
        with expected:
            rate.count(ACCOUNT, at=moment, most=2)


async def test_script_strikes_reads_only_when_it_names_them(reader: Caller) -> None:
    await reader.script(scenario="html_502")
    assert (await read(reader, "me/conversations")).status == 200
    await reader.script(scenario="throttled_1m", match={"kind": "conversations"}, skip=1)
    assert (await read(reader, "me/conversations")).status == 200
    throttled = await read(reader, "me/conversations")
    assert throttled.error == (429, 613, 2534040)
    assert '"estimated_time_to_regain_access":1' in throttled.headers["x-business-use-case-usage"]
    assert (await reader.send(a_text())).status == 502


async def test_script_may_mean_the_conversation_with_one_person(reader: Caller) -> None:
    match = {"kind": "conversations", "recipient_id": PERSON}
    await reader.script(status=500, error={"code": 2}, times=None, match=match)
    for person in (PERSON, "7"):
        await reader.send(a_text(to=person))
    assert await conversation_with(reader, "7") is not None
    query = {"platform": "instagram", "user_id": PERSON}
    assert (await read(reader, "me/conversations", **query)).error == (500, 2, None)


@pytest.mark.parametrize("ending", [{"reset": "before_accepting"}, {"cut": True}])
async def test_script_may_break_the_connection_of_a_read(
    ending: dict[str, Any], sandbox: RunningSandbox, reader: Caller
) -> None:
    await reader.script(times=None, match={"kind": "conversations"}, **ending)
    with pytest.raises(aiohttp.ClientError):
        await read(reader, "me/conversations")
    assert {call.verdict for call in sandbox.calls} == {"fault"}


async def test_forgotten_world_has_no_conversations(reader: Caller) -> None:
    await reader.send(a_text())
    await reader.admin("DELETE", "world")
    assert await conversation_with(reader) is None


def _message(name: str) -> ThreadMessage:
    return ThreadMessage(name, at=1.0, arrived_at=1.0)


def test_conversations_that_were_quiet_longest_are_forgotten() -> None:
    threads = Threads(keep=2)
    for number, person in enumerate(("1", "2", "1", "3")):
        threads.add(ACCOUNT, person, _message(f"m{number}"))
    assert [thread.user_id for thread in threads.of_account(ACCOUNT)] == ["3", "1"]
    assert threads.holding("m1") is None
    assert threads.with_person(ACCOUNT, "2") is None
    first = threads.with_person(ACCOUNT, "1")
    assert first is not None
    assert threads.holding("m0") is threads.by_id(first.conversation_id) is first


def test_long_conversation_keeps_its_newest_messages() -> None:
    threads = Threads()
    for number in range(1000):
        threads.add(ACCOUNT, PERSON, _message(f"m{number}"))
    thread = threads.holding("m999")
    assert thread is not None
    assert 20 < len(thread.messages) < 100
    assert threads.holding("m0") is None
