"""A gate that is watched: what it answers has to be in keeping with all it answered before."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.gate.machine_calls import APP, Calls, Grant
from tests.gate.machine_line import Key, Line, Place
from tests.gate.machine_openings import Openings, number_of_next
from worker.core.account import Account
from worker.core.admission import Admission, Closed, Concluded, Doubtful, Go, NotYet, TooLate
from worker.core.ask import Ask
from worker.core.delivery import Lane
from worker.core.disclosure import preceded
from worker.core.kind import Bucket
from worker.core.outcome import (
    Dead,
    Duplicate,
    Outcome,
    Postponed,
    Retrying,
    Wait,
)
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.rate_limit import PUBLISHED_LIMITS, Pace
from worker.core.reason import Reason
from worker.core.request import AccountId, OnUnknown, SendRequest
from worker.core.send_result import Refused, Scope, Throttled
from worker.gate.open_gate import WholeGate

# An interactive request is not behind more of its own account's bulk than this.
BEHIND_BULK_S = 0.3
MARGIN = 0.03
_EXACT_S = 0.002


@dataclass(slots=True)
class Watch:
    """What all workers together have seen of the gate."""

    now: Callable[[], float]
    faults: list[str] = field(default_factory=list)
    line: Line = field(default_factory=Line)
    granted: dict[Key, Grant] = field(default_factory=dict)
    ended: dict[tuple[Key, bytes], Status] = field(default_factory=dict)
    # Per bucket: the last slot of what is not bulk, and until when such is parked.
    last_slot: dict[tuple[str, Bucket], float] = field(default_factory=dict)
    parked_until: dict[tuple[str, Bucket], float] = field(default_factory=dict)
    # How many of those are with the gate: they may have slots that nobody has seen yet.
    asking: Counter[tuple[str, Bucket]] = field(default_factory=Counter)
    # Whoever closed something may have died before it could tell what.
    is_unsure: bool = False
    calls: Calls = field(init=False)
    openings: Openings = field(init=False)

    def __post_init__(self) -> None:
        self.calls, self.openings = Calls(self.faults), Openings(self.faults)

    def go(self, ask: Ask, slot: float, worker: str, *, now: float, is_first: bool) -> None:
        request, account = ask.request, ask.account
        assert account is not None, "nothing goes without an account"
        for grant in self.granted.values():
            is_same = grant.request.key == request.key and grant.worker == worker
            if grant.request.conversation == request.conversation and not is_same:
                self.faults.append(f"{request.key} is granted while {grant.request.key} is")
        earlier = self.line.before(request, now=now)
        if earlier:
            self.faults.append(f"{request.key} is granted before {earlier}")
        if (request.key, request.fingerprint) in self.ended:
            self.faults.append(f"{request.key} is granted after its end")
        part = number_of_next(request, ask.progress)
        is_open = (request.key, part) in self.calls.unresolved
        if is_open and request.on_unknown is not OnUnknown.RESEND:
            self.faults.append(f"{request.key} is granted in doubt")
        if slot < now - _EXACT_S:
            self.faults.append(f"{request.key} is granted a slot in the past")
        if is_first and ask.deadline is not None and slot > ask.deadline + _EXACT_S:
            self.faults.append(f"{request.key} is granted a slot after its deadline")
        if is_first:
            self.openings.decided(request, now=now)
        grant = Grant(request, account, worker, now, slot, ask.deadline)
        self.granted[request.key] = grant
        self.calls.grant(grant, now=now)
        if ask.lane is not Lane.BULK or not is_first:
            self._note_slot(account, ask.bucket, slot)

    def put_off(self, ask: Ask, answer: NotYet, *, now: float) -> None:
        request = ask.request
        if answer.until < now - _EXACT_S:
            self.faults.append(f"{request.key} is parked until the past")
        if answer.why in (Wait.RATE, Wait.COOLDOWN) and ask.lane is not Lane.BULK:
            where = request.account_id, ask.bucket
            self.parked_until[where] = max(self.parked_until.get(where, 0.0), answer.until)
        if answer.why is not Wait.COOLDOWN or self.calls.is_cooling(request.account_id, now=now):
            return
        names = {APP, request.account_id} & self.calls.closings.keys()
        is_asked = any(
            APP in names or grant.account.id == request.account_id
            for grant in self.granted.values()
        )
        if not is_asked and not self.is_unsure:
            self.faults.append(f"{request.key} waits for one that asks, and nobody does ({names})")

    def end(self, request: SendRequest) -> None:
        """The pass is over."""
        self.granted.pop(request.key, None)

    def died(self, worker: str) -> None:
        for key, grant in list(self.granted.items()):
            if grant.worker == worker:
                del self.granted[key]
                self.calls.lost(key)
        self.calls.worker_died(now=self.now())
        self.openings.worker_died()

    def pace(self, account: Account, bucket: Bucket) -> Pace:
        return Pace.within(account.limits.get(bucket, PUBLISHED_LIMITS[bucket]), margin=MARGIN)

    @contextmanager
    def being_asked(self, ask: Ask) -> Iterator[None]:
        """Note that the gate is asked, unless it is for a request that gives way."""
        if ask.lane is Lane.BULK and not ask.progress.sent:
            yield
            return
        self.asking[ask.request.account_id, ask.bucket] += 1
        try:
            yield
        finally:
            self.asking[ask.request.account_id, ask.bucket] -= 1

    def has_only_bulk_before(self, ask: Ask) -> bool:
        """Whether nothing but bulk of its own account can hold up an interactive newcomer."""
        request = ask.request
        if ask.account is None or ask.lane is Lane.BULK or ask.progress.is_republished:
            return False
        is_free = self.line.is_empty(request) and not self.asking[request.account_id, ask.bucket]
        is_open = not {APP, request.account_id} & self.calls.closings.keys()
        return is_free and is_open and self.pace(ask.account, ask.bucket).interval_s < 0.11

    def behind_bulk(self, ask: Ask, answer: Admission, *, now: float) -> None:
        """Look whether an interactive request, which nothing else holds up, got on at once."""
        assert ask.account is not None
        pace, where = self.pace(ask.account, ask.bucket), (ask.account.id, ask.bucket)
        following = self.last_slot.get(where, 0.0) + pace.interval_s
        if isinstance(answer, Go) and answer.slot > max(now + BEHIND_BULK_S, following + _EXACT_S):
            self.faults.append(f"{ask.request.key} is {answer.slot - now:.3f} s behind bulk")
        is_free = following < now + 0.1 and self.parked_until.get(where, 0.0) < now
        if isinstance(answer, NotYet) and answer.why is Wait.RATE and is_free:
            self.faults.append(f"{ask.request.key} is parked behind bulk")

    def _note_slot(self, account: Account, bucket: Bucket, slot: float) -> None:
        where = account.id, bucket
        self.last_slot[where] = max(self.last_slot.get(where, 0.0), slot)


class WatchedGate:
    """One worker's gate: the same ports, each answer looked at."""

    def __init__(self, gate: WholeGate, watch: Watch, worker: str) -> None:
        self._gate = gate
        self._watch = watch
        self._worker = worker
        self._in_hand: dict[Key, Place] = {}

    def died(self) -> None:
        """The worker is no more, and has told nobody."""
        self._watch.died(self._worker)
        for place in self._in_hand.values():
            place.visits, place.due = place.visits - 1, self._now()
        self._in_hand.clear()

    def _now(self) -> float:
        return self._watch.now()

    async def admit(self, ask: Ask) -> Admission:
        now, request, watch = self._now(), ask.request, self._watch
        if request.not_before is not None and request.not_before > now:
            return await self._gate.admit(ask)
        known, has_only_bulk_before = watch.line.look_up(request), watch.has_only_bulk_before(ask)
        place = watch.line.come(request, now=now)
        if known is None and (request.key, request.fingerprint) in watch.ended:
            # It will be told how it ended, and stands in nobody's way.
            place.is_ordered = False
        try:
            with watch.being_asked(ask):
                answer = await self._gate.admit(ask)
        except asyncio.CancelledError:
            place.visits, place.due = place.visits - 1, now
            # Its question may never have got there.
            place.is_ordered = place.is_ordered and known is not None
            raise
        if has_only_bulk_before and place.is_ordered:
            watch.behind_bulk(ask, answer, now=now)
        self._answered(ask, answer, place, is_new=known is None)
        return answer

    def _answered(self, ask: Ask, answer: Admission, place: Place, *, is_new: bool) -> None:
        watch, now = self._watch, self._now()
        if isinstance(answer, Go | Doubtful):
            self._in_hand[ask.request.key] = place
        match answer:
            case Go(slot, progress):
                request = preceded(ask.request, ask.account, progress)
                gone = Ask(request, ask.account, progress, ask.lane, ask.deadline)
                watch.go(gone, slot, self._worker, now=now, is_first=True)
                return
            case Doubtful():
                return
            case NotYet(until, why):
                watch.put_off(ask, answer, now=now)
                if why is not Wait.ELSEWHERE:
                    place.due = max(place.due, until)
            case Closed() | TooLate() | Concluded():
                place.is_ordered = False
            case _:
                pass
        place.visits -= 1
        was_there = isinstance(answer, NotYet) and answer.why is not Wait.ELSEWHERE
        if is_new and not was_there and place.visits == 0 and place.due < 0:
            watch.line.leave(ask.request)

    async def advance(self, ask: Ask) -> Admission:
        with self._watch.being_asked(ask):
            answer = await self._gate.advance(ask)
        if isinstance(answer, Go):
            self._watch.go(ask, answer.slot, self._worker, now=self._now(), is_first=False)
        elif isinstance(answer, NotYet):
            self._watch.put_off(ask, answer, now=self._now())
        return answer

    def is_closed(self, account_id: AccountId) -> bool:
        return self._gate.is_closed(account_id)

    async def close(self, ask: Ask, result: Throttled | Refused) -> Closed | NotYet:
        try:
            answer = await self._gate.close(ask, result)
        except asyncio.CancelledError:
            self._watch.is_unsure = True
            raise
        if isinstance(result, Throttled) and result.scope is not Scope.CONVERSATION:
            name = APP if result.scope is Scope.APP else ask.request.account_id
            self._watch.calls.throttled(name, result.retry_after_s, now=self._now())
        elif isinstance(answer, Closed) and ask.account is not None:
            self._watch.calls.refused(ask.account, now=self._now())
        return answer

    async def conclude(
        self,
        request: SendRequest,
        outcome: Outcome,
        event: OutcomeEvent | None,
        *,
        account: Account | None = None,
        is_slot_unused: bool = False,
    ) -> None:
        self._concluded(request, outcome, event)
        await self._gate.conclude(
            request, outcome, event, account=account, is_slot_unused=is_slot_unused
        )

    def _concluded(
        self, request: SendRequest, outcome: Outcome, event: OutcomeEvent | None
    ) -> None:
        watch = self._watch
        if isinstance(outcome, Duplicate) or (
            isinstance(outcome, Dead) and outcome.reason is Reason.INVALID
        ):
            return
        place = self._in_hand.pop(request.key, None)
        if place is not None:
            place.visits -= 1
        if event is not None:
            watch.ended[request.key, request.fingerprint] = event.status
        if not isinstance(outcome, Postponed | Retrying):
            watch.line.leave(request)
        elif place is not None:
            place.due = outcome.until
        watch.end(request)

    async def settled(self, request: SendRequest) -> None:
        await self._gate.settled(request)

    async def read_slot(self, account: Account) -> float | None:
        slot = await self._gate.read_slot(account)
        if slot is not None and slot < self._now() - _EXACT_S:
            self._watch.faults.append(f"{account.id} is granted a read in the past")
        return slot
