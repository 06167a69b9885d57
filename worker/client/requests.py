"""Builds send-requests (schemas/send-request.v1.json)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypedDict, Unpack
from uuid import uuid4

from worker.client.messages import Action, Message


class RequestFields(TypedDict, total=False):
    """The optional fields, as the README explains them; moments as aware datetimes.

    None is as if the field were not given, but for `id`: a missing one must not become a fresh one.
    """

    id: str
    author: Literal["automation", "human"] | None
    locale: str | None
    last_inbound_at: datetime | None
    not_before: datetime | None
    expires_at: datetime | None
    on_unknown: Literal["verify", "hold", "resend"] | None
    metadata: Mapping[str, Any] | None
    split: bool | None


def request(
    account_id: str,
    to: str | Mapping[str, Any],
    *content: Message | Action,
    **fields: Unpack[RequestFields],
) -> dict[str, Any]:
    """Build a request to a person (an Instagram-scoped id) or to a `comment`.

    `content` is one to ten messages, sent in order, or one action. Without an `id` it gets a
    fresh one; an id made of what your own system knows (an order, a ticket) keeps a repeated run
    from sending twice. Raises ValueError for a moment without a time zone, and for an action
    that does not go alone.
    """
    recipient = dict(to) if isinstance(to, Mapping) else {"id": to}
    document: dict[str, Any] = {
        "id": fields["id"] if "id" in fields else uuid4().hex,
        "account_id": account_id,
        "recipient": recipient,
        **_content(content),
    }
    for name, value in fields.items():
        if name != "id" and value is not None:
            document[name] = _moment(name, value) if isinstance(value, datetime) else value
    return document


def comment(comment_id: str, *, live: bool = False) -> dict[str, Any]:
    """Address a private reply: the comment it answers, `live` if that was made on a Live."""
    return {"comment_id": comment_id, "live": True} if live else {"comment_id": comment_id}


def _content(content: tuple[Message | Action, ...]) -> dict[str, Any]:
    actions = [each for each in content if isinstance(each, Action)]
    if actions:
        if len(content) > 1:
            raise ValueError(f"{actions[0].name} is a sender action and goes alone")
        (action,) = actions
        payload = {} if action.payload is None else {"payload": dict(action.payload)}
        return {"sender_action": action.name, **payload}
    if len(content) == 1:
        return {"message": content[0]}
    return {"messages": list(content)}


def _moment(name: str, moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError(
            f"{name} has no time zone; give an aware datetime, like datetime.now(timezone.utc)"
        )
    return moment.isoformat()
