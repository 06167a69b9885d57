"""Values with defaults, so that a test shows only what matters to it."""

from collections.abc import Mapping
from typing import Any

from worker.core.account import Account
from worker.core.delivery import Delivery, Lane, Properties
from worker.core.kind import Bucket
from worker.core.outcome import Completed, Outcome
from worker.core.problem import Problem
from worker.core.progress import Progress
from worker.core.rate_limit import Limit
from worker.core.report import Report
from worker.core.request import Author, Identity, OnUnknown, SendRequest, request_from
from worker.core.secret import Secret
from worker.core.send_result import GraphError

NOW = 1_795_340_000.0
ACCOUNT_ID = "17841405822304914"
PERSON_ID = "6789012345"
TEXT = "Your order is on its way."

# Of the form of a real token, so that redaction has something to find; it opens nothing.
TOKEN = "IGAA" + "notARealToken0" * 10


def a_document(**fields: Any) -> dict[str, Any]:
    """A valid send-request as JSON; `message` gives way to `messages` or `sender_action`."""
    document: dict[str, Any] = {
        "id": "order-1",
        "account_id": ACCOUNT_ID,
        "recipient": {"id": PERSON_ID},
    }
    if not {"message", "messages", "sender_action"} & fields.keys():
        document["message"] = {"text": TEXT}
    return document | fields


def a_request(
    id: str = "order-1",
    *,
    account_id: str = ACCOUNT_ID,
    recipient: Mapping[str, Any] | None = None,
    messages: list[dict[str, Any]] | None = None,
    author: Author = Author.AUTOMATION,
    last_inbound_at: str | None = None,
    expires_at: str | None = None,
    not_before: str | None = None,
    on_unknown: OnUnknown = OnUnknown.VERIFY,
    metadata: Mapping[str, Any] | None = None,
    fingerprint: bytes = b"fingerprint",
) -> SendRequest:
    """One text to one person unless told otherwise; times are RFC 3339."""
    document = a_document(
        id=id,
        account_id=account_id,
        recipient=recipient or {"id": PERSON_ID},
        messages=messages or [{"text": TEXT}],
        author=author.value,
        last_inbound_at=last_inbound_at,
        expires_at=expires_at,
        not_before=not_before,
        on_unknown=on_unknown.value,
        metadata=metadata,
    )
    return request_from(document, fingerprint=fingerprint)


def a_delivery(
    body: bytes = b"{}",
    *,
    queue: str = "ig.send.v1.00",
    lane: Lane = Lane.INTERACTIVE,
    redelivered: bool = False,
    progress: Progress | Problem | None = None,
    headers: Mapping[str, object] | None = None,
    message_id: str | None = None,
    reply_to: str | None = None,
    correlation_id: str | None = None,
    receipt: object = None,
) -> Delivery:
    """A first delivery without any producer property."""
    return Delivery(
        body=body,
        queue=queue,
        lane=lane,
        redelivered=redelivered,
        properties=Properties(
            message_id=message_id,
            reply_to=reply_to,
            correlation_id=correlation_id,
            headers=headers or {},
        ),
        progress=Progress() if progress is None else progress,
        receipt=receipt,
    )


def an_account(
    id: str = ACCOUNT_ID,
    *,
    token: str = TOKEN,
    human_agent: bool = False,
    limits: Mapping[Bucket, Limit] | None = None,
) -> Account:
    return Account(id, Secret(token), human_agent, limits or {})


def an_error(
    meaning: str = "the API refused it",
    *,
    code: int | None = 100,
    subcode: int | None = None,
    http_status: int | None = 400,
    fbtrace_id: str | None = "AbCdEf",
) -> GraphError:
    return GraphError(meaning, code, subcode, http_status, fbtrace_id)


def a_report(
    outcome: Outcome | None = None,
    *,
    request: SendRequest | None = None,
    delivery: Delivery | None = None,
    started_at: float = NOW,
    finished_at: float = NOW + 0.5,
    api_s: float = 0.25,
    api_calls: int = 1,
    identity: Identity | None = None,
) -> Report:
    """The pass of a request that was sent at once."""
    request = request or a_request()
    if outcome is None:
        progress = Progress(attempts=1, first_seen=NOW - 1.5, sent=("mid-1",))
        outcome = Completed(progress, accepted_at=finished_at)
    return Report(
        delivery=delivery or a_delivery(),
        request=request,
        outcome=outcome,
        started_at=started_at,
        finished_at=finished_at,
        api_s=api_s,
        api_calls=api_calls,
        identity=request.identity if identity is None else identity,
    )
