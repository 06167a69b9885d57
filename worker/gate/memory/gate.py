"""The memory gate: one decision per request, from ledger, closures, turns and rates."""

from worker.core.account import Account
from worker.core.admission import (
    Admission,
    Closed,
    Concluded,
    Doubtful,
    Go,
    NotYet,
    Reused,
    TooLate,
)
from worker.core.ask import Ask
from worker.core.closure import CONVERSATION_COOLDOWN_S, PROBED_S
from worker.core.disclosure import is_due, is_open, opening_of, preceded
from worker.core.kind import Bucket
from worker.core.outcome import (
    Completed,
    Dead,
    Duplicate,
    HandedBack,
    Outcome,
    Postponed,
    Retrying,
    Wait,
)
from worker.core.outcome_event import OutcomeEvent
from worker.core.progress import Progress
from worker.core.request import AccountId, OnUnknown, SendRequest
from worker.core.send_result import Refused, Scope, Throttled
from worker.gate.memory.authors import Authors
from worker.gate.memory.closures import APP, Closures, Cooling
from worker.gate.memory.ledger import Ended, Ledger, Open
from worker.gate.memory.rates import BULK_AHEAD_S, LATE_S, NEWCOMER_HOLD_S, Grant, Rates
from worker.gate.memory.recent import Recent
from worker.gate.memory.turns import Key, Turns
from worker.gate.patience import HOLD_S, Answer, Patience, SlotSoon, TurnSoon, patiently
from worker.gate.rules import (
    UNKNOWN_ACCOUNT,
    further,
    is_paced_as_bulk,
    is_shared,
    is_untried,
    may_be_forced,
    may_run_again,
    not_yet,
)
from worker.ports import Clock


class MemoryGate:
    """Implements the Gate port for a single process.

    After a crash it remembers nothing: a request whose call was under way then is sent again
    when the broker redelivers it. The Redis gate exists to close that window.
    """

    trouble: str | None = None

    def __init__(self, clock: Clock, *, margin: float, keep_s: float, most: int) -> None:
        self._clock = clock
        self._ledger = Ledger(keep_s=keep_s, most=most)
        self._closures = Closures()
        self._turns = Turns()
        self._rates = Rates(margin=margin)
        self._recent = Recent()
        self._authors = Authors()
        self._granted: dict[Key, Grant] = {}

    async def admit(self, ask: Ask) -> Admission:
        known = self._known(ask)
        if isinstance(known, Progress):
            if known is not ask.progress:
                ask = ask._replace(progress=known)
            if known.sent:
                ask = ask._replace(request=preceded(ask.request, ask.account, known))
        elif not isinstance(known, Doubtful) or known.progress.unknown_since is None:
            return known

        async def decide(patience: Patience) -> Answer:
            if isinstance(known, Doubtful):
                return self._decide_doubt(ask.request, known, patience)
            return self._decide(ask, patience)

        return await patiently(decide, self._clock, ask.waits)

    def _decide_doubt(self, request: SendRequest, known: Doubtful, patience: Patience) -> Answer:
        """If it turns out to have gone, its next part follows at once: it must be alone by then."""
        now = self._clock.now()
        self._turns.line_up(request, now=now)
        if self._turns.has_turn(request):
            return known
        answer = self._turn(request, now, patience)
        if isinstance(answer, NotYet):
            self._turns.expect(request, due=answer.until)
        return answer

    def _known(self, ask: Ask) -> Progress | Admission:
        """Look the request up: its progress, or the answer when it may not simply run."""
        request, progress = ask.request, ask.progress
        known = self._ledger.find(request, now=self._clock.now())
        if known is not None and known.fingerprint != request.fingerprint:
            return Reused()
        if isinstance(known, Ended):
            if not may_run_again(known.event, progress):
                return Concluded(known.event)
            if not may_be_forced(known.event, progress):
                progress = progress.unforced()
            self._ledger.reopen(request)
        if progress.is_forced:
            # What the ledger knows of an attempt since then is another doubt.
            progress = progress.begun
        if isinstance(known, Open):
            progress = further(known.progress, progress)
            if known.started_at is not None:
                progress = progress.in_doubt_since(known.started_at)
                progress = progress._replace(disclosure=known.progress.disclosure)
        if not progress.is_doubtful:
            return progress
        if request.on_unknown is OnUnknown.RESEND and progress.returned_from is None:
            again = progress.with_attempt()
            return again._replace(unknown_since=None, checks=0, may_have_gone=True)
        progress = progress.unforced()
        self._ledger.wait(request, progress, now=self._clock.now())
        return Doubtful(progress, self._recent.of(request))

    def _decide(self, ask: Ask, patience: Patience) -> Answer:
        now, request = self._clock.now(), ask.request
        account = ask.account
        if account is None:
            return Closed(UNKNOWN_ACCOUNT)
        start = max(now, request.not_before or now)
        if ask.deadline is not None and start > ask.deadline:
            return TooLate()
        if start > now:
            return NotYet(start, Wait.NOT_BEFORE)
        late_s = self._turns.line_up(request, now=now)
        answer: Answer
        if self._turns.has_turn(request):
            ask = self._opened(ask, account, now)
            answer = self._slot(ask, account, patience, is_late=late_s > LATE_S)
        else:
            answer = self._turn(request, now, patience)
        if isinstance(answer, NotYet):
            self._turns.expect(request, due=answer.until)
        elif isinstance(answer, Go) and ask.progress.is_republished:
            self._rates.came_back(account, ask.bucket, now=now)
        return answer

    def _opened(self, ask: Ask, account: Account, now: float) -> Ask:
        """Decide whether a disclosure goes first; nobody else speaks in the conversation now."""
        request, progress = ask.request, ask.progress
        if progress.sent:
            return ask
        if is_open(request, progress, account) and is_due(self._authors.last(request, now=now)):
            progress = progress._replace(disclosure=opening_of(request, account))
            request = preceded(request, account, progress)
            return ask._replace(request=request, progress=progress)
        if progress.disclosure is None:
            return ask
        return ask._replace(progress=progress._replace(disclosure=None))

    def _turn(self, request: SendRequest, now: float, patience: Patience) -> NotYet | TurnSoon:
        called = (
            self._turns.called_soon(request, now=now, within_s=HOLD_S)
            if patience.may_wait
            else None
        )
        if called is not None:
            return TurnSoon(called)
        return NotYet(self._turns.look_again_at(request, now=now), Wait.TURN)

    def _slot(
        self, ask: Ask, account: Account, patience: Patience, *, is_late: bool = False
    ) -> Answer:
        now, bucket = self._clock.now(), ask.bucket
        closure = self._closures.verdict(account, ask.request.key, now=now)
        if isinstance(closure, Closed):
            return closure
        if isinstance(closure, Cooling):
            return self._cooling(ask, account, closure, patience)
        if ask.progress.is_republished or self._rates.may_enter(account, bucket, ask.lane, now=now):
            answer = self._reserve(ask, account, patience, is_late=is_late)
            if answer is not None:
                return answer
        due = self._rates.park(account, bucket, ask.lane, now=now)
        return not_yet(due, Wait.RATE, ask)

    def _cooling(self, ask: Ask, account: Account, closure: Cooling, patience: Patience) -> Answer:
        now = self._clock.now()
        if closure.is_probed and patience.may_wait:
            return SlotSoon(now + PROBED_S)
        opens_at = now + HOLD_S if closure.is_probed else closure.until
        due = self._rates.park(account, ask.bucket, ask.lane, now=now, opens_at=opens_at)
        return not_yet(due, Wait.COOLDOWN, ask)

    def _reserve(
        self, ask: Ask, account: Account, patience: Patience, *, is_late: bool
    ) -> Go | SlotSoon | None:
        """Take a slot; None when it is too far away to be waited for in hand."""
        now, bucket = self._clock.now(), ask.bucket
        is_due = ask.progress.is_republished and not (is_late and is_untried(ask.progress))
        latest = now + (HOLD_S if is_due else NEWCOMER_HOLD_S)
        if ask.deadline is not None:
            latest = min(latest, ask.deadline)
        if not is_paced_as_bulk(ask):
            return self._take(ask, account, latest=latest) or self._share_soon(
                ask, account, patience, latest=latest
            )
        if patience.has_waited or not self._rates.is_bulk_waiting(account, bucket, now=now):
            grant = self._take(ask, account, latest=min(latest, now + BULK_AHEAD_S))
            if grant is not None:
                return grant
        at = self._rates.bulk_turn(account, bucket, now=now, latest=latest)
        return SlotSoon(at) if at is not None and patience.may_wait else None

    def _share_soon(
        self, ask: Ask, account: Account, patience: Patience, *, latest: float
    ) -> SlotSoon | None:
        """What has begun waits in hand for its account's share, and in no line."""
        if not patience.may_wait or not is_shared(ask):
            return None
        now = self._clock.now()
        at = self._rates.share_turn(account, ask.bucket, now=now, latest=latest)
        return None if at is None else SlotSoon(at)

    def _take(self, ask: Ask, account: Account, *, latest: float) -> Go | None:
        now = self._clock.now()
        reserve = self._rates.reserve_share if is_shared(ask) else self._rates.reserve
        grant = reserve(account, ask.bucket, now=now, latest=latest)
        if grant is None:
            return None
        progress = ask.progress.begun
        self._ledger.begin(ask.request, progress, now=now)
        self._granted[ask.request.key] = grant
        self._closures.granted(account.id, ask.request.key, now=now)
        return Go(grant.slot, progress)

    async def advance(self, ask: Ask) -> Admission:
        account = ask.account
        assert account is not None, "only a granted request advances"
        known = self._ledger.by_id(ask.request.key)
        if isinstance(known, Open) and len(known.progress.sent) == len(ask.progress.sent):
            if not ask.is_spent:
                self._give_back(ask.request)
        else:
            self._recent.add(ask.request, ask.progress.sent[-1:])
            self._authors.note(ask.request, account, now=self._clock.now())
            self._closures.reopen(account.id, ask.request.key, now=self._clock.now())
        # A request that has begun goes before the backlog of those that have not.
        begun = ask._replace(progress=ask.progress._replace(is_republished=True), deadline=None)

        async def decide(patience: Patience) -> Answer:
            answer = self._slot(begun, account, patience)
            return Go(answer.slot, ask.progress) if isinstance(answer, Go) else answer

        return await patiently(decide, self._clock, ask.waits)

    def is_closed(self, account_id: AccountId) -> bool:
        return self._closures.is_closed(account_id, now=self._clock.now())

    async def close(self, ask: Ask, result: Throttled | Refused) -> Closed | NotYet:
        now, account = self._clock.now(), ask.account
        assert account is not None, "only a granted request is refused"
        if isinstance(result, Refused):
            verdict = self._closures.refuse(account, result, now=now)
            return verdict if isinstance(verdict, Closed) else self._until(ask, verdict.until)
        if result.scope is Scope.CONVERSATION:
            # The head of the conversation is parked; those behind it wait for their turn.
            return NotYet(now + (result.retry_after_s or CONVERSATION_COOLDOWN_S), Wait.COOLDOWN)
        name = APP if result.scope is Scope.APP else account.id
        return self._until(ask, self._closures.throttle(name, result, now=now))

    def _until(self, ask: Ask, opens_at: float) -> NotYet:
        """Put the request into the schedule of what waits for the end of a cooldown."""
        assert ask.account is not None, "only a granted request is refused"
        now = self._clock.now()
        due = self._rates.park(ask.account, ask.bucket, ask.lane, now=now, opens_at=opens_at)
        return NotYet(due, Wait.COOLDOWN)

    async def conclude(
        self,
        request: SendRequest,
        outcome: Outcome,
        event: OutcomeEvent | None,
        *,
        account: Account | None = None,
        is_slot_unused: bool = False,
    ) -> None:
        now = self._clock.now()
        if is_slot_unused:
            self._give_back(request)
        self._granted.pop(request.key, None)
        match outcome:
            case Dead(is_about_another=True):
                # The id is another request's: that one's record stays as it is.
                pass
            case Completed() | Dead():
                assert event is not None, "a terminal outcome has an event"
                if isinstance(outcome, Completed):
                    self._recent.add(request, outcome.progress.sent[-1:])
                    self._authors.note(request, account, now=now)
                    self._closures.reopen(request.account_id, request.key, now=now)
                self._ledger.end(request, event)
                self._turns.leave(request)
            case Postponed() | Retrying():
                self._ledger.wait(request, outcome.progress, now=now)
                self._turns.expect(request, due=outcome.until)
            case HandedBack():
                self._ledger.wait(request, outcome.progress, now=now)
                self._turns.leave(request)
            case Duplicate():
                pass
        self._closures.gave_up(request.account_id, request.key, now=now)

    async def settled(self, request: SendRequest) -> None:
        """Nothing to note: what was not published is forgotten together with the process."""

    async def read_slot(self, account: Account) -> float | None:
        now = self._clock.now()
        grant = self._rates.reserve(account, Bucket.CONVERSATIONS, now=now, latest=now + HOLD_S)
        return None if grant is None else grant.slot

    def _give_back(self, request: SendRequest) -> None:
        grant = self._granted.pop(request.key, None)
        if grant is not None:
            self._rates.give_back(grant)

    def closed(self) -> dict[str, int]:
        """Count what is closed now, by why (CLOSED)."""
        return self._closures.counted(now=self._clock.now())

    def status(self) -> dict[str, object]:
        """What the status page shows: closed accounts and sizes."""
        closed = self._closures.listed(now=self._clock.now())
        return {
            "closed": {name: {"until": until, "why": why} for name, (until, why) in closed.items()},
            "conversations": len(self._turns),
            "remembered": len(self._ledger),
        }
