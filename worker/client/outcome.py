"""How a request ended, as its producer reads it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Self

import orjson

from worker.core.problem import Problem

SCHEMA = "igsend.outcome.v1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome event (schemas/outcome.v1.json).

    `status` is `sent`, `failed` or `held` (a person has to look); `reason` is None when sent.
    `message_ids` has one entry per part that went. `detail` says in a sentence why it failed, and
    `problems` what is wrong with an invalid request. `document` is the whole event: later
    releases may put more into it.
    """

    id: str | None
    account_id: str | None
    status: Literal["sent", "failed", "held"]
    reason: str | None
    message_ids: tuple[str | None, ...]
    recipient_id: str | None
    detail: str | None
    problems: tuple[Problem, ...]
    attempts: int
    finished_at: datetime
    metadata: dict[str, Any] | None
    is_duplicate: bool
    document: dict[str, Any] = field(repr=False)

    @property
    def is_sent(self) -> bool:
        return self.status == "sent"

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read an event. Raises ValueError for anything else."""
        document = orjson.loads(body)
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            raise ValueError(f"no outcome event: its schema is not {SCHEMA}")
        try:
            return cls._of(document)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"an outcome event that lacks something: {error}") from None

    @classmethod
    def _of(cls, document: dict[str, Any]) -> Self:
        error = document["error"] or {}
        return cls(
            id=document["id"],
            account_id=document["account_id"],
            status=document["status"],
            reason=document["reason"],
            message_ids=tuple(document["message_ids"]),
            recipient_id=document["recipient_id"],
            detail=error.get("detail"),
            problems=tuple(Problem(p["pointer"], p["message"]) for p in error.get("problems", ())),
            attempts=document["attempts"],
            finished_at=datetime.fromisoformat(document["finished_at"]),
            metadata=document["metadata"],
            is_duplicate=document["duplicate"],
            document=document,
        )
