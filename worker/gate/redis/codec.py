"""What the Redis gate stores, as bytes: small, since the ledger keeps a million of them."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.problem import Problem
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.replay import Replay
from worker.core.request import AccountId, RequestId, SendRequest
from worker.core.send_result import GraphError
from worker.gate.redis.compact import pack_ids, unpack_ids

# Half of the body's digest: it only has to tell two bodies with the same id apart.
FINGERPRINT_SIZE = 8
_MOST_ATTEMPTS = 0xFF
# From acceptance to the end, in three octets: four and a half hours.
_LONGEST_MS = 0xFFFFFF
_SENT = b"s"
_SENT_BY_REPLAY = b"r"
_SENT_BEHIND_DISCLOSURE = b"d"
_OTHER = b"x"


# Each step of a request asks for it again.
@lru_cache(4096)
def digest_of(request_id: str) -> bytes:
    """Name a request within its account, in 14 bytes whatever the length of its id.

    With one octet more, Redis would take eight more for it.
    """
    return blake2b(request_id.encode(), digest_size=14).digest()


def pack_progress(progress: Progress) -> bytes:
    """Write what the ledger keeps of a progress while the request is open."""
    values = [
        progress.attempts,
        progress.first_seen,
        progress.sent,
        progress.recipient_id,
        progress.returned_from,
        progress.unknown_since,
        progress.checks,
    ]
    if progress.disclosure is not None or progress.may_have_gone:
        values += [progress.disclosure, progress.may_have_gone]
    return orjson.dumps(values)


def unpack_progress(data: bytes) -> Progress:
    """Read a progress; it is one of our own, so the request is not new."""
    values = orjson.loads(data)
    attempts, first_seen, sent, recipient_id, returned_from, unknown_since, checks, *more = values
    return Progress(
        attempts=attempts,
        first_seen=first_seen,
        sent=tuple(sent),
        recipient_id=recipient_id,
        is_republished=True,
        returned_from=returned_from,
        unknown_since=unknown_since,
        checks=checks,
        disclosure=more[0] if more else None,
        may_have_gone=bool(more) and more[1],
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
        accepted_at = event.finished_at if event.accepted_at is None else event.accepted_at
        took_ms = round((event.finished_at - accepted_at) * 1000)
        return b"".join(
            (
                *_sent_mark(event),
                min(event.attempts, _MOST_ATTEMPTS).to_bytes(1),
                round(accepted_at * 1000).to_bytes(6),
                min(max(took_ms, 0), _LONGEST_MS).to_bytes(3),
                pack_ids([learnt, *_disclosure_ids(event), *event.message_ids]),
            )
        )
    rare: dict[str, object] = {}
    if event.replay is not None:
        rare["replay"] = _replay_list(event.replay)
    if event.disclosure_id is not None:
        rare["disclosure_id"] = event.disclosure_id
    return _OTHER + orjson.dumps(
        {
            **rare,
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
    replay, disclosure_id = None, None
    is_behind_disclosure = data[:1] == _SENT_BEHIND_DISCLOSURE
    if is_behind_disclosure:
        data = data[1:]
    if data[:1] == _SENT_BY_REPLAY:
        end = 3 + int.from_bytes(data[1:3])
        replay, data = _replay(orjson.loads(data[3:end])), _SENT + data[end:]
    if data[:1] == _SENT:
        accepted_ms, took_ms = int.from_bytes(data[2:8]), int.from_bytes(data[8:11])
        learnt, *message_ids = unpack_ids(data[11:])
        if is_behind_disclosure:
            disclosure_id, *message_ids = message_ids
        return OutcomeEvent(
            id=request_id,
            account_id=account_id,
            status=Status.SENT,
            finished_at=(accepted_ms + took_ms) / 1000,
            attempts=data[1],
            message_ids=tuple(message_ids),
            recipient_id=learnt if learnt is not None else recipient_id,
            accepted_at=accepted_ms / 1000,
            replay=replay,
            disclosure_id=disclosure_id,
        )
    return _failed(orjson.loads(data[1:]), account_id, request_id)


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
        replay=_replay(document["replay"]) if "replay" in document else None,
        disclosure_id=document.get("disclosure_id"),
    )


def _sent_mark(event: OutcomeEvent) -> tuple[bytes, ...]:
    """Say that it was sent, behind a disclosure or not, and by which replay if by one.

    The texts of a replay are short enough for that.
    """
    before = () if event.disclosure_id is None else (_SENT_BEHIND_DISCLOSURE,)
    if event.replay is None:
        return *before, _SENT
    packed = orjson.dumps(_replay_list(event.replay))
    return *before, _SENT_BY_REPLAY, len(packed).to_bytes(2), packed


def _disclosure_ids(event: OutcomeEvent) -> tuple[str, ...]:
    return () if event.disclosure_id is None else (event.disclosure_id,)


def _replay_list(replay: Replay) -> list[str | int | None]:
    return [replay.batch, replay.count, replay.operator, replay.replay_of]


def _replay(told: list[Any]) -> Replay:
    return Replay(*told)
