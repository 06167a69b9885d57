"""Looks into the memory gate of this process, for people."""

from collections.abc import AsyncIterator, Iterable

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
from worker.gate.memory.turns import Key
from worker.ports import Clock


class MemoryInspector:
    """Implements Inspector. Reads what the gate's parts keep, without the calls that tidy up."""

    def __init__(self, gate: MemoryGate, clock: Clock, *, margin: float) -> None:
        self._clock = clock
        self._margin = margin
        self._ledger = gate._ledger
        self._closures = gate._closures._closures
        self._windows = gate._rates._windows
        self._queues = gate._turns._queues

    async def accounts(self, accounts: Iterable[Account]) -> AsyncIterator[AccountState]:
        app = _closure(self._closures.get(APP))
        for account in accounts:
            yield account_state(
                account,
                self._times(account.id),
                now=self._clock.now(),
                margin=self._margin,
                closure=self._closure_of(account),
                app=app,
            )

    async def conversations(self, account_id: str) -> int:
        return sum(owner == account_id for owner, _ in self._queues)

    async def requests(
        self, request_id: str, account_ids: Iterable[str]
    ) -> AsyncIterator[RequestState]:
        keys = {(AccountId(account_id), RequestId(request_id)) for account_id in account_ids}
        places = self._places(keys)
        for key in sorted(keys):
            state = self._request(key, places.get(key))
            if state is not None:
                yield state

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

    def _places(self, keys: set[tuple[AccountId, RequestId]]) -> dict[Key, Place]:
        """Find the places of all in one pass: a queue does not know whose it is by id."""
        ids = {owner: (owner, request_id) for owner, request_id in keys}
        found: dict[Key, Place] = {}
        for (owner, _), queue in self._queues.items():
            key = ids.get(AccountId(owner))
            if key is None or key not in queue:
                continue
            head_id, head = next(iter(queue.items()))
            found[key] = Place(
                ahead=list(queue).index(key),
                length=len(queue),
                own=Holder(queue[key].due, in_hand=queue[key].due is None),
                head=Holder(head.due, in_hand=head.due is None),
                head_id=head_id[1],
            )
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
                    parts_sent=len(progress.sent),
                    checks=progress.checks,
                    since=since,
                    place=place,
                )
            case None if place is not None:
                where = Where.IN_HAND if place.own.in_hand else Where.PARKED
                return RequestState(request_id, account_id, now, where, place=place)
            case _:
                return None


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
