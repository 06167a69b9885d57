"""The rules a schema cannot say: bytes, sizes, the order of dates and of messages.

Each takes the document as it came, of whatever shape, and leaves wrong types to the schema.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson

from worker.contract.emoji import is_one_emoji
from worker.core.problem import Problem
from worker.core.splitting import LONGEST_TEXT_BYTES, split_text

MOST_PARTS = 10
_OR_SPLIT = ", or give split: true to have it sent in parts"
LARGEST_METADATA_BYTES = 4096
# No character takes more bytes than this, so a shorter text needs no counting.
_MOST_BYTES_PER_CHARACTER = 4


def broken_rules(document: dict[str, Any]) -> Iterator[Problem]:
    """Give a problem for each rule the document breaks."""
    yield from _texts(document)
    yield from _hidden_quick_replies(document)
    yield from _dates(document)
    yield from _metadata(document)
    yield from _reaction(document)


def _messages(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    message = document.get("message")
    if isinstance(message, dict):
        yield "/message", message
    messages = document.get("messages")
    if isinstance(messages, list):
        for index, each in enumerate(messages):
            if isinstance(each, dict):
                yield f"/messages/{index}", each


def _texts(document: dict[str, Any]) -> Iterator[Problem]:
    is_split = document.get("split") is True
    for pointer, message in _messages(document):
        text = message.get("text")
        if not isinstance(text, str) or not text:
            continue
        if text.isspace():
            yield Problem(f"{pointer}/text", "is blank; Instagram refuses an empty message")
        elif not is_split and len(text) * _MOST_BYTES_PER_CHARACTER > LONGEST_TEXT_BYTES:
            size = len(text.encode())
            if size > LONGEST_TEXT_BYTES:
                advice = "" if _is_private_reply(document) else _OR_SPLIT
                yield Problem(
                    f"{pointer}/text",
                    f"is {size} bytes in UTF-8; Instagram takes at most "
                    f"{LONGEST_TEXT_BYTES}{advice}",
                )
    if is_split:
        yield from _too_many_parts(document)


def _is_private_reply(document: dict[str, Any]) -> bool:
    recipient = document.get("recipient")
    return isinstance(recipient, dict) and "comment_id" in recipient


def _too_many_parts(document: dict[str, Any]) -> Iterator[Problem]:
    """Count what long texts are split into; a hostile one is not split to be counted."""
    found = [*_messages(document)]
    texts = [text for _, message in found if isinstance(text := message.get("text"), str)]
    size = sum(len(text.encode()) for text in texts)
    if size > LONGEST_TEXT_BYTES * MOST_PARTS:
        pieces = -(-size // LONGEST_TEXT_BYTES)
    else:
        pieces = sum(len(split_text(text)) for text in texts)
    parts = pieces + len(found) - len(texts)
    if parts > MOST_PARTS:
        yield Problem(
            f"{found[0][0]}/text" if len(found) == 1 else "/messages",
            f"makes {parts} parts or more when it is split; a request has at most {MOST_PARTS}",
        )


def _hidden_quick_replies(document: dict[str, Any]) -> Iterator[Problem]:
    messages = document.get("messages")
    if not isinstance(messages, list):
        return
    for index, message in enumerate(messages[:-1]):
        if isinstance(message, dict) and "quick_replies" in message:
            yield Problem(
                f"/messages/{index}/quick_replies",
                "must be on the last of the messages; whatever follows hides the buttons",
            )


def _dates(document: dict[str, Any]) -> Iterator[Problem]:
    expires_at = _moment(document.get("expires_at"))
    if expires_at is None:
        return
    for earlier in ("not_before", "last_inbound_at"):
        moment = _moment(document.get(earlier))
        if moment is not None and expires_at <= moment:
            yield Problem(
                "/expires_at", f"must be later than {earlier}, or the request can never be sent"
            )


def _moment(value: Any) -> datetime | None:
    """Read a date-time with offset; None when it is none, which the schema reports."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _metadata(document: dict[str, Any]) -> Iterator[Problem]:
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return
    size = len(orjson.dumps(metadata))
    if size > LARGEST_METADATA_BYTES:
        yield Problem(
            "/metadata", f"is {size} bytes as JSON; at most {LARGEST_METADATA_BYTES} are echoed"
        )


def _reaction(document: dict[str, Any]) -> Iterator[Problem]:
    payload = document.get("payload")
    if document.get("sender_action") != "react" or not isinstance(payload, dict):
        return
    reaction = payload.get("reaction")
    if isinstance(reaction, str) and reaction not in ("", "love") and not is_one_emoji(reaction):
        yield Problem("/payload/reaction", "must be the word love or one emoji")
