"""The Redis gate: any number of workers share limits, ledger and turns; one script a decision."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from secrets import token_hex
from typing import Any

import orjson

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
from worker.core.closure import ASK_AGAIN_S, CONVERSATION_COOLDOWN_S, PROBE_S, PROBED_S
from worker.core.delivery import Lane
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
from worker.core.rate_limit import PUBLISHED_LIMITS, Limit, Pace
from worker.core.reason import Reason
from worker.core.request import OnUnknown, SendRequest
from worker.core.send_result import Refused, Scope, Throttled
from worker.gate.patience import Answer, Patience, SlotSoon, TurnSoon, patiently
from worker.gate.redis import scripts
from worker.gate.redis.codec import (
    FINGERPRINT_SIZE,
    digest_of,
    pack_error,
    pack_event,
    pack_progress,
    unpack_error,
    unpack_event,
    unpack_progress,
)
from worker.gate.redis.failure import StoreUnavailable
from worker.gate.redis.platform import Platform, PlatformState, cooldowns_s
from worker.gate.redis.redis_time import RedisTime
from worker.gate.redis.script import Script
from worker.gate.redis.store import Store
from worker.gate.rules import UNKNOWN_ACCOUNT
from worker.ports import Clock

# While Redis is away a request waits in hand this long, then at the broker.
HOLD_WITHOUT_REDIS_S = 30.0
PARK_WITHOUT_REDIS_S = 15.0
RETRY_S = 0.2
RENEW_EVERY_S = 10.0
REFRESH_EVERY_S = 0.25


@dataclass(slots=True)
class Held:
    """A request in this worker's hands: the nonce of its attempt, its slot, and since when."""

    request: SendRequest
    nonce: str
    since: float
    sent: int
    slot: tuple[str, str, str] | None = None


class RedisGate:
    """Implements the Gate port on a Redis (or Valkey) that all workers share.

    Fails closed: while Redis is away nothing is sent; what is in hand waits or is put off.
    """

    def __init__(
        self, store: Store, clock: Clock, *, prefix: str, margin: float, keep_s: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._prefix = prefix
        self._margin = margin
        self._keep_s = keep_s
        self._worker = token_hex(6)
        self._numbers = itertools.count(1)
        self._time = RedisTime(clock)
        self._platform = Platform(store, prefix)
        self._held: dict[tuple[str, str], Held] = {}
        self._waiting: dict[bytes, asyncio.Event] = {}
        self._paces: dict[Limit, Pace] = {}

    @property
    def trouble(self) -> str | None:
        return self._store.trouble

    async def run(self) -> None:
        """Renew the leases of what takes long, hear who is next, and keep the app's state."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._store.subscribe(f"{self._wakes}{self._worker}", self._wake))
            tasks.create_task(self._renew())
            while True:
                await asyncio.sleep(REFRESH_EVERY_S)
                try:
                    await self._platform.refresh()
                except StoreUnavailable:
                    continue  # `trouble` tells; the next round finds it mended

    async def admit(self, ask: Ask) -> Admission:
        digest = digest_of(ask.request.id)
        nonce = f"{self._worker}:{next(self._numbers)}"
        called = self._waiting[digest] = asyncio.Event()

        async def decide(patience: Patience) -> Answer:
            called.clear()
            return await self._decide(ask, nonce, patience, called)

        try:
            return await patiently(decide, self._clock)
        finally:
            self._waiting.pop(digest, None)

    async def _decide(
        self, ask: Ask, nonce: str, patience: Patience, called: asyncio.Event
    ) -> Answer:
        give_up_at = self._clock.now() + HOLD_WITHOUT_REDIS_S
        while True:
            try:
                platform = self._platform.state
                if platform.is_closed:
                    platform = await self._platform.ask()
                facts = self._facts(ask, nonce, platform=platform, patience=patience)
                answer = await self._run(scripts.ADMIT, ask.request, facts, ask.progress)
                return self._admission(ask, nonce, answer, called)
            except StoreUnavailable:
                if self._clock.now() > give_up_at:
                    return NotYet(self._clock.now() + PARK_WITHOUT_REDIS_S, Wait.GATE)
                await asyncio.sleep(RETRY_S)

    def _admission(
        self, ask: Ask, nonce: str, answer: Sequence[bytes], called: asyncio.Event
    ) -> Answer:
        request = ask.request
        match answer[0]:
            case b"reused":
                return Reused()
            case b"concluded":
                return Concluded(unpack_event(answer[2], request), is_published=answer[3] == b"1")
            case b"doubtful":
                since = float(answer[2])
                progress = unpack_progress(answer[3])
                if since > 0:
                    progress = replace(progress, unknown_since=self._time.here(since))
                self._held[request.key] = Held(
                    request, nonce, self._clock.now(), len(progress.sent)
                )
                return Doubtful(progress, frozenset(orjson.loads(answer[4])))
            case b"turn soon":
                return TurnSoon(called)
            case b"go":
                progress = replace(
                    unpack_progress(answer[6]),
                    attempts=int(float(answer[7])),
                    unknown_since=None,
                    checks=0,
                )
                return self._go(request, nonce, answer, progress)
            case _:
                return self._put_off(answer)

    def _go(
        self, request: SendRequest, nonce: str, answer: Sequence[bytes], progress: Progress
    ) -> Go:
        slot = (answer[3].decode(), answer[4].decode(), answer[5].decode())
        self._held[request.key] = Held(request, nonce, self._clock.now(), len(progress.sent), slot)
        return Go(self._time.here(float(answer[2])), progress)

    def _put_off(self, answer: Sequence[bytes]) -> Answer:
        match answer[0]:
            case b"not yet":
                return NotYet(self._time.here(float(answer[2])), Wait(answer[3].decode()))
            case b"slot soon":
                return SlotSoon(self._time.here(float(answer[2])))
            case b"late":
                return TooLate()
            case b"closed":
                return Closed(unpack_error(answer[2]))
            case b"no account":
                return Closed(UNKNOWN_ACCOUNT)
            case other:
                raise ValueError(f"the gate's script answered {other!r}")

    async def advance(self, ask: Ask) -> Admission:
        held = self._held[ask.request.key]
        sent = ask.progress.sent
        has_sent = len(sent) > held.sent
        if has_sent:
            await self._went_well(ask.request)
        facts = self._facts(ask, held.nonce)
        facts |= {"went_well": has_sent, "message_id": (sent[-1] or "") if has_sent else ""}
        if held.slot is not None and not has_sent:
            facts["unused"] = _unused(held.slot)

        async def decide(patience: Patience) -> Answer:
            now = facts | _patience(patience)
            answer = await self._insist(scripts.ADVANCE, ask.request, now, ask.progress)
            # What was recorded once is not to be recorded again while it waits for its slot.
            facts.update(went_well=False, message_id="")
            facts.pop("unused", None)
            if answer[0] == b"go":
                return self._go(ask.request, held.nonce, answer, ask.progress)
            return self._put_off(answer)

        return await patiently(decide, self._clock)

    async def close(self, ask: Ask, result: Throttled | Refused) -> Closed | NotYet:
        now, error = self._clock.now(), result.error
        if isinstance(result, Throttled) and result.scope is Scope.CONVERSATION:
            # The head of the conversation is parked; those behind it wait for their turn.
            return NotYet(now + (result.retry_after_s or CONVERSATION_COOLDOWN_S), Wait.COOLDOWN)
        if isinstance(result, Refused):
            state = await self._lasting(
                lambda: self._platform.refused(ask.request.account_id, error, now=now)
            )
            if state.is_closed:
                return await self._delay(ask, state.until)
            kind = f"{error.code}/{error.subcode}"
            facts = self._facts(ask, "") | {"final": True, "again_s": ASK_AGAIN_S, "kind": kind}
            await self._insist(scripts.CLOSE, ask.request, facts, pack_error(error))
            return Closed(error)
        if result.scope is Scope.APP:
            state = await self._lasting(
                lambda: self._platform.throttle(error, result.retry_after_s)
            )
            return await self._delay(ask, state.until)
        facts = self._facts(ask, "") | {"cooldowns": cooldowns_s(result.retry_after_s)}
        return self._postponed(
            await self._insist(scripts.CLOSE, ask.request, facts, pack_error(error))
        )

    async def _delay(self, ask: Ask, opens_at: float) -> NotYet:
        facts = self._facts(ask, "") | {"opens_at": opens_at}
        return self._postponed(await self._insist(scripts.DELAY, ask.request, facts))

    def _postponed(self, answer: Sequence[bytes]) -> NotYet:
        put_off = self._put_off(answer)
        assert isinstance(put_off, NotYet), "these scripts only put off"
        return put_off

    async def conclude(
        self,
        request: SendRequest,
        outcome: Outcome,
        event: OutcomeEvent | None,
        *,
        is_slot_unused: bool = False,
    ) -> None:
        held = self._held.get(request.key)
        if isinstance(outcome, Duplicate) or (
            isinstance(outcome, Dead) and outcome.reason is Reason.INVALID
        ):
            # The id is another request's: that one's record stays as it is.
            return
        nonce = held.nonce if held else f"{self._worker}:{next(self._numbers)}"
        facts = self._about(request, nonce, outcome.progress) | _ending(outcome, self._time)
        if is_slot_unused and held is not None and held.slot is not None:
            facts["unused"] = _unused(held.slot)
        if isinstance(outcome, Completed):
            await self._went_well(request)
            facts |= {"went_well": True, "message_id": outcome.progress.sent[-1] or ""}
        packed = b"" if event is None else pack_event(event, request)
        await self._insist(scripts.CONCLUDE, request, facts, outcome.progress, packed)
        if event is None:
            self._held.pop(request.key, None)

    async def settled(self, request: SendRequest) -> None:
        self._held.pop(request.key, None)
        facts = {"generation_s": self._generation_s, "keep_s": self._keep_s}
        await self._insist(scripts.SETTLED, request, facts)

    async def read_slot(self, account: Account) -> float | None:
        pace = self._pace(account, Bucket.CONVERSATIONS)
        facts = {"deadline": 0, "keep_s": self._keep_s, "paces": [pace]}
        answer = await self._lasting(
            lambda: self._store.call(scripts.READ, self._keys(account.id), [orjson.dumps(facts)])
        )
        self._time.note(float(answer[1]))
        return self._time.here(float(answer[2])) if answer[0] == b"go" else None

    def status(self) -> dict[str, object]:
        """What the status page shows: how this worker sees the app, and what it has in hand."""
        state = self._platform.state
        closed = {}
        if state.is_closed and state.error is not None:
            closed["app"] = {"until": self._time.here(state.until), "why": state.error.meaning}
        return {"closed": closed, "in_hand": len(self._held), "trouble": self.trouble}

    # What a script is told ------------------------------------------------------------------

    def _facts(
        self,
        ask: Ask,
        nonce: str,
        *,
        platform: PlatformState | None = None,
        patience: Patience | None = None,
    ) -> dict[str, Any]:
        request, account, progress = ask.request, ask.account, ask.progress
        platform = platform or PlatformState()
        return {
            **self._about(request, nonce, progress),
            **_patience(patience or Patience()),
            "is_bulk": ask.lane is Lane.BULK,
            "is_newcomer": not progress.is_republished,
            "is_returned": progress.returned_from is not None,
            "is_unconfirmed": progress.returned_from == Reason.UNCONFIRMED,
            "resends": request.on_unknown is OnUnknown.RESEND,
            "has_account": account is not None,
            "token": "" if account is None else _token_digest(account),
            "not_before": self._moment(request.not_before),
            "deadline": self._moment(ask.deadline),
            "platform_until": platform.until,
            "platform_probed": platform.is_probed,
            "outage_kind": platform.outage_kind,
            "outage_since": platform.outage_since,
            "probe_s": PROBE_S,
            "probed_s": PROBED_S,
            "paces": [self._pace(account, part.bucket) for part in request.parts],
        }

    def _about(self, request: SendRequest, nonce: str, progress: Progress) -> dict[str, Any]:
        return {
            "who": request.conversation[1],
            "worker": self._worker,
            "wakes": self._wakes,
            "nonce": nonce,
            "keep_s": self._keep_s,
            "generation_s": self._generation_s,
            "attempts": progress.attempts,
            "sent": len(progress.sent),
            "in_doubt_since": self._moment(progress.unknown_since),
            "deadline": 0,
            "went_well": False,
            "message_id": "",
        }

    def _moment(self, moment: float | None) -> float:
        return 0 if moment is None else self._time.there(moment)

    def _pace(self, account: Account | None, bucket: Bucket) -> dict[str, Any]:
        limit = PUBLISHED_LIMITS[bucket]
        if account is not None:
            limit = account.limits.get(bucket, limit)
        pace = self._paces.get(limit)
        if pace is None:
            pace = self._paces[limit] = Pace.within(limit, margin=self._margin)
        return {"bucket": bucket.value, "interval": pace.interval_s, "burst": pace.burst}

    @property
    def _wakes(self) -> str:
        return f"{self._prefix}:wake:"

    @property
    def _generation_s(self) -> float:
        """How requests ended is kept by generations; three of them cover the time to keep."""
        return self._keep_s / 2

    def _keys(self, account_id: str) -> list[str]:
        account = f"{self._prefix}:{{{account_id}}}:"
        born = f"{account}born" if self._store.is_cluster else f"{self._prefix}:born"
        return [account, born]

    # Calls ----------------------------------------------------------------------------------

    async def _run(
        self,
        script: Script,
        request: SendRequest,
        facts: dict[str, Any],
        detail: Progress | str = "",
        event: bytes = b"",
    ) -> Any:
        """Run a script of the request's account; raises StoreUnavailable."""
        args: list[str | bytes] = [orjson.dumps(facts), digest_of(request.id)]
        if isinstance(detail, Progress):
            args += [request.fingerprint[:FINGERPRINT_SIZE], pack_progress(detail), event]
        else:
            args.append(detail)
        answer = await self._store.call(script, self._keys(request.account_id), args)
        moment = answer[1] if isinstance(answer, list) else answer
        self._time.note(float(moment))
        return answer

    async def _insist(
        self,
        script: Script,
        request: SendRequest,
        facts: dict[str, Any],
        detail: Progress | str = "",
        event: bytes = b"",
    ) -> Any:
        """Run a script of what is in hand already: it waits for Redis as long as it takes."""
        return await self._lasting(lambda: self._run(script, request, facts, detail, event))

    async def _lasting(self, call: Any) -> Any:
        while True:
            try:
                return await call()
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)

    async def _went_well(self, request: SendRequest) -> None:
        await self._lasting(
            lambda: self._platform.went_well(request.account_id, now=self._clock.now())
        )

    def _wake(self, digest: bytes) -> None:
        waiting = self._waiting.get(digest)
        if waiting is not None:
            waiting.set()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            oldest = self._clock.now() - RENEW_EVERY_S
            for held in list(self._held.values()):
                if held.since <= oldest:
                    facts = self._about(held.request, held.nonce, Progress())
                    try:
                        await self._run(scripts.RENEW, held.request, facts)
                    except StoreUnavailable:
                        break  # `trouble` tells; the leases outlast two rounds


def _patience(patience: Patience) -> dict[str, bool]:
    return {"may_wait": patience.may_wait, "has_waited": patience.has_waited}


def _unused(slot: tuple[str, str, str]) -> dict[str, str]:
    bucket, before, after = slot
    return {"bucket": bucket, "before": before, "after": after}


def _ending(outcome: Outcome, time: RedisTime) -> dict[str, Any]:
    match outcome:
        case Postponed(why=Wait.VERIFY):
            return {"ending": "doubtful", "due": time.there(outcome.until)}
        case Postponed() | Retrying():
            return {"ending": "waiting", "due": time.there(outcome.until)}
        case HandedBack():
            return {"ending": "handed back"}
        case Completed() | Dead():
            return {"ending": "ended"}
        case Duplicate():
            raise ValueError("a duplicate ends nothing")


def _token_digest(account: Account) -> str:
    """Tell tokens apart without storing any."""
    return blake2b(account.token.reveal.encode(), digest_size=8).hexdigest()
