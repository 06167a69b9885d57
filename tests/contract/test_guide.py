"""Every request shape of Meta's guides is taken as it stands there.

The pages: Send Messages (older and newer copy), Quick Replies, Generic Template, Button
Template, Private Replies, Sender Actions.
"""

from typing import Any

import pytest

from tests.contract.corpus import a_request
from worker.contract.validator import RequestValidator

_VALIDATOR = RequestValidator()
_PERSON = {"id": "1254477777772919"}
_MESSAGE_ID = "AG5Hz2Uq7tuwNEhXfYYKj8mJEM_QPpz5jdCK48PnKAjSdjfipqxqMvK8ma6AC8fplwlqLP_5cg"
_IMAGE = {"type": "image", "payload": {"url": "https://example.com/a.png"}}
_UPLOADED = {"type": "image", "payload": {"attachment_id": "1745504518999123"}}
_URL_BUTTON = {"type": "web_url", "url": "https://www.instagram.com", "title": "Visit Instagram"}
_POSTBACK = {"type": "postback", "payload": "postback_payload", "title": "postback button"}


def _file(kind: str, url: str) -> dict[str, Any]:
    return {"message": {"attachment": {"type": kind, "payload": {"url": url}}}}


def _template(**payload: Any) -> dict[str, Any]:
    return {"message": {"attachment": {"type": "template", "payload": payload}}}


_BODIES: dict[str, dict[str, Any]] = {
    "text": {"message": {"text": "Hello"}},
    "link": {"message": {"text": "https://example.com/a?b=c#d"}},
    "image": {"message": {"attachment": _IMAGE}},
    "GIF": _file("image", "https://example.com/a.gif"),
    "single image under attachments": {"message": {"attachments": _IMAGE}},
    "collection of images": {"message": {"attachments": [_IMAGE, _IMAGE]}},
    "collection of uploads": {"message": {"attachments": [_UPLOADED, _UPLOADED]}},
    "collection of both": {"message": {"attachments": [_IMAGE, _UPLOADED]}},
    "audio": _file("audio", "https://example.com/a.wav"),
    "video": _file("video", "https://example.com/a.webm"),
    "file": _file("file", "https://example.com/a.pdf"),
    "sticker": {"message": {"attachment": {"type": "like_heart"}}},
    "published post": {
        "message": {"attachment": {"type": "MEDIA_SHARE", "payload": {"id": "17895695668004550"}}}
    },
    "react": {
        "sender_action": "react",
        "payload": {"message_id": _MESSAGE_ID, "reaction": "love"},
    },
    "react with an emoji": {
        "sender_action": "react",
        "payload": {"message_id": _MESSAGE_ID, "reaction": "\U0001f44b"},
    },
    "unreact": {"sender_action": "unreact", "payload": {"message_id": _MESSAGE_ID}},
    "typing on": {"sender_action": "typing_on"},
    "typing off": {"sender_action": "typing_off"},
    "mark seen": {"sender_action": "mark_seen"},
    "quick replies": {
        "message": {
            "text": "Which one?",
            "quick_replies": [
                {"content_type": "text", "title": "This", "payload": "THIS"},
                {"content_type": "user_phone_number", "title": "Phone", "payload": "PHONE"},
                {"content_type": "user_email", "title": "Email", "payload": "EMAIL"},
            ],
        }
    },
    "generic template": _template(
        template_type="generic",
        elements=[
            {
                "title": "Welcome!",
                "image_url": "https://example.com/male-work.jpg",
                "subtitle": "We have the right hat for everyone.",
                "default_action": {"type": "web_url", "url": "https://example.com/"},
                "buttons": [_URL_BUTTON, _POSTBACK],
            }
        ],
    ),
    "button template": _template(
        template_type="button",
        text="What do you want to do next?",
        buttons=[_URL_BUTTON, _POSTBACK],
    ),
}


@pytest.mark.parametrize("name", _BODIES)
def test_documented_body_is_a_valid_request(name: str) -> None:
    request = a_request(recipient=_PERSON, **{"message": None, **_BODIES[name]})
    assert _VALIDATOR.problems(request) == []


@pytest.mark.parametrize("name", [name for name in _BODIES if "message" in _BODIES[name]])
def test_documented_message_is_valid_as_one_of_several(name: str) -> None:
    parts = [{"text": "First of all"}, _BODIES[name]["message"]]
    assert _VALIDATOR.problems(a_request(message=None, messages=parts)) == []


@pytest.mark.parametrize("live", [{}, {"live": True}, {"live": False}])
def test_documented_private_reply_is_a_valid_request(live: dict[str, bool]) -> None:
    request = a_request(recipient={"comment_id": "17865799348089039", **live})
    assert _VALIDATOR.problems(request) == []


@pytest.mark.parametrize("name", [n for n in _BODIES if n not in ("text", "link", "quick replies")])
def test_private_reply_takes_nothing_but_text_and_quick_replies(name: str) -> None:
    body = {"message": None, **_BODIES[name]}
    problems = _VALIDATOR.problems(a_request(recipient={"comment_id": "17865799348089039"}, **body))
    assert [problem.message for problem in problems if "must be left out" in problem.message]
