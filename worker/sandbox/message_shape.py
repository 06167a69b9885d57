"""The shapes of `message`: Meta's "Send Messages" (both copies) and "Quick Replies" guides."""

import re
from typing import Any

from worker.sandbox.fields import only, the_list, the_object, the_text
from worker.sandbox.media_files import EXTENSIONS, check_media_payload, is_well_formed
from worker.sandbox.refusal import GraphRefusal
from worker.sandbox.template_shape import check_template

LONGEST_TEXT_BYTES = 1000
_MOST_QUICK_REPLIES = 13
_MOST_IMAGES = 10
_LONGEST_QUICK_REPLY_PAYLOAD = 1000
_POST_ID = re.compile(r"[0-9]{1,32}(_[0-9]{1,32})?")
_CONTENTS = ("text", "attachment", "attachments")


def check_message(message: Any) -> str:
    """Refuse what is no documented message; name its kind."""
    fields = the_object(message, "message")
    only(fields, "message", *_CONTENTS, "quick_replies")
    given = [name for name in _CONTENTS if name in fields]
    if not given:
        raise GraphRefusal(100, 2018034)
    if len(given) > 1:
        raise GraphRefusal(100, 2534015, detail=f"message has {' and '.join(given)}")
    if "quick_replies" in fields and given != ["text"]:
        raise GraphRefusal(100, 2534015, detail="quick_replies go with text only")
    if "attachment" in fields:
        return _check_attachment(fields["attachment"])
    if "attachments" in fields:
        return _check_images(fields["attachments"])
    _check_text(fields)
    if "quick_replies" not in fields:
        return "text"
    _check_quick_replies(fields["quick_replies"])
    return "quick_replies"


def _check_text(message: dict[str, Any]) -> None:
    text = the_text(message, "text", "message", empty=2018034)
    if len(text.encode()) > LONGEST_TEXT_BYTES:
        raise GraphRefusal(
            100, detail=f"message.text must be at most {LONGEST_TEXT_BYTES} bytes of UTF-8"
        )
    is_one_link = text.startswith(("http://", "https://")) and not any(map(str.isspace, text))
    if is_one_link and not is_well_formed(text):
        raise GraphRefusal(100, detail="message.text is a link that is not a valid URL")


def _check_quick_replies(replies: Any) -> None:
    listed = the_list(replies, "message.quick_replies", most=_MOST_QUICK_REPLIES)
    for index, reply in enumerate(listed):
        where = f"message.quick_replies[{index}]"
        fields = the_object(reply, where)
        only(fields, where, "content_type", "title", "payload")
        content_type = fields.get("content_type")
        if content_type not in ("text", "user_phone_number", "user_email"):
            raise GraphRefusal(100, detail=f"{where}.content_type is not a known one")
        # A long title is cut by the API, not refused.
        if content_type == "text" or "title" in fields:
            the_text(fields, "title", where, empty=None)
        if content_type == "text" or "payload" in fields:
            the_text(fields, "payload", where, most=_LONGEST_QUICK_REPLY_PAYLOAD, empty=None)


def _check_attachment(attachment: Any) -> str:
    where = "message.attachment"
    fields = the_object(attachment, where)
    only(fields, where, "type", "payload")
    kind = fields.get("type")
    if kind == "like_heart":
        only(fields, where, "type")
        return "sticker"
    if kind == "template":
        return check_template(fields.get("payload"), f"{where}.payload")
    if kind == "MEDIA_SHARE":
        _check_post(fields.get("payload"), f"{where}.payload")
        return "published_post"
    if isinstance(kind, str) and kind in EXTENSIONS:
        check_media_payload(fields.get("payload"), f"{where}.payload", media_type=kind)
        return kind
    raise GraphRefusal(100, detail=f"{where}.type is not a known one")


def _check_post(payload: Any, where: str) -> None:
    fields = the_object(payload, where)
    only(fields, where, "id")
    post_id = fields.get("id")
    if not isinstance(post_id, str):
        raise GraphRefusal(100, detail=f"{where}.id must be a string")
    if not _POST_ID.fullmatch(post_id):
        raise GraphRefusal(100, 33, detail=f"{where}.id is no post id")


def _check_images(attachments: Any) -> str:
    where = "message.attachments"
    # The newer guide's sample for a single image has a bare object here.
    if isinstance(attachments, dict):
        _check_image(attachments, where)
        return "image"
    for index, image in enumerate(the_list(attachments, where, most=_MOST_IMAGES)):
        _check_image(image, f"{where}[{index}]")
    return "images"


def _check_image(image: Any, where: str) -> None:
    fields = the_object(image, where)
    only(fields, where, "type", "payload")
    if fields.get("type") != "image":
        raise GraphRefusal(100, 2534015, detail=f"{where}.type must be image")
    check_media_payload(fields.get("payload"), f"{where}.payload", media_type="image")
