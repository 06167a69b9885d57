"""Reads the documents of the Conversations API. Total over garbage: None is what makes no sense."""

import re
from collections.abc import Mapping

from worker.core.verification import Form, ListedMessage, moment_of

# It becomes a part of a path. The ids seen are base64 in letters that need no escape.
_CONVERSATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:=$+-]{0,511}")

_FORM_BY_KEY = {
    "image_data": Form.IMAGE,
    "video_data": Form.VIDEO,
    "generic_template": Form.TEMPLATE,
}
_FORM_BY_TYPE = {"image": Form.IMAGE, "video": Form.VIDEO, "audio": Form.AUDIO}


def conversations_in(document: object) -> tuple[str, ...] | None:
    """Give the ids of an account's conversations."""
    rows = _rows(document)
    if rows is None:
        return None
    ids = [_text(row.get("id")) for row in rows if isinstance(row, Mapping)]
    usable = tuple(id for id in ids if id is not None and _CONVERSATION_ID.fullmatch(id))
    return usable if len(usable) == len(rows) else None


def messages_in(document: object) -> tuple[ListedMessage, ...] | None:
    """Give the messages of a conversation as they are listed; one that makes no sense is blank."""
    if not isinstance(document, Mapping) or _text(document.get("id")) is None:
        return None
    if "messages" not in document:
        return ()  # how Graph spells an empty edge
    rows = _rows(document["messages"])
    return None if rows is None else tuple(_message(row) for row in rows)


def _message(row: object) -> ListedMessage:
    id = _text(row.get("id")) if isinstance(row, Mapping) else None
    if id is None or not isinstance(row, Mapping):
        return ListedMessage("")
    sender, text = row.get("from"), row.get("message")
    return ListedMessage(
        id,
        created_at=moment_of(row.get("created_time")),
        from_id=_text(sender.get("id")) if isinstance(sender, Mapping) else None,
        text=text if isinstance(text, str) else None,
        attachments=tuple(_form(each) for each in _rows(row.get("attachments")) or ()),
    )


def _form(attachment: object) -> Form | None:
    """Tell what an attachment certainly is; the keys are those of Meta's Message reference."""
    if not isinstance(attachment, Mapping):
        return None
    mime_type = _text(attachment.get("mime_type")) or ""
    by_type = _FORM_BY_TYPE.get(mime_type.partition("/")[0].lower())
    if by_type is not None:
        return by_type
    return next((form for key, form in _FORM_BY_KEY.items() if key in attachment), None)


def _rows(document: object) -> list[object] | None:
    rows = document.get("data") if isinstance(document, Mapping) else None
    return rows if isinstance(rows, list) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
