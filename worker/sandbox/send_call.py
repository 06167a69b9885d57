"""One call to the messages endpoint, read from its body: what is sent to whom."""

from dataclasses import dataclass
from typing import Any

from worker.sandbox.action_shape import check_action
from worker.sandbox.fields import only, the_numeric_id, the_object
from worker.sandbox.message_shape import check_message
from worker.sandbox.refusal import GraphRefusal

_MESSAGING_TYPES = ("RESPONSE", "UPDATE", "MESSAGE_TAG")


@dataclass(frozen=True, slots=True)
class SendCall:
    """A call whose shape is right. Either `recipient_id` or `comment_id` is there."""

    account_id: str
    kind: str
    recipient_id: str | None
    comment_id: str | None
    text: str | None = None
    post_id: str | None = None
    target_message_id: str | None = None
    is_tagged: bool = False

    @property
    def recipient(self) -> dict[str, str]:
        """The recipient as the call had it."""
        if self.comment_id is not None:
            return {"comment_id": self.comment_id}
        return {"id": self.recipient_id or ""}

    @property
    def makes_message(self) -> bool:
        """False for reactions and presence: they answer without a message_id."""
        return self.kind not in ("react", "unreact", "typing_on", "typing_off", "mark_seen")


def read_call(body: dict[str, Any], *, account_id: str) -> SendCall:
    """Check the whole shape; raises GraphRefusal for the first thing that is not documented."""
    only(
        body,
        "the body",
        *("recipient", "message", "sender_action", "payload", "messaging_type", "tag"),
    )
    recipient_id, comment_id = _read_recipient(body, account_id)
    if "message" in body and "sender_action" in body:
        raise GraphRefusal(100, 2018014)
    if "sender_action" in body:
        if comment_id is not None:
            raise GraphRefusal(100, detail="a sender_action needs recipient.id")
        kind, target = check_action(body)
        return SendCall(account_id, kind, recipient_id, None, target_message_id=target)
    if "message" not in body:
        raise GraphRefusal(100, 2018015)
    return _read_message(body, SendCall(account_id, "", recipient_id, comment_id))


def _read_message(body: dict[str, Any], call: SendCall) -> SendCall:
    only(body, "the body", "recipient", "message", "messaging_type", "tag")
    kind = check_message(body["message"])
    is_tagged = _read_tag(body)
    if call.comment_id is not None:
        if kind not in ("text", "quick_replies"):
            raise GraphRefusal(100, 2534015, detail="a private reply takes text only")
        if is_tagged:
            raise GraphRefusal(100, detail="a private reply takes no tag")
    attachment = body["message"].get("attachment", {})
    return SendCall(
        call.account_id,
        kind,
        call.recipient_id,
        call.comment_id,
        text=body["message"].get("text"),
        post_id=attachment["payload"]["id"] if kind == "published_post" else None,
        is_tagged=is_tagged,
    )


def _read_recipient(body: dict[str, Any], account_id: str) -> tuple[str | None, str | None]:
    recipient = the_object(body.get("recipient"), "recipient")
    only(recipient, "recipient", "id", "comment_id")
    if len(recipient) != 1:
        raise GraphRefusal(100, detail="recipient must have either id or comment_id")
    if "comment_id" in recipient:
        return None, the_numeric_id(
            recipient["comment_id"], "recipient.comment_id", mismatch=2534025
        )
    recipient_id = the_numeric_id(recipient["id"], "recipient.id", mismatch=2534014)
    if recipient_id == account_id:
        raise GraphRefusal(100, 2534014, detail="recipient.id is the sending account")
    return recipient_id, None


def _read_tag(body: dict[str, Any]) -> bool:
    """Tell whether the human agent tag is on; every other tag is retired or Messenger's."""
    if "messaging_type" in body and body["messaging_type"] not in _MESSAGING_TYPES:
        raise GraphRefusal(100, detail="messaging_type is not a known one")
    if ("tag" in body) != (body.get("messaging_type") == "MESSAGE_TAG"):
        raise GraphRefusal(100, detail="tag and messaging_type MESSAGE_TAG go together")
    if "tag" in body and body["tag"] != "HUMAN_AGENT":
        raise GraphRefusal(100, detail="tag must be HUMAN_AGENT")
    return "tag" in body
