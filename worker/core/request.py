"""A send-request: what a producer wants sent, by which account, to whom and when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, NewType

from worker.core.kind import Bucket, Kind, bucket_of, kind_of_message
from worker.core.splitting import split

RequestId = NewType("RequestId", str)
AccountId = NewType("AccountId", str)


class Identity(NamedTuple):
    """Who a delivery is about; None for what an unreadable body does not tell."""

    id: str | None = None
    account_id: str | None = None


class Author(StrEnum):
    """Who wrote the message; only a human's may use the human agent window."""

    AUTOMATION = "automation"
    HUMAN = "human"


class OnUnknown(StrEnum):
    """What to do when it cannot be known whether the API took a message."""

    VERIFY = "verify"
    HOLD = "hold"
    RESEND = "resend"


@dataclass(frozen=True, slots=True)
class Part:
    """One call to the messages endpoint: its kind, its limit and its exact JSON body."""

    kind: Kind
    bucket: Bucket
    body: Mapping[str, Any]


# Not frozen: that takes four times as long to make, for every request.
@dataclass(slots=True)
class SendRequest:
    """A valid request, never changed. Times are unix seconds; `fingerprint` tells equal bodies from
    others.

    `locale` is the person's. `disclosure` is given when the first of `parts` is not the producer's
    but tells that an automation talks: a digest of its text.

    `key` makes it unique: ids of different accounts do not meet. `conversation` is the thread it
    belongs to: requests with the same value must not overlap.
    """

    id: RequestId
    account_id: AccountId
    recipient: Mapping[str, Any]
    parts: tuple[Part, ...]
    fingerprint: bytes
    author: Author = Author.AUTOMATION
    last_inbound_at: float | None = None
    not_before: float | None = None
    expires_at: float | None = None
    on_unknown: OnUnknown = OnUnknown.VERIFY
    metadata: Mapping[str, Any] | None = None
    locale: str | None = None
    disclosure: str | None = None
    key: tuple[AccountId, RequestId] = field(init=False, compare=False, repr=False)
    conversation: tuple[AccountId, str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        person = self.recipient.get("id") or f"comment:{self.recipient['comment_id']}"
        # Looked up dozens of times on the way of one request.
        self.key = (self.account_id, self.id)
        self.conversation = (self.account_id, person)

    @property
    def identity(self) -> Identity:
        return Identity(self.id, self.account_id)

    @property
    def is_action(self) -> bool:
        """True for reactions, typing and seen: their body holds nothing but the action."""
        return "sender_action" in self.parts[0].body

    @property
    def is_private_reply(self) -> bool:
        return "comment_id" in self.recipient


def request_from(document: Mapping[str, Any], *, fingerprint: bytes) -> SendRequest:
    """Build the request from a document that the contract has found valid."""
    recipient = document["recipient"]
    return SendRequest(
        id=RequestId(document["id"]),
        account_id=AccountId(document["account_id"]),
        recipient=recipient,
        parts=tuple(_parts(document, recipient)),
        fingerprint=fingerprint,
        author=Author(document["author"]) if "author" in document else Author.AUTOMATION,
        last_inbound_at=_timestamp(document.get("last_inbound_at")),
        not_before=_timestamp(document.get("not_before")),
        expires_at=_timestamp(document.get("expires_at")),
        on_unknown=(
            OnUnknown(document["on_unknown"]) if "on_unknown" in document else OnUnknown.VERIFY
        ),
        metadata=document.get("metadata"),
        locale=document.get("locale"),
    )


def _parts(document: Mapping[str, Any], recipient: Mapping[str, Any]) -> list[Part]:
    # `live` only chooses the limit; Graph knows recipient.id and recipient.comment_id alone.
    to = {name: value for name, value in recipient.items() if name != "live"}
    if "sender_action" in document:
        kind = Kind(document["sender_action"])
        body = {"recipient": to, "sender_action": document["sender_action"]}
        if "payload" in document:
            body["payload"] = document["payload"]
        return [Part(kind, bucket_of(kind, recipient), body)]
    messages = document["messages"] if "messages" in document else [document["message"]]
    if document.get("split"):
        messages = split(messages)
    return [
        Part(kind, bucket_of(kind, recipient), {"recipient": to, "message": message})
        for message in messages
        for kind in [kind_of_message(message)]
    ]


def _timestamp(text: str | None) -> float | None:
    return None if text is None else datetime.fromisoformat(text).timestamp()
