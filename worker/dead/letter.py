"""A dead letter as it lies in its queue, and what its headers say about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import orjson

from worker.core.progress import ATTEMPTS, PREFIX, SENT_PARTS, UNKNOWN_SINCE, rfc3339
from worker.core.reason import ADVICE, SAFE_TO_REPLAY, Reason
from worker.core.replay import BATCH, COUNT
from worker.rabbit.wire.deliveries import Incoming
from worker.rabbit.wire.properties import read_properties


@dataclass(frozen=True)
class Letter:
    """One letter of the queue of `reason`. Total: whatever lies there can be looked at.

    `died_at` is in unix seconds. What a letter does not say, or says in another form than we
    write, is None.
    """

    incoming: Incoming
    reason: Reason

    @property
    def body(self) -> bytes:
        return self.incoming.body

    @cached_property
    def headers(self) -> Mapping[str, object]:
        return read_properties(self.incoming.header).headers

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The body as JSON; empty when it is no object."""
        try:
            document = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return document if isinstance(document, dict) else {}

    @property
    def id(self) -> str | None:
        return self._text("request-id") or _text(self.document.get("id"))

    @property
    def account_id(self) -> str | None:
        return self._text("account-id") or _text(self.document.get("account_id"))

    @property
    def code(self) -> int | None:
        return self._number("code")

    @property
    def subcode(self) -> int | None:
        return self._number("subcode")

    @cached_property
    def died_at(self) -> float | None:
        said = self._text("died-at")
        return _moment_of_death(self.headers.get("x-death")) if said is None else _moment(said)

    @property
    def sent_parts(self) -> int:
        """How many parts went before it died."""
        said = _text(self.headers.get(SENT_PARTS))
        try:
            parts = orjson.loads(said or "[]")
        except orjson.JSONDecodeError:
            return 0
        return len(parts) if isinstance(parts, list) else 0

    @property
    def is_safe_to_replay(self) -> bool:
        """False where a replay may send something that went already."""
        return self.reason in SAFE_TO_REPLAY and UNKNOWN_SINCE not in self.headers

    @property
    def replays(self) -> int:
        """How often it was put back already."""
        return _number(self.headers.get(COUNT)) or 0

    def summary(self) -> dict[str, Any]:
        """Give everything worth knowing but the message, as JSON values."""
        return {
            "id": self.id,
            "account_id": self.account_id,
            "reason": self.reason.value,
            "code": self.code,
            "subcode": self.subcode,
            "http_status": self._number("http-status"),
            "fbtrace_id": self._text("fbtrace-id"),
            "detail": self._text("detail"),
            "advice": ADVICE[self.reason],
            "attempts": _number(self.headers.get(ATTEMPTS)),
            "died_at": None if self.died_at is None else rfc3339(self.died_at),
            "first_seen": self._text("first-seen"),
            "lane": self._text("lane"),
            "sent_parts": self.sent_parts,
            "safe_to_replay": self.is_safe_to_replay,
            "replays": self.replays,
            "replay_batch": _text(self.headers.get(BATCH)),
            "problems": self._problems(),
        }

    def _problems(self) -> list[Any]:
        try:
            problems = orjson.loads(self._text("problems") or "[]")
        except orjson.JSONDecodeError:
            return []
        return problems if isinstance(problems, list) else []

    def _text(self, name: str) -> str | None:
        return _text(self.headers.get(PREFIX + name))

    def _number(self, name: str) -> int | None:
        return _number(self.headers.get(PREFIX + name))


def _text(value: object) -> str | None:
    # Half of a surrogate pair stands for a byte that is not UTF-8; it cannot be printed.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None


def _moment_of_death(deaths: object) -> float | None:
    """Read the broker's own note, newest first: letters that it put here have no other."""
    newest = deaths[0] if isinstance(deaths, list) and deaths else None
    at = newest.get("time") if isinstance(newest, dict) else None
    if not isinstance(at, datetime):
        return None
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
