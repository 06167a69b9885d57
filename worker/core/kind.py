"""The kinds of message Meta documents, and which published limit each counts against."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class Bucket(StrEnum):
    """A published rate limit of one account (instagram-api: "Messaging Rate Limits")."""

    TEXT = "text"
    MEDIA = "media"
    PRIVATE_REPLY = "private_reply"
    LIVE_REPLY = "live_reply"
    CONVERSATIONS = "conversations"


class Kind(StrEnum):
    """What one call to the messages endpoint sends."""

    TEXT = "text"
    QUICK_REPLIES = "quick_replies"
    IMAGE = "image"
    IMAGES = "images"
    AUDIO = "audio"
    VIDEO = "video"
    FILE = "file"
    STICKER = "sticker"
    PUBLISHED_POST = "published_post"
    GENERIC_TEMPLATE = "generic_template"
    BUTTON_TEMPLATE = "button_template"
    REACT = "react"
    UNREACT = "unreact"
    TYPING_ON = "typing_on"
    TYPING_OFF = "typing_off"
    MARK_SEEN = "mark_seen"


# Meta lists only audio and video under 10/s; images and files are fetched by Meta in the same
# way and are in no list, so they are counted with the stricter ones.
_MEDIA = frozenset({Kind.IMAGE, Kind.IMAGES, Kind.AUDIO, Kind.VIDEO, Kind.FILE})

# These answer with the recipient alone: no message comes to be that could have an id.
_WITHOUT_MESSAGE_ID = frozenset(
    {Kind.REACT, Kind.UNREACT, Kind.TYPING_ON, Kind.TYPING_OFF, Kind.MARK_SEEN}
)

_BY_ATTACHMENT_TYPE = {
    "image": Kind.IMAGE,
    "audio": Kind.AUDIO,
    "video": Kind.VIDEO,
    "file": Kind.FILE,
    "like_heart": Kind.STICKER,
    "MEDIA_SHARE": Kind.PUBLISHED_POST,
}

_BY_TEMPLATE_TYPE = {"generic": Kind.GENERIC_TEMPLATE, "button": Kind.BUTTON_TEMPLATE}


def kind_of_message(message: Mapping[str, Any]) -> Kind:
    """Name the kind of a `message` object that the schema has accepted."""
    if "attachments" in message:
        return Kind.IMAGES if isinstance(message["attachments"], list) else Kind.IMAGE
    if "attachment" in message:
        attachment = message["attachment"]
        if attachment["type"] == "template":
            return _BY_TEMPLATE_TYPE[attachment["payload"]["template_type"]]
        return _BY_ATTACHMENT_TYPE[attachment["type"]]
    return Kind.QUICK_REPLIES if "quick_replies" in message else Kind.TEXT


def bucket_of(kind: Kind, recipient: Mapping[str, Any]) -> Bucket:
    """Name the limit that one call counts against; `recipient` is the request's own object."""
    if "comment_id" in recipient:
        return Bucket.LIVE_REPLY if recipient.get("live") else Bucket.PRIVATE_REPLY
    return Bucket.MEDIA if kind in _MEDIA else Bucket.TEXT


def is_fetched_by_meta(kind: Kind) -> bool:
    """True when Meta downloads a file during the call, which takes it up to 75 s."""
    return kind in _MEDIA


def answers_with_message_id(kind: Kind) -> bool:
    """True when a successful answer must carry a `message_id`."""
    return kind not in _WITHOUT_MESSAGE_ID
