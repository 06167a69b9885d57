"""What the demo publishes: one request of every documented kind, and a handful of bad ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from worker.core.reason import Reason

ACCOUNT = "17841405822304914"
REVOKED_ACCOUNT = "17841400000000190"
UNKNOWN_ACCOUNT = "17841499999999999"
TOKENS = {ACCOUNT: "IGAAdemo1", REVOKED_ACCOUNT: "IGAAdemo2"}

PERSON = "6789012345"
COMMENT = "17870913679156914"
POST = "17918195224117851"
# People for whom the demo scripts an answer of the API.
BLOCKING_PERSON = "6789000551"
SILENT_PERSON = "6789000500"

_SITE = "https://shop.example"


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """One thing to publish and how it must end; `reason` is None when it must be sent."""

    name: str
    body: bytes
    routing_key: str = ACCOUNT
    reason: Reason | None = None
    id: str | None = None


def demo_requests(*, run: str, inbound_message_id: str) -> list[DemoRequest]:
    """Give all of them; ids start with `run`, and the reactions are to `inbound_message_id`."""
    return [
        *(_good(run, name, fields) for name, fields in _kinds(inbound_message_id).items()),
        *_bad(run),
    ]


def _kinds(message_id: str) -> dict[str, Mapping[str, Any]]:
    return {**_texts(), **_media_kinds(), **_templates(), **_actions(message_id), **_others()}


def _texts() -> dict[str, Mapping[str, Any]]:
    sizes = [
        {"content_type": "text", "title": size, "payload": f"SIZE_{size}"}
        for size in ("S", "M", "L")
    ]
    return {
        "text": {"message": {"text": "Your order is on its way."}},
        "link": {"message": {"text": f"Track it here: {_SITE}/track/42"}},
        "quick replies": {"message": {"text": "Which size?", "quick_replies": sizes}},
    }


def _media_kinds() -> dict[str, Mapping[str, Any]]:
    images = [{"type": "image", "payload": {"url": f"{_SITE}/{n}.png"}} for n in range(3)]
    post = {"type": "MEDIA_SHARE", "payload": {"id": POST}}
    return {
        "image": _media("image", "parcel.jpg"),
        "GIF": _media("image", "thanks.gif"),
        "several images": {"message": {"attachments": images}},
        "audio": _media("audio", "note.m4a"),
        "video": _media("video", "unboxing.mp4"),
        "file": _media("file", "invoice.pdf"),
        "sticker": {"message": {"attachment": {"type": "like_heart"}}},
        "published post": {"message": {"attachment": post}},
    }


def _templates() -> dict[str, Mapping[str, Any]]:
    buttons = [
        {"type": "web_url", "url": f"{_SITE}/buy", "title": "Buy"},
        {"type": "postback", "title": "Ask us", "payload": "ASK"},
    ]
    shirt = {
        "title": "Blue shirt",
        "subtitle": "Soft cotton",
        "image_url": f"{_SITE}/shirt.png",
        "buttons": buttons,
    }
    generic = {"template_type": "generic", "elements": [shirt]}
    button = {"template_type": "button", "text": "Anything else?", "buttons": buttons}
    return {"generic template": _template(generic), "button template": _template(button)}


def _actions(message_id: str) -> dict[str, Mapping[str, Any]]:
    love = {"message_id": message_id, "reaction": "love"}
    return {
        "react": {"sender_action": "react", "payload": love},
        "unreact": {"sender_action": "unreact", "payload": {"message_id": message_id}},
        "typing on": {"sender_action": "typing_on"},
        "typing off": {"sender_action": "typing_off"},
        "mark seen": {"sender_action": "mark_seen"},
    }


def _others() -> dict[str, Mapping[str, Any]]:
    return {
        "private reply": {
            "recipient": {"comment_id": COMMENT},
            "message": {"text": "Thanks for your comment! Here are the details."},
        },
        "three parts, in order": {
            "messages": [
                {"text": "Here is your parcel:"},
                {"attachment": {"type": "image", "payload": {"url": f"{_SITE}/parcel.jpg"}}},
                {"text": "Anything else?"},
            ]
        },
    }


def _bad(run: str) -> list[DemoRequest]:
    text = {"message": {"text": "Hello"}}
    long_text = {"message": {"text": "ü" * 501}}
    return [
        DemoRequest("not JSON", b"Hello?", reason=Reason.INVALID),
        _failing(run, "text of 1002 bytes", long_text, Reason.INVALID),
        _failing(run, "misspelt field", {**text, "recepient": {}}, Reason.INVALID),
        _failing(
            run, "person who blocks us", {**text, "recipient": {"id": BLOCKING_PERSON}},
            Reason.REJECTED,
        ),
        _failing(run, "too late", {**text, "expires_at": "2025-01-01T00:00:00Z"}, Reason.EXPIRED),
        _failing(run, "unknown account", text, Reason.ACCOUNT, account_id=UNKNOWN_ACCOUNT),
        _failing(run, "revoked token", text, Reason.ACCOUNT, account_id=REVOKED_ACCOUNT),
        _failing(
            run, "answer that never came",
            {**text, "recipient": {"id": SILENT_PERSON}, "on_unknown": "hold"},
            Reason.UNCONFIRMED,
        ),
    ]  # fmt: skip


def _media(type_: str, name: str) -> Mapping[str, Any]:
    return {"message": {"attachment": {"type": type_, "payload": {"url": f"{_SITE}/{name}"}}}}


def _template(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"message": {"attachment": {"type": "template", "payload": payload}}}


def _good(run: str, name: str, fields: Mapping[str, Any]) -> DemoRequest:
    return _request(run, name, fields, account_id=ACCOUNT, reason=None)


def _failing(
    run: str,
    name: str,
    fields: Mapping[str, Any],
    reason: Reason,
    *,
    account_id: str = ACCOUNT,
) -> DemoRequest:
    return _request(run, name, fields, account_id=account_id, reason=reason)


def _request(
    run: str, name: str, fields: Mapping[str, Any], *, account_id: str, reason: Reason | None
) -> DemoRequest:
    request_id = f"{run}-{name.replace(' ', '-').replace(',', '')}"
    document = {
        "id": request_id,
        "account_id": account_id,
        "recipient": {"id": PERSON},
        **fields,
    }
    return DemoRequest(name, orjson.dumps(document), account_id, reason, request_id)
