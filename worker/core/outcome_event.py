"""The event that tells the producer how a request ended (schemas/outcome.v1.json)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from worker.core.problem import Problem
from worker.core.progress import rfc3339
from worker.core.reason import Reason
from worker.core.replay import Replay
from worker.core.request_schema import REQUEST_SCHEMA
from worker.core.send_result import GraphError


class Status(StrEnum):
    """The verdict of an outcome event; `held` means that a person has to look."""

    SENT = "sent"
    FAILED = "failed"
    HELD = "held"


class OutcomeEvent(NamedTuple):
    """One terminal event. `id` and `account_id` are None when the request was unreadable.

    `message_ids` are of the request's own parts; `disclosure_id` is of the disclosure that went
    before them. `replay` is given when it was a dead letter that the tool had put back.
    `request_schema` is None when the request was of a version that the worker does not know.
    """

    id: str | None
    account_id: str | None
    status: Status
    finished_at: float
    attempts: int
    message_ids: tuple[str | None, ...] = ()
    recipient_id: str | None = None
    accepted_at: float | None = None
    reason: Reason | None = None
    detail: str | None = None
    error: GraphError | None = None
    problems: tuple[Problem, ...] = ()
    metadata: Mapping[str, Any] | None = None
    duplicate: bool = False
    replay: Replay | None = None
    disclosure_id: str | None = None
    request_schema: str | None = REQUEST_SCHEMA

    @property
    def routing_key(self) -> str:
        """Where producers bind: `<status>.<account_id>`."""
        return f"{self.status}.{self.account_id or 'unknown'}"

    def document(self) -> dict[str, Any]:
        """Give the JSON document of the event."""
        return {
            "schema": "igsend.outcome.v1",
            "request_schema": self.request_schema,
            "id": self.id,
            "account_id": self.account_id,
            "status": self.status.value,
            "reason": self.reason.value if self.reason else None,
            "message_ids": list(self.message_ids),
            "disclosure": self._disclosure(),
            "recipient_id": self.recipient_id,
            "error": self._error(),
            "attempts": self.attempts,
            "accepted_at": None if self.accepted_at is None else rfc3339(self.accepted_at),
            "finished_at": rfc3339(self.finished_at),
            "metadata": self.metadata,
            "replay": self._replay(),
            "replay_of": None if self.replay is None else self.replay.replay_of,
            "duplicate": self.duplicate,
        }

    def _disclosure(self) -> dict[str, Any] | None:
        return None if self.disclosure_id is None else {"message_id": self.disclosure_id}

    def _replay(self) -> dict[str, Any] | None:
        if self.replay is None:
            return None
        return {
            "batch": self.replay.batch,
            "count": self.replay.count,
            "operator": self.replay.operator,
        }

    def _error(self) -> dict[str, Any] | None:
        if self.reason is None:
            return None
        error = self.error or GraphError("")
        return {
            "code": error.code,
            "subcode": error.subcode,
            "http_status": error.http_status,
            "fbtrace_id": error.fbtrace_id,
            "detail": self.detail,
            "problems": [{"pointer": p.pointer, "message": p.message} for p in self.problems],
        }
