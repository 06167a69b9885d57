"""What a gate can tell people: the state of an account, and where a request is.

Values and their JSON, the same for both gates, for commands and for endpoints. No message text,
no token.
"""

import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from typing import Any, Protocol

from worker.core.account import Account
from worker.core.kind import Bucket
from worker.core.outcome_event import OutcomeEvent
from worker.core.progress import rfc3339
from worker.core.rate_limit import PUBLISHED_LIMITS, Limit, Pace, next_slot
from worker.core.send_result import GraphError

# So many accounts are looked at in one go: a round trip of a pipeline, or a few milliseconds of
# the worker's event loop.
PAGE = 250
# Moments are sums of intervals; a part of a millionth of one is no call.
_NEARLY = 1e-6


class Openness(StrEnum):
    """Whether an account may be called.

    ASKING: one request asks whether it is open again. DUE: the next request will.
    """

    OPEN = "open"
    CLOSED = "closed"
    ASKING = "asking"
    DUE = "due"


class Where(StrEnum):
    """Where a request is.

    IN_HAND: a worker has it, without an attempt. PARKED: at the broker, never tried. WAITING: at
    the broker, for another attempt. CONCLUDED: ended, but nobody was told yet.
    """

    RUNNING = "running"
    IN_HAND = "in_hand"
    PARKED = "parked"
    WAITING = "waiting"
    DOUBTFUL = "doubtful"
    CONCLUDED = "concluded"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Times:
    """A bucket as the gates keep it (unix seconds).

    When the next call would be due, and when the last parked request of each lane is.
    """

    arrival: float = 0.0
    schedule: float = 0.0
    bulk_schedule: float = 0.0


@dataclass(frozen=True, slots=True)
class ClosureState:
    """Why an account, or the app, may not be called; for good when `is_final`."""

    until: float
    error: GraphError | None
    is_final: bool = False
    is_probed: bool = False
    since: float | None = None
    strikes: int | None = None

    def openness(self, now: float) -> Openness:
        if self.until <= now:
            return Openness.DUE
        return Openness.ASKING if self.is_probed else Openness.CLOSED

    def document(self) -> dict[str, Any]:
        error = self.error or GraphError("")
        return {
            "since": _moment(self.since),
            "until": rfc3339(self.until),
            "why": error.meaning,
            "code": error.code,
            "subcode": error.subcode,
            "is_final": self.is_final,
            "is_asking": self.is_probed,
            "strikes": self.strikes,
        }


@dataclass(frozen=True, slots=True)
class BucketState:
    """One limit of an account.

    `left` calls may go at once, the next one after them at `next_slot`. What is parked is read
    off the schedule: it is at most so many.
    """

    bucket: Bucket
    limit: Limit
    is_override: bool
    pace: Pace
    left: int
    next_slot: float
    parked: int
    parked_bulk: int
    parked_until: float | None

    def document(self) -> dict[str, Any]:
        return {
            "limit": str(self.limit),
            "is_override": self.is_override,
            "interval_s": self.pace.interval_s,
            "burst": self.pace.burst,
            "left": self.left,
            "next_slot": rfc3339(self.next_slot),
            "parked": {"interactive": self.parked, "bulk": self.parked_bulk},
            "parked_until": _moment(self.parked_until),
        }


@dataclass(frozen=True, slots=True)
class AccountState:
    """All of one account; `app` is what closes every account, `conversations` have a queue."""

    id: str
    now: float
    margin: float
    buckets: tuple[BucketState, ...]
    closure: ClosureState | None = None
    app: ClosureState | None = None
    conversations: int | None = None
    bulk_share: float = 1.0
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def openness(self) -> Openness:
        """Tell the worst of the account's own closure and the app's."""
        found = {c.openness(self.now) for c in (self.app, self.closure) if c is not None}
        worst_first = (Openness.CLOSED, Openness.ASKING, Openness.DUE)
        return next((each for each in worst_first if each in found), Openness.OPEN)

    @property
    def parked(self) -> int:
        return sum(bucket.parked for bucket in self.buckets)

    @property
    def parked_bulk(self) -> int:
        return sum(bucket.parked_bulk for bucket in self.buckets)

    def document(self) -> dict[str, Any]:
        return {
            "account_id": self.id,
            "now": rfc3339(self.now),
            "state": self.openness.value,
            "closure": None if self.closure is None else self.closure.document(),
            "app": None if self.app is None else self.app.document(),
            "parked": {"interactive": self.parked, "bulk": self.parked_bulk},
            "next_slot": rfc3339(max(bucket.next_slot for bucket in self.buckets)),
            "margin": self.margin,
            "bulk_share": self.bulk_share,
            "settings": dict(self.settings),
            "buckets": {each.bucket.value: each.document() for each in self.buckets},
            "conversations": self.conversations,
        }


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a place: parked and due back `at`, or `in_hand`, of `worker`, until then at least.

    A gate of one process sets neither worker nor end to what is in hand.
    """

    at: float | None
    in_hand: bool
    worker: str | None = None

    def document(self) -> dict[str, Any]:
        return {"in_hand": self.in_hand, "worker": self.worker, "until": _moment(self.at)}


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the queue of a conversation, `ahead` others before it.

    The id of the head is known to the gate of one process only: the other one keeps digests.
    """

    ahead: int
    length: int
    own: Holder
    head: Holder
    head_id: str | None = None

    def document(self) -> dict[str, Any]:
        return {
            "ahead": self.ahead,
            "length": self.length,
            **self.own.document(),
            "head": {"id": self.head_id, **self.head.document()},
        }


@dataclass(frozen=True, slots=True)
class RequestState:
    """Where a request is. `since` is when the attempt began whose result is awaited or unknown."""

    id: str
    account_id: str
    now: float
    where: Where
    attempts: int = 0
    parts_sent: int = 0
    checks: int = 0
    since: float | None = None
    worker: str | None = None
    lease_until: float | None = None
    place: Place | None = None
    event: OutcomeEvent | None = None

    def document(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "account_id": self.account_id,
            "now": rfc3339(self.now),
            "where": self.where.value,
            "attempts": self.attempts,
            "parts_sent": self.parts_sent,
            "checks": self.checks,
            "since": _moment(self.since),
            "worker": self.worker,
            "lease_until": _moment(self.lease_until),
            "place": None if self.place is None else self.place.document(),
            "outcome": None if self.event is None else _outcome(self.event),
        }


class Inspector(Protocol):
    """Looks into a gate and changes nothing there."""

    def accounts(self, accounts: Iterable[Account]) -> AsyncIterator[AccountState]:
        """Tell of each account, in their order, all but `conversations`."""
        ...

    async def conversations(self, account_id: str) -> int:
        """Count the conversations that have a queue."""
        ...

    def requests(self, request_id: str, account_ids: Iterable[str]) -> AsyncIterator[RequestState]:
        """Tell of each request with this id among the accounts; none that the gate knows not."""
        ...


class Documents:
    """The answers to people's questions, as JSON, about the accounts that `known` gives."""

    def __init__(self, inspector: Inspector, known: Callable[[], Mapping[str, Account]]) -> None:
        self._inspector = inspector
        self._known = known

    async def accounts(self, *, start: int, closed: bool, busy: bool) -> dict[str, Any]:
        """Give a page from the account number `start` on, and where the next one starts.

        Only those that are not open, or have something parked, if asked; of the page's accounts,
        so it may be empty and not the last.
        """
        accounts = self._known()
        page = islice(accounts.values(), start, start + PAGE)
        found = [
            state.document()
            async for state in self._inspector.accounts(page)
            if (not closed or state.openness is not Openness.OPEN)
            and (not busy or state.parked or state.parked_bulk)
        ]
        following = start + PAGE if start + PAGE < len(accounts) else None
        return {"accounts": found, "next": following, "count": len(accounts)}

    async def account(self, account_id: str) -> dict[str, Any] | None:
        """Give everything of one account; None when there is no such account."""
        account = self._known().get(account_id)
        if account is None:
            return None
        count = await self._inspector.conversations(account_id)
        states = [state async for state in self._inspector.accounts([account])]
        return replace(states[0], conversations=count).document()

    async def requests(self, request_id: str, account_id: str | None) -> list[dict[str, Any]]:
        """Give every request with this id, of one account or of all."""
        ids = self._known().keys() if account_id is None else [account_id]
        return [state.document() async for state in self._inspector.requests(request_id, ids)]


def account_state(
    account: Account,
    times: Mapping[Bucket, Times],
    *,
    now: float,
    margin: float,
    closure: ClosureState | None,
    app: ClosureState | None,
) -> AccountState:
    """Build the state from what a gate keeps; a bucket it does not keep is full."""
    closed = [c.until for c in (closure, app) if c and c.openness(now) is Openness.CLOSED]
    opens_at = max([now, *closed])
    buckets = tuple(
        _bucket_state(account, bucket, times.get(bucket, Times()), now, margin, opens_at)
        for bucket in Bucket
    )
    return AccountState(
        account.id,
        now,
        margin,
        buckets,
        closure,
        app,
        bulk_share=account.bulk_share,
        settings=_settings(account),
    )


def _settings(account: Account) -> Mapping[str, object]:
    """Give what its source says of the account besides its limits, less the token."""
    disclosure = account.disclosure
    return {
        "human_agent": account.human_agent,
        "check_media": account.check_media,
        "graph_version": account.graph_version,
        "expires_at": None if account.expires_at is None else rfc3339(account.expires_at),
        "disclosure_after_s": None if disclosure is None else disclosure.after_s,
        "disclosure_locales": [] if disclosure is None else sorted(disclosure.texts),
    }


@lru_cache
def pace_within(limit: Limit, margin: float, share: float = 1.0) -> Pace:
    """Remember the paces: many accounts have the same few limits."""
    return Pace.within(limit, margin=margin, share=share)


def _bucket_state(
    account: Account, bucket: Bucket, times: Times, now: float, margin: float, opens_at: float
) -> BucketState:
    limit = account.limits.get(bucket, PUBLISHED_LIMITS[bucket])
    pace = pace_within(limit, margin)
    bulk_pace = pace_within(limit, margin, account.bulk_share)
    room = (now - times.arrival) / pace.interval_s + pace.burst
    slot, _ = next_slot(times.arrival, pace, now=now)
    parked_until = max(times.schedule, times.bulk_schedule)
    return BucketState(
        bucket=bucket,
        limit=limit,
        is_override=bucket in account.limits,
        pace=pace,
        left=0 if opens_at > now else max(0, math.floor(min(room, pace.burst) + _NEARLY)),
        next_slot=max(slot, opens_at),
        parked=_parked(times.schedule, opens_at, pace),
        parked_bulk=_parked(times.bulk_schedule, opens_at, bulk_pace),
        parked_until=parked_until if parked_until > now else None,
    )


def _parked(schedule: float, opens_at: float, pace: Pace) -> int:
    return max(0, math.ceil((schedule - opens_at) / pace.interval_s - _NEARLY))


def _outcome(event: OutcomeEvent) -> dict[str, Any]:
    error = event.error or GraphError("")
    return {
        "status": event.status.value,
        "reason": None if event.reason is None else event.reason.value,
        "detail": event.detail,
        "code": error.code,
        "subcode": error.subcode,
        "http_status": error.http_status,
        "message_ids": list(event.message_ids),
        "attempts": event.attempts,
        "accepted_at": _moment(event.accepted_at),
        "finished_at": rfc3339(event.finished_at),
    }


def _moment(moment: float | None) -> str | None:
    return None if moment is None else rfc3339(moment)
