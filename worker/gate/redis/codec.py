"""What the Redis gate stores, as bytes: small, since the ledger keeps a million of them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import blake2b
from typing import Any

import orjson

from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.problem import Problem
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.request import AccountId, RequestId, SendRequest
from worker.core.send_result import GraphError

# Half of the body's digest: it only has to tell two bodies with the same id apart.
FINGERPRINT_SIZE = 8
_SENT = b"s"
_OTHER = b"x"


def digest_of(request_id: str) -> bytes:
    """Name a request within its account, in 16 bytes whatever the length of its id."""
    return blake2b(request_id.encode(), digest_size=16).digest()


def pack_progress(progress: Progress) -> bytes:
    """Write what the ledger keeps of a progress while the request is open."""
    return orjson.dumps(
        [
            progress.attempts,
            progress.first_seen,
            progress.sent,
            progress.recipient_id,
            progress.returned_from,
            progress.unknown_since,
            progress.checks,
        ]
    )


def unpack_progress(data: bytes) -> Progress:
    """Read a progress; it is one of our own, so the request is not new."""
    attempts, first_seen, sent, recipient_id, returned_from, unknown_since, checks = orjson.loads(
        data
    )
    return Progress(
        attempts=attempts,
        first_seen=first_seen,
        sent=tuple(sent),
        recipient_id=recipient_id,
        is_republished=True,
        returned_from=returned_from,
        unknown_since=unknown_since,
        checks=checks,
    )


def pack_error(error: GraphError) -> str:
    return json.dumps(asdict(error))


def unpack_error(data: bytes) -> GraphError:
    return GraphError(**orjson.loads(data))


def pack_event(event: OutcomeEvent, request: SendRequest) -> bytes:
    """Write an outcome without what a duplicate brings along: id, account, metadata."""
    if event.status is Status.SENT:
        # The recipient is nearly always the one the request names.
        learnt = None if event.recipient_id == request.recipient.get("id") else event.recipient_id
        times = [round(event.finished_at, 3), _rounded(event.accepted_at)]
        ids = [event.attempts, *times, learnt, *event.message_ids]
        return _SENT + orjson.dumps(ids)
    return _OTHER + orjson.dumps(
        {
            "status": event.status.value,
            "finished_at": event.finished_at,
            "attempts": event.attempts,
            "message_ids": event.message_ids,
            "recipient_id": event.recipient_id,
            "reason": event.reason.value if event.reason else None,
            "detail": event.detail,
            "error": asdict(event.error) if event.error else None,
            "problems": [[p.pointer, p.message] for p in event.problems],
        }
    )


def unpack_event(data: bytes, request: SendRequest) -> OutcomeEvent:
    """Read an outcome of this request."""
    recipient_id = request.recipient.get("id")
    return unpack_event_of(data, request.account_id, request.id, recipient_id=recipient_id)


def unpack_event_of(
    data: bytes, account_id: AccountId, request_id: RequestId, *, recipient_id: str | None = None
) -> OutcomeEvent:
    """Read an outcome without having the request's body."""
    document = orjson.loads(data[1:])
    if data[:1] == _SENT:
        attempts, finished_at, accepted_at, learnt, *message_ids = document
        return OutcomeEvent(
            id=request_id,
            account_id=account_id,
            status=Status.SENT,
            finished_at=finished_at,
            attempts=attempts,
            message_ids=tuple(message_ids),
            recipient_id=learnt if learnt is not None else recipient_id,
            accepted_at=accepted_at,
        )
    return _failed(document, account_id, request_id)


def _failed(document: Mapping[str, Any], account_id: str, request_id: str) -> OutcomeEvent:
    error = document["error"]
    return OutcomeEvent(
        id=request_id,
        account_id=account_id,
        status=Status(document["status"]),
        finished_at=document["finished_at"],
        attempts=document["attempts"],
        message_ids=tuple(document["message_ids"]),
        recipient_id=document["recipient_id"],
        reason=Reason(document["reason"]) if document["reason"] else None,
        detail=document["detail"],
        error=None if error is None else GraphError(**error),
        problems=tuple(Problem(*each) for each in document["problems"]),
    )


def _rounded(moment: float | None) -> float | None:
    return None if moment is None else round(moment, 3)
