"""Every documented kind of message is taken, recorded as it came and answered as documented."""

from typing import Any

import pytest

from tests.sandbox.caller import (
    ACCOUNT,
    IMAGE,
    PERSON,
    Caller,
    a_button_template,
    a_file,
    a_generic,
    a_message,
    a_postback,
    a_private_reply,
    a_template,
    a_text,
    a_url_button,
    an_action,
    quick_replies,
)
from worker.sandbox.graph_server import RunningSandbox

_UPLOADED = {"type": "image", "payload": {"attachment_id": "1745504518999123"}}

_MESSAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "text": ("text", a_text()),
    "link": ("text", a_text("https://example.com/a?b=c#d")),
    "text with a broken link in a sentence": ("text", a_text("see http:// for it")),
    "text of 1000 bytes": ("text", a_text("é" * 500)),
    "text with messaging_type": ("text", a_text(messaging_type="RESPONSE")),
    "png": ("image", a_file("image", "https://example.com/a.png")),
    "gif in capitals": ("image", a_file("image", "https://example.com/A.GIF?x=1")),
    "image without extension": ("image", a_file("image", "https://example.com/a")),
    "image from a script": ("image", a_file("image", "http://example.com:8080/a.php")),
    "uploaded image": ("image", a_message(attachment=_UPLOADED)),
    "single image under attachments": ("image", a_message(attachments=IMAGE)),
    "images": ("images", a_message(attachments=[IMAGE, _UPLOADED])),
    "ten images": ("images", a_message(attachments=[IMAGE] * 10)),
    **{
        f"{extension} {kind}": (kind, a_file(kind, f"https://example.com/a.{extension}"))
        for kind, extensions in {
            "audio": ("aac", "m4a", "wav", "mp4"),
            "video": ("mp4", "ogg", "avi", "mov", "webm"),
            "image": ("png", "jpeg", "jpg", "gif"),
            "file": ("pdf",),
        }.items()
        for extension in extensions
    },
    "heart": ("sticker", a_message(attachment={"type": "like_heart"})),
    "post": (
        "published_post",
        a_message(attachment={"type": "MEDIA_SHARE", "payload": {"id": "17895695668004550"}}),
    ),
    "quick replies": ("quick_replies", a_message(text="?", quick_replies=quick_replies(13))),
    "quick reply with a long title": (
        "quick_replies",
        a_message(text="?", quick_replies=quick_replies(1, title="much longer than it will show")),
    ),
    "quick replies for contacts": (
        "quick_replies",
        a_message(
            text="?",
            quick_replies=[{"content_type": "user_email"}, {"content_type": "user_phone_number"}],
        ),
    ),
    "generic template": (
        "generic_template",
        a_generic(
            subtitle="Warm",
            image_url="https://example.com/hat.png",
            default_action={"type": "web_url", "url": "https://example.com/hat"},
            buttons=[a_url_button(), a_postback(), a_postback()],
        ),
    ),
    "ten elements": (
        "generic_template",
        a_template(
            template_type="generic", elements=[{"title": "t" * 80, "subtitle": "s" * 80}] * 10
        ),
    ),
    "button template": ("button_template", a_button_template(a_url_button(), a_postback())),
    "long button template": ("button_template", a_button_template(a_postback(), text="x" * 640)),
}

_ACTIONS = {
    "react": an_action("react", message_id="aWdfx", reaction="love"),
    "react with an emoji": an_action("react", message_id="aWdfx", reaction="👋🏽"),
    "react with a family": an_action("react", message_id="aWdfx", reaction="👩‍👩‍👧"),
    "react with a keycap": an_action("react", message_id="aWdfx", reaction="1️⃣"),
    "react with a flag": an_action("react", message_id="aWdfx", reaction="🇵🇹"),
    "react with a heart": an_action("react", message_id="aWdfx", reaction="❤️"),
    "react with the information sign": an_action("react", message_id="aWdfx", reaction="ℹ️"),
    "unreact": an_action("unreact", message_id="aWdfx"),
    "typing_on": an_action("typing_on"),
    "typing_off": an_action("typing_off"),
    "mark_seen": an_action("mark_seen"),
}


@pytest.mark.parametrize("name", _MESSAGES)
async def test_message_is_accepted_and_recorded_as_it_came(
    name: str, sandbox: RunningSandbox, caller: Caller
) -> None:
    kind, body = _MESSAGES[name]
    reply = await caller.send(body)
    assert reply.status == 200, reply.text
    assert reply.json.keys() == {"recipient_id", "message_id"}
    [accepted] = sandbox.accepted
    assert (accepted.kind, accepted.body) == (kind, body)
    assert reply.json == {"recipient_id": PERSON, "message_id": accepted.message_id}


@pytest.mark.parametrize("name", _ACTIONS)
async def test_action_is_accepted_and_answered_without_a_message_id(
    name: str, sandbox: RunningSandbox, caller: Caller
) -> None:
    reply = await caller.send(_ACTIONS[name])
    assert (reply.status, reply.json) == (200, {"recipient_id": PERSON}), reply.text
    [accepted] = sandbox.accepted
    assert accepted.kind == name.partition(" ")[0]
    assert accepted.message_id is None
    assert accepted.body == _ACTIONS[name]


@pytest.mark.parametrize("extra", [{}, {"quick_replies": quick_replies(2)}])
async def test_private_reply_tells_who_commented(
    extra: dict[str, Any], sandbox: RunningSandbox, caller: Caller
) -> None:
    comment = {"account_id": ACCOUNT, "comment_id": "17865799348089039", "user_id": "555"}
    await caller.admin("POST", "comments", comment)
    body = a_private_reply()
    body["message"].update(extra)
    reply = await caller.send(body)
    assert reply.status == 200, reply.text
    assert reply.json["recipient_id"] == "555"
    [accepted] = sandbox.accepted
    assert accepted.recipient == {"comment_id": "17865799348089039"}
    assert accepted.message_id == reply.json["message_id"]


async def test_unregistered_comment_always_belongs_to_the_same_person(caller: Caller) -> None:
    first, second = [
        (await caller.send(a_private_reply(comment_id=comment_id))).json["recipient_id"]
        for comment_id in ("101", "102")
    ]
    await caller.admin("DELETE", "world")
    again = (await caller.send(a_private_reply(comment_id="101"))).json["recipient_id"]
    assert again == first != second
    assert first.isdigit()


async def test_message_ids_are_long_opaque_and_unique(caller: Caller) -> None:
    ids = [(await caller.send(a_text())).json["message_id"] for _ in range(20)]
    assert len(set(ids)) == 20
    assert all(message_id.startswith("aWdf") and len(message_id) > 80 for message_id in ids)


async def test_me_is_the_account_of_the_token(sandbox: RunningSandbox, caller: Caller) -> None:
    reply = await caller.send(a_text(), account="me")
    assert reply.status == 200
    assert sandbox.accepted[0].account_id == ACCOUNT
