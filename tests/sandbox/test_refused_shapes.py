"""Whatever is not documented is refused with the code Meta gives for it, and not recorded."""

import json
from typing import Any

import pytest

from tests.sandbox.caller import (
    ACCOUNT,
    IMAGE,
    PERSON,
    TOKEN,
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

_HEART = {"type": "like_heart"}
_ELEMENT = {"title": "Hat", "subtitle": "Warm"}


def _to(recipient: Any) -> dict[str, Any]:
    return {"recipient": recipient, "message": {"text": "Hello"}}


_RECIPIENTS: dict[str, tuple[Any, int | None]] = {
    "no recipient": ({"message": {"text": "Hello"}}, None),
    "recipient as text": (_to(PERSON), None),
    "empty recipient": (_to({}), None),
    "recipient by two ids": (_to({"id": PERSON, "comment_id": "1"}), None),
    "recipient with a stray key": (_to({"id": PERSON, "name": "x"}), None),
    "live flag of the request": (_to({"comment_id": "1", "live": True}), None),
    "recipient id as number": (_to({"id": 6789012345}), None),
    "recipient id of another kind": (_to({"id": "someone"}), 2534014),
    "recipient is the sender": (_to({"id": ACCOUNT}), 2534014),
    "comment id as number": (_to({"comment_id": 1}), None),
    "comment id of another kind": (_to({"comment_id": "x1"}), 2534025),
}

_TOP_LEVEL: dict[str, tuple[Any, int | None]] = {
    "stray key": (a_text(id="crm-1"), None),
    "account of the request": (a_text(account_id=ACCOUNT), None),
    "access token in the body": (a_text(access_token="x"), None),
    "payload beside a message": (a_text(payload={}), None),
    "message and action": (a_text(sender_action="typing_on"), 2018014),
    "neither message nor action": ({"recipient": {"id": PERSON}}, 2018015),
    "unknown messaging_type": (a_text(messaging_type="REPLY"), None),
    "tag alone": (a_text(tag="HUMAN_AGENT"), None),
    "tag with another type": (a_text(messaging_type="UPDATE", tag="HUMAN_AGENT"), None),
    "MESSAGE_TAG without tag": (a_text(messaging_type="MESSAGE_TAG"), None),
    "retired tag": (a_text(messaging_type="MESSAGE_TAG", tag="ACCOUNT_UPDATE"), None),
}

_TEXTS: dict[str, tuple[Any, int | None]] = {
    "message as text": ({"recipient": {"id": PERSON}, "message": "Hello"}, None),
    "empty message": (a_message(), 2018034),
    "quick replies alone": (a_message(quick_replies=quick_replies(1)), 2018034),
    "empty text": (a_text(""), 2018034),
    "blank text": (a_text(" \n\t"), 2018034),
    "text as number": (a_message(text=5), None),
    "null text": (a_message(text=None), 2018034),
    "1001 bytes in 1001 characters": (a_text("x" * 1001), None),
    "1001 bytes in 501 characters": (a_text("x" + "é" * 500), None),
    "link without host": (a_text("https:///path"), None),
    "link with a wrong port": (a_text("https://example.com:99999/"), None),
    "metadata in the message": (a_message(text="Hello", metadata="x"), None),
    "caption": (a_message(text="Hello", attachment=IMAGE), 2534015),
    "attachment and attachments": (a_message(attachment=IMAGE, attachments=[IMAGE]), 2534015),
    "quick replies on an image": (
        a_message(attachment=IMAGE, quick_replies=quick_replies(1)),
        2534015,
    ),
    "no quick replies": (a_message(text="?", quick_replies=[]), None),
    "14 quick replies": (a_message(text="?", quick_replies=quick_replies(14)), None),
    "quick replies as object": (a_message(text="?", quick_replies=quick_replies(1)[0]), None),
    "quick reply as text": (a_message(text="?", quick_replies=["yes"]), None),
    "quick reply of unknown type": (
        a_message(text="?", quick_replies=quick_replies(1, content_type="location")),
        None,
    ),
    "quick reply without title": (
        a_message(text="?", quick_replies=[{"content_type": "text", "payload": "A"}]),
        None,
    ),
    "quick reply without payload": (
        a_message(text="?", quick_replies=[{"content_type": "text", "title": "A"}]),
        None,
    ),
    "quick reply with a stray key": (
        a_message(text="?", quick_replies=quick_replies(1, image_url="https://example.com/")),
        None,
    ),
    "quick reply with a long payload": (
        a_message(text="?", quick_replies=quick_replies(1, payload="x" * 1001)),
        None,
    ),
}

_ATTACHMENTS: dict[str, tuple[Any, int | None]] = {
    "attachment as text": (a_message(attachment="image"), None),
    "attachment without type": (a_message(attachment={"payload": {}}), None),
    "attachment of unknown type": (a_message(attachment={"type": "location"}), None),
    "attachment type as list": (a_message(attachment={"type": ["image"]}), None),
    "attachment with a stray key": (a_message(attachment={**IMAGE, "caption": "x"}), None),
    "image without payload": (a_message(attachment={"type": "image"}), None),
    "image without url": (a_message(attachment={"type": "image", "payload": {}}), 2018041),
    "image with an empty url": (a_file("image", ""), 2018041),
    "image with a local url": (a_file("image", "file:///etc/passwd"), None),
    "image with spaces in the url": (a_file("image", "https://example.com/a b.png"), None),
    "image with a stray payload key": (
        a_message(attachment={"type": "image", "payload": {"url": "https://e.com", "x": 1}}),
        None,
    ),
    "image by url and by id": (
        a_message(
            attachment={
                "type": "image",
                "payload": {"url": "https://e.com/a.png", "attachment_id": "1"},
            }
        ),
        2534015,
    ),
    "upload id of another kind": (
        a_message(attachment={"type": "image", "payload": {"attachment_id": "abc"}}),
        2018074,
    ),
    "upload id as number": (
        a_message(attachment={"type": "image", "payload": {"attachment_id": 12}}),
        None,
    ),
    "png as audio": (a_file("audio", "https://example.com/a.png"), 2018047),
    "mp3 as audio": (a_file("audio", "https://example.com/a.mp3"), 2018047),
    "ogg as audio": (a_file("audio", "https://example.com/a.ogg"), 2018047),
    "wav as video": (a_file("video", "https://example.com/a.wav"), 2018047),
    "webp as image": (a_file("image", "https://example.com/a.WEBP?b=1"), 2018047),
    "docx as file": (a_file("file", "https://example.com/a.docx"), 2018047),
    "sticker with payload": (a_message(attachment={**_HEART, "payload": {}}), None),
    "no images": (a_message(attachments=[]), None),
    "eleven images": (a_message(attachments=[IMAGE] * 11), None),
    "heart among images": (a_message(attachments=[IMAGE, _HEART]), 2534015),
    "image under attachments with a stray key": (a_message(attachments={**IMAGE, "x": 1}), None),
    "post id as number": (
        a_message(attachment={"type": "MEDIA_SHARE", "payload": {"id": 5}}),
        None,
    ),
    "post by link": (
        a_message(attachment={"type": "MEDIA_SHARE", "payload": {"id": "https://e.com/p/1"}}),
        33,
    ),
    "post in small letters": (
        a_message(attachment={"type": "media_share", "payload": {"id": "5"}}),
        None,
    ),
    "post with a url": (
        a_message(attachment={"type": "MEDIA_SHARE", "payload": {"id": "5", "url": "x"}}),
        None,
    ),
}

_TEMPLATES: dict[str, tuple[Any, int | None]] = {
    "template of unknown type": (a_template(template_type="receipt"), None),
    "template without payload": (a_message(attachment={"type": "template"}), None),
    "generic without elements": (a_template(template_type="generic"), None),
    "generic with eleven elements": (
        a_template(template_type="generic", elements=[_ELEMENT] * 11),
        None,
    ),
    "generic with a stray key": (
        a_template(template_type="generic", elements=[_ELEMENT], sharable=True),
        None,
    ),
    "element of title alone": (a_generic(), 2534015),
    "element without title": (
        a_template(template_type="generic", elements=[{"subtitle": "Warm"}]),
        None,
    ),
    "title of 81": (a_generic(title="x" * 81, subtitle="Warm"), None),
    "subtitle of 81": (a_generic(subtitle="x" * 81), None),
    "element with a stray key": (a_generic(subtitle="x", price=5), None),
    "element with a broken image": (a_generic(image_url="hat.png"), None),
    "four buttons": (a_generic(buttons=[a_postback()] * 4), None),
    "no buttons": (a_generic(buttons=[]), None),
    "default action with title": (a_generic(default_action=a_url_button()), None),
    "default action postback": (
        a_generic(default_action={"type": "postback", "url": "https://e.com"}),
        None,
    ),
    "button template without text": (
        a_template(template_type="button", buttons=[a_postback()]),
        2018034,
    ),
    "button template text of 641": (a_button_template(a_postback(), text="x" * 641), None),
    "button template without buttons": (a_button_template(), None),
    "call button": (a_button_template({"type": "phone_number", "title": "Call"}), None),
    "button without title": (
        a_button_template({"type": "postback", "payload": "START"}),
        2018053,
    ),
    "button title of 21": (a_button_template(a_postback(title="x" * 21)), None),
    "postback without payload": (
        a_button_template({"type": "postback", "title": "Start"}),
        2018040,
    ),
    "postback payload of 1001": (a_button_template(a_postback(payload="x" * 1001)), None),
    "postback with url": (a_button_template(a_postback(url="https://e.com")), None),
    "web button without url": (a_button_template({"type": "web_url", "title": "Visit"}), 2018041),
    "web button with a stray key": (
        a_button_template(a_url_button(webview_height_ratio="full")),
        None,
    ),
}

_ACTIONS: dict[str, tuple[Any, int | None]] = {
    "unknown action": (an_action("typing"), None),
    "action as list": ({"recipient": {"id": PERSON}, "sender_action": ["react"]}, None),
    "typing with payload": (an_action("typing_on", message_id="aWdf"), None),
    "typing with tag": (
        {**an_action("typing_on"), "messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"},
        None,
    ),
    "react with messaging_type": (
        {**an_action("react", message_id="aWdf", reaction="love"), "messaging_type": "RESPONSE"},
        None,
    ),
    "react without payload": (an_action("react"), None),
    "react without message": (an_action("react", reaction="love"), None),
    "react without reaction": (an_action("react", message_id="aWdf"), None),
    "react with a word": (an_action("react", message_id="aWdf", reaction="laugh"), None),
    "react with a smiley of letters": (an_action("react", message_id="aWdf", reaction=":-)"), None),
    "react with a number": (an_action("react", message_id="aWdf", reaction=1), None),
    "react with a stray key": (
        an_action("react", message_id="aWdf", reaction="love", emoji="x"),
        None,
    ),
    "unreact with reaction": (an_action("unreact", message_id="aWdf", reaction="love"), None),
    "message id as number": (an_action("unreact", message_id=5), None),
    "action on a comment": (
        {"recipient": {"comment_id": "1"}, "sender_action": "typing_on"},
        None,
    ),
    "private reply with an image": (
        {"recipient": {"comment_id": "1"}, "message": {"attachment": IMAGE}},
        2534015,
    ),
    "private reply with a tag": (
        a_private_reply(messaging_type="MESSAGE_TAG", tag="HUMAN_AGENT"),
        None,
    ),
}

_REFUSED = {**_RECIPIENTS, **_TOP_LEVEL, **_TEXTS, **_ATTACHMENTS, **_TEMPLATES, **_ACTIONS}

_RAW: dict[str, bytes] = {
    "empty body": b"",
    "not JSON": b"recipient=1",
    "list": b"[]",
    "number": b"5",
    "NaN": b'{"recipient": NaN}',
    "trailing comma, as in the guide's samples": b'{"recipient": {"id": "1",}}',
    "comment, as in the guide's samples": b'{"recipient": {} // x\n}',
    "not UTF-8": b'{"recipient": {"id": "\xff"}}',
    "UTF-16": json.dumps(a_text()).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(a_text()).encode(),
    "10,000 levels": b"[" * 10_000 + b"]" * 10_000,
    "a key twice": b'{"recipient": {"id": "1"}, "message": {"text": "a", "text": "b"}}',
    "half a surrogate pair": b'{"recipient": {"id": "1"}, "message": {"text": "\\uD83D"}}',
    "300 KB": json.dumps(a_text("x" * 300_000)).encode(),
}


@pytest.mark.parametrize("name", _REFUSED)
async def test_undocumented_body_is_refused_and_not_recorded(
    name: str, sandbox: RunningSandbox, caller: Caller
) -> None:
    body, subcode = _REFUSED[name]
    reply = await caller.send(body)
    assert reply.error == (400, 100, subcode), reply.text
    assert sandbox.accepted == []
    [call] = sandbox.calls
    assert (call.verdict, call.code, call.subcode) == ("refused", 100, subcode)


@pytest.mark.parametrize("name", _RAW)
async def test_body_that_is_no_strict_json_object_is_refused(
    name: str, sandbox: RunningSandbox, caller: Caller
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    path = f"/v23.0/{ACCOUNT}/messages"
    reply = await caller.call("POST", path, data=_RAW[name], headers=headers)
    assert reply.error == (400, 100, None), reply.text
    assert sandbox.accepted == []


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
async def test_body_of_another_content_type_is_refused(content_type: str, caller: Caller) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": content_type}
    data = json.dumps(a_text()).encode()
    reply = await caller.call("POST", f"/v23.0/{ACCOUNT}/messages", data=data, headers=headers)
    assert reply.error == (400, 100, None)


async def test_charset_beside_the_content_type_is_fine(caller: Caller) -> None:
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": "application/json; charset=utf-8",
    }
    data = json.dumps(a_text()).encode()
    reply = await caller.call("POST", f"/v23.0/{ACCOUNT}/messages", data=data, headers=headers)
    assert reply.status == 200


async def test_whole_surrogate_pair_is_an_ordinary_sign(
    sandbox: RunningSandbox, caller: Caller
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    data = b'{"recipient": {"id": "1"}, "message": {"text": "\\ud83d\\ude00"}}'
    reply = await caller.call("POST", f"/v23.0/{ACCOUNT}/messages", data=data, headers=headers)
    assert reply.status == 200
    assert sandbox.accepted[0].raw == data


async def test_refusal_names_the_place_and_never_the_text(caller: Caller) -> None:
    reply = await caller.send(a_message(text="secret words", quick_replies=quick_replies(14)))
    assert "message.quick_replies" in reply.json["error"]["message"]
    assert "secret" not in reply.text
