"""How the Conversations API shows a conversation and its messages: the fields that are asked for.

Meta's "Conversations API" page; attachments as in its "Message" reference.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson

from worker.sandbox.refusal import GraphRefusal
from worker.sandbox.settings import Settings
from worker.sandbox.threads import DETAILED, Thread, ThreadMessage

_MESSAGE_FIELDS = ("id", "created_time", "from", "to", "message", "attachments")
_USUAL_FIELDS = ("id", "created_time")
_USUAL_LIMIT = 25
_FIELD = re.compile(r"[^,{}]+(?:\{[^{}]*\})?")
_MESSAGES = re.compile(r"messages(?:\.limit\(([1-9][0-9]{0,2})\))?(?:\{([^{}]*)\})?")

_MIME_TYPES = {"audio": "audio/mp4", "file": "application/pdf"}


def app_scoped_id(account_id: str) -> str:
    """Give the other id of an account: `id`, where webhooks and paths use `user_id`."""
    digest = sha256(account_id.encode()).digest()
    return f"24{int.from_bytes(digest[:6]):015d}"


@dataclass(frozen=True, slots=True)
class View:
    """A conversation as it is shown at one moment; `shown` is newest first."""

    thread: Thread
    shown: Sequence[ThreadMessage]
    settings: Settings

    def conversation(self, fields: str) -> dict[str, Any]:
        """Show the fields of the conversation; raises GraphRefusal for unknown ones."""
        found = _FIELD.findall(fields)
        if ",".join(found) != fields:
            raise GraphRefusal(100, detail="fields cannot be read")
        document: dict[str, Any] = {}
        for field in found:
            messages = _MESSAGES.fullmatch(field)
            if messages is not None:
                limit = int(messages[1] or _USUAL_LIMIT)
                document["messages"] = self._messages(limit, wanted_in(messages[2] or ""))
            elif field == "updated_time":
                document[field] = spelled(self.shown[0].at)
            elif field != "id":
                raise _unknown_field()
        return {**document, "id": self.thread.conversation_id}

    def message(self, position: int, wanted: Sequence[str]) -> dict[str, Any]:
        """Show one message; beyond the newest there are no details."""
        message = self.shown[position]
        if position >= DETAILED:
            wanted = _USUAL_FIELDS
        known = {
            "id": message.message_id,
            "created_time": spelled(message.at),
            **self._people(is_own=message.raw is not None),
            **_content(message),
        }
        return {name: known[name] for name in (*wanted, "id") if name in known}

    def _messages(self, limit: int, wanted: Sequence[str]) -> dict[str, Any]:
        most = self.settings.most_listed
        if most is not None and limit > most:
            raise GraphRefusal(1, status=500, detail="reduce the amount of data you ask for")
        rows = [self.message(n, wanted) for n in range(min(limit, len(self.shown)))]
        return {"data": rows, "paging": {"cursors": {"before": "first", "after": "last"}}}

    def _people(self, *, is_own: bool) -> dict[str, Any]:
        own, other = self.thread.account_id, self.thread.user_id
        is_scoped = self.settings.own_id == "app_scoped"
        people = [
            {"username": f"sandbox.{own[-6:]}", "id": app_scoped_id(own) if is_scoped else own},
            {"username": f"person.{other[-6:]}", "id": other},
        ]
        sender, receiver = people if is_own else reversed(people)
        return {"from": sender, "to": {"data": [receiver]}}


def wanted_in(fields: str) -> Sequence[str]:
    """Read the fields of a message; raises GraphRefusal for unknown ones."""
    wanted = [name for name in fields.split(",") if name]
    if any(name not in _MESSAGE_FIELDS for name in wanted):
        raise _unknown_field()
    return wanted or _USUAL_FIELDS


def spelled(moment: float) -> str:
    """Write a moment as `created_time`: in whole seconds."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%S%z")


def _unknown_field() -> GraphRefusal:
    return GraphRefusal(100, detail="a field asked for does not exist on this node")


def _content(message: ThreadMessage) -> dict[str, Any]:
    if message.raw is None:
        return {"message": message.text}
    sent = orjson.loads(message.raw)["message"]
    if "text" in sent:
        return {"message": sent["text"]}
    given = sent.get("attachments", sent.get("attachment"))
    listed = [_attachment(each) for each in (given if isinstance(given, list) else [given])]
    return {"message": "", "attachments": {"data": listed}}


def _attachment(given: Mapping[str, Any]) -> dict[str, Any]:
    kind, payload = given["type"], given.get("payload", {})
    url = payload.get("url", "https://lookaside.example/asset")
    if kind == "template":
        return {"generic_template": {"title": payload.get("text", "")}}
    if kind in _MIME_TYPES:
        return {"mime_type": _MIME_TYPES[kind], "file_url": url}
    if kind == "video":
        return {"video_data": {"url": url, "preview_url": url}}
    # A sticker and a shared post come as the image that is shown of them.
    return {"image_data": {"url": url, "preview_url": url}}
