"""What an operator wants replayed, and how; and what that makes of one letter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from secrets import token_hex
from typing import Any, Protocol

import jsonpatch
import jsonpointer
import orjson

from worker.core.delivery import Delivery, Lane
from worker.core.kind import Kind
from worker.core.problem import Problem
from worker.core.progress import (
    DISCLOSURE,
    REASON,
    RECIPIENT_ID,
    SENT_PARTS,
    UNKNOWN_SINCE,
    rfc3339,
)
from worker.core.reason import Reason
from worker.core.replay import LONGEST_OPERATOR, Doubt, Replay, replay_from
from worker.core.request import Author, SendRequest
from worker.core.request_schema import REQUEST_SCHEMA, problem_of_version
from worker.core.window import LONG_WINDOW_S, deadline_of
from worker.dead.letter import Letter
from worker.pipeline.read import Unreadable
from worker.rabbit.message import delivery_of, header_for
from worker.rabbit.names import Names
from worker.rabbit.wire.properties import Header

_LONGEST_ID = 128
# What jsonpatch raises for a document that the patch does not fit, or one nested without end.
_PATCH_ERRORS = (
    jsonpatch.JsonPatchException,
    jsonpointer.JsonPointerException,
    TypeError,
    RecursionError,
)


class Why(StrEnum):
    """Why a letter that was selected stays where it is."""

    INVALID = "invalid"
    TOO_LATE = "too late"
    UNCHANGED = "the edit does not apply"


@dataclass(frozen=True, slots=True)
class Skipped:
    """The letter stays; `detail` says for a person what is wrong with it."""

    why: Why
    detail: str


@dataclass(frozen=True, slots=True)
class Going:
    """What is published for the letter. `id` is its own, or that of the edited request."""

    id: str
    account_id: str
    exchange: str
    header: Header
    body: bytes


@dataclass(frozen=True, slots=True)
class Order:
    """How a selection is replayed.

    `rate_per_s` None is as fast as it goes; `canary` None is without waiting for outcomes.
    `most_failures` is the share of a batch that may fail (0 to 1); `patience_s` how long no
    outcome may come before the replay stops. `edit` is a JSON Patch (RFC 6902).
    """

    batch: str
    operator: str
    lane: Lane = Lane.BULK
    rate_per_s: float | None = None
    canary: int | None = None
    most_failures: float = 0.2
    patience_s: float = 60.0
    limit: int | None = None
    doubt: Doubt | None = None
    edit: Sequence[Mapping[str, Any]] | None = field(default=None)


class Read(Protocol):
    """Step 1 of the worker's own path."""

    def __call__(self, delivery: Delivery) -> tuple[SendRequest, object] | Unreadable: ...


def batch_name(now: float) -> str:
    """Name a replay so that names sort by time: `20261123T101500-7f3a`."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%S}-{token_hex(2)}"


def operator_name(name: str) -> str:
    """Cut a name to what a header of ours may hold."""
    return name.encode()[:LONGEST_OPERATOR].decode("utf-8", "ignore") or "unknown"


class EditFailed(Exception):
    """The patch is none, or does not apply to a letter."""


class Clerk:
    """Decides for each letter, by the schemas and windows of now, what becomes of it."""

    def __init__(self, names: Names, read: Read) -> None:
        self._names = names
        self._read = read

    def kinds_of(self, letter: Letter) -> frozenset[Kind]:
        """What the parts of the request are; nothing when it is no valid request."""
        reading = self._read(self._delivery(letter))
        if isinstance(reading, Unreadable):
            return frozenset()
        return frozenset(part.kind for part in reading[0].parts)

    def decide(self, letter: Letter, order: Order, *, now: float) -> Going | Skipped:
        """Make the message that puts the letter back, or say why it stays."""
        try:
            body = _edited(letter, order)
        except EditFailed as failed:
            return Skipped(Why.UNCHANGED, str(failed))
        delivery = self._delivery(letter, body)
        if order.edit is not None and problem_of_version(delivery.properties.type) is not None:
            # What the operator made of it is checked, and sent, as the version known here.
            properties = delivery.properties._replace(type=REQUEST_SCHEMA)
            delivery = delivery._replace(properties=properties)
        reading = self._read(delivery)
        if isinstance(reading, Unreadable):
            return Skipped(Why.INVALID, reading.dead.detail)
        request, _ = reading
        deadline = _deadline(request)
        if deadline is not None and deadline < now:
            return Skipped(Why.TOO_LATE, f"it had to be sent before {rfc3339(deadline)}")
        is_interactive = order.lane is Lane.INTERACTIVE
        return Going(
            request.identity.id or "",
            request.account_id,
            self._names.requests if is_interactive else self._names.bulk,
            header_for(delivery, self._headers(letter, order)),
            body,
        )

    def _headers(self, letter: Letter, order: Order) -> dict[str, object]:
        kept = {
            name: letter.headers[name]
            for name in (SENT_PARTS, DISCLOSURE, RECIPIENT_ID, UNKNOWN_SINCE)
            if name in letter.headers
        }
        is_doubtful = letter.reason is Reason.UNCONFIRMED or UNKNOWN_SINCE in kept
        replay = Replay(
            order.batch,
            letter.replays + 1,
            order.operator,
            replay_of=letter.id if order.edit is not None else None,
            doubt=order.doubt if is_doubtful else None,
        )
        if isinstance(replay_from(replay.headers()), Problem):
            # What was wrong with the request may have been its id.
            replay = replace(replay, replay_of=None)
        return {REASON: letter.reason.value, **kept, **replay.headers()}

    def _delivery(self, letter: Letter, body: bytes | None = None) -> Delivery:
        incoming = letter.incoming if body is None else letter.incoming._replace(body=body)
        return delivery_of(
            incoming,
            queue=self._names.dead_queue(letter.reason),
            lane=Lane.BULK,
            requests=self._names.requests,
        )


def patch_from(text: str) -> list[dict[str, Any]]:
    """Read a JSON Patch. Raises EditFailed."""
    try:
        operations = orjson.loads(text)
        jsonpatch.JsonPatch(operations)
    except (orjson.JSONDecodeError, jsonpatch.JsonPatchException, TypeError) as error:
        raise EditFailed(
            f"not a JSON Patch ({error}); write for example "
            '[{"op": "replace", "path": "/expires_at", "value": "2026-12-31T00:00:00Z"}]'
        ) from None
    if not isinstance(operations, list):
        raise EditFailed("a JSON Patch is an array of operations")
    return operations


def _edited(letter: Letter, order: Order) -> bytes:
    """Apply the patch, and give the request an id of its own unless the patch does."""
    if order.edit is None:
        return letter.body
    if not letter.document:
        raise EditFailed("the body is no JSON object")
    try:
        document = jsonpatch.JsonPatch(order.edit).apply(letter.document)
    except _PATCH_ERRORS as error:
        raise EditFailed(f"the patch does not apply: {error}") from None
    if not isinstance(document, dict):
        raise EditFailed("the patch leaves no JSON object")
    if document.get("id") == letter.document.get("id"):
        suffix = f"~{order.batch}"
        # Of letters without an id, each needs one that no other has.
        old = letter.id or f"edited-{token_hex(8)}"
        document["id"] = old[: _LONGEST_ID - len(suffix)] + suffix
    return orjson.dumps(document)


def _deadline(request: SendRequest) -> float | None:
    """The last moment worth sending at, whatever the account may do.

    Whether it has the human agent feature only the worker knows: the longer window counts.
    """
    if request.author is Author.AUTOMATION or request.last_inbound_at is None:
        return deadline_of(request, None)
    closes_at = request.last_inbound_at + LONG_WINDOW_S
    return closes_at if request.expires_at is None else min(closes_at, request.expires_at)
