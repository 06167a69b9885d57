"""Looks into the memory gate of this process, for people."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from worker.core.account import Account
from worker.core.kind import Bucket
from worker.core.request import AccountId, RequestId
from worker.gate.inspecting import (
    AccountState,
    ClosureState,
    Holder,
    Place,
    RequestState,
    Times,
    Where,
    account_state,
)
from worker.gate.memory.closures import APP, Closure
from worker.gate.memory.gate import MemoryGate
from worker.gate.memory.ledger import Ended, Open
from worker.gate.memory.turns import Key, _Place
from worker.ports import Clock

# So many are looked at before the event loop turns: about a millisecond, for slots wait for it.
ACCOUNTS_AT_ONCE = 20
LOOKED_UP_AT_ONCE = 2000

Item = TypeVar("Item")


class MemoryInspector:
    """Implements Inspector. Reads what the gate's parts keep, without the calls that tidy up.

    The event loop turns meanwhile, so what is told of two accounts may be a moment apart.
    """

    def __init__(self, gate: MemoryGate, clock: Clock, *, margin: float) -> None:
        self._clock = clock
        self._margin = margin
        self._ledger = gate._ledger
        self._closures = gate._closures._closures
        self._windows = gate._rates._windows
        self._queues = gate._turns._queues

    async def accounts(self, accounts: Iterable[Account]) -> AsyncIterator[AccountState]:
        app = _closure(self._closures.get(APP))
        for page in _pages(accounts, ACCOUNTS_AT_ONCE):
            for account in page:
                yield account_state(
                    account,
                    self._times(account.id),
                    now=self._clock.now(),
                    margin=self._margin,
                    closure=self._closure_of(account),
                    app=app,
                )
            await asyncio.sleep(0)

    async def conversations(self, account_id: str) -> int:
        return sum(owner == account_id for owner, _ in self._queues)

    async def requests(
        self, request_id: str, account_ids: Iterable[str]
    ) -> AsyncIterator[RequestState]:
        wanted, name = set(account_ids), RequestId(request_id)
        places = await self._places(wanted, name)
        for page in _pages(wanted, LOOKED_UP_AT_ONCE):
            for account_id in page:
                key = (AccountId(account_id), name)
                state = self._request(key, places.get(key))
                if state is not None:
                    yield state
            await asyncio.sleep(0)

    def _times(self, account_id: str) -> dict[Bucket, Times]:
        found = ((bucket, self._windows.get((account_id, bucket))) for bucket in Bucket)
        return {
            bucket: Times(window.arrival_time, window.schedule, window.bulk_schedule)
            for bucket, window in found
            if window is not None
        }

    def _closure_of(self, account: Account) -> ClosureState | None:
        closure = self._closures.get(account.id)
        if closure is not None and closure.is_final and closure.token != account.token:
            # The next request finds it open.
            return None
        return _closure(closure)

    async def _places(self, account_ids: set[str], request_id: RequestId) -> dict[Key, Place]:
        """Find the places in one pass: no queue is known by the id of a request."""
        found: dict[Key, Place] = {}
        for page in _pages(list(self._queues.items()), LOOKED_UP_AT_ONCE):
            for (owner, _), queue in page:
                key = (owner, request_id)
                if key not in queue or owner not in account_ids:
                    continue
                head_key, head = next(iter(queue.items()))
                found[key] = Place(
                    ahead=list(queue).index(key),
                    length=len(queue),
                    own=_holder(queue[key]),
                    head=_holder(head),
                    head_id=head_key[1],
                )
            await asyncio.sleep(0)
        return found

    def _request(
        self, key: tuple[AccountId, RequestId], place: Place | None
    ) -> RequestState | None:
        account_id, request_id = key
        now = self._clock.now()
        match self._ledger.by_id(key):
            case Ended() as ended:
                return RequestState(request_id, account_id, now, Where.ENDED, event=ended.event)
            case Open(progress=progress) as known:
                where, since = Where.WAITING, None
                if known.started_at is not None:
                    where, since, place = Where.RUNNING, known.started_at, None
                elif progress.unknown_since is not None:
                    where, since = Where.DOUBTFUL, progress.unknown_since
                return RequestState(
                    request_id,
                    account_id,
                    now,
                    where,
                    attempts=progress.attempts,
                    parts_sent=len(progress.own_sent),
                    checks=progress.checks,
                    since=since,
                    place=place,
                )
            case None if place is not None:
                where = Where.IN_HAND if place.own.in_hand else Where.PARKED
                return RequestState(request_id, account_id, now, where, place=place)
            case _:
                return None


def _holder(place: _Place) -> Holder:
    return Holder(place.due, in_hand=place.due is None)


def _pages(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    source = iter(items)
    while page := list(islice(source, size)):
        yield page


def _closure(closure: Closure | None) -> ClosureState | None:
    if closure is None:
        return None
    return ClosureState(
        until=closure.until,
        error=closure.error,
        is_final=closure.is_final,
        is_probed=closure.is_probed,
        since=closure.since,
        strikes=closure.strikes,
    )
