"""The Redis gate: any number of workers share limits, ledger and turns; one script a decision."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex

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
from worker.core.closure import ASK_AGAIN_S, CONVERSATION_COOLDOWN_S
from worker.core.outcome import (
    Completed,
    Dead,
    Duplicate,
    Outcome,
    Wait,
)
from worker.core.outcome_event import OutcomeEvent
from worker.core.progress import Progress
from worker.core.request import AccountId, SendRequest
from worker.core.send_result import Refused, Scope, Throttled
from worker.gate.patience import Answer, Patience, SlotSoon, TurnSoon, patiently
from worker.gate.redis import scripts
from worker.gate.redis.account_scripts import RETRY_S, AccountScripts, lasting
from worker.gate.redis.arguments import Arguments, Slot, of_author, of_patience, of_platform
from worker.gate.redis.codec import (
    digest_of,
    pack_error,
    pack_event,
    unpack_error,
    unpack_event,
    unpack_progress,
)
from worker.gate.redis.failure import StoreUnavailable
from worker.gate.redis.news import News
from worker.gate.redis.platform import Platform, PlatformState, cooldowns_s
from worker.gate.redis.redis_time import RedisTime
from worker.gate.redis.store import Store
from worker.gate.rules import UNKNOWN_ACCOUNT, of_the_message
from worker.ports import Clock

# While Redis is away a request waits in hand this long, then at the broker.
HOLD_WITHOUT_REDIS_S = 30.0
PARK_WITHOUT_REDIS_S = 15.0
RENEW_EVERY_S = 10.0
# How long before its slot a request asks for it again; what the way to Redis may take under load.
EARLY_S = 0.05
REFRESH_EVERY_S = 0.25
# For so long after a request was concluded no other worker can have taken its record over: half of
# the lease that the scripts give.
SURELY_OURS_S = 15.0


@dataclass(slots=True)
class Held:
    """A request in this worker's hands: the nonce of its attempt, its slot, and since when.

    `since` is when the attempt was granted, or when its end was written.
    """

    request: SendRequest
    nonce: str
    since: float
    sent: int
    slot: Slot | None = None


class RedisGate:
    """Implements the Gate port on a Redis (or Valkey) that all workers share.

    Fails closed: while Redis is away nothing is sent; what is in hand waits or is put off.
    """

    def __init__(
        self, store: Store, clock: Clock, *, prefix: str, margin: float, keep_s: float
    ) -> None:
        self._store = store
        self._clock = clock
        # What `igsend why` calls the worker that has a request in hand.
        self.worker = token_hex(6)
        self._numbers = itertools.count(1)
        self._time = RedisTime(clock)
        self._arguments = Arguments(store, self._time, prefix=prefix, margin=margin, keep_s=keep_s)
        self._scripts = AccountScripts(store, self._arguments, self._time, clock)
        self._platform = Platform(store, prefix)
        self._held: dict[tuple[str, str], Held] = {}
        # By the digest of the id alone, which is what a wake-up names; accounts may share ids.
        self._waiting: defaultdict[bytes, list[asyncio.Event]] = defaultdict(list)
        self._news = News(clock.now)

    @property
    def trouble(self) -> str | None:
        return self._store.trouble

    async def run(self) -> None:
        """Renew the leases of what takes long, hear who is next, and keep the app's state."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                self._store.subscribe(self._arguments.channel(self.worker), self._wake)
            )
            tasks.create_task(self._store.subscribe(self._arguments.closings, self._hear))
            tasks.create_task(self._renew())
            while True:
                await asyncio.sleep(REFRESH_EVERY_S)
                try:
                    await self._platform.refresh()
                except StoreUnavailable:
                    continue  # `trouble` tells; the next round finds it mended

    async def admit(self, ask: Ask) -> Admission:
        digest = digest_of(ask.request.id)
        nonce = f"{self.worker}:{next(self._numbers)}"
        called = asyncio.Event()
        self._waiting[digest].append(called)

        async def decide(patience: Patience) -> Answer:
            called.clear()
            return await self._decide(ask, nonce, patience, called)

        try:
            return await patiently(decide, self._clock, ask.waits)
        finally:
            self._waiting[digest].remove(called)
            if not self._waiting[digest]:
                del self._waiting[digest]

    async def _decide(
        self, ask: Ask, nonce: str, patience: Patience, called: asyncio.Event
    ) -> Answer:
        give_up_at = self._clock.now() + HOLD_WITHOUT_REDIS_S
        while True:
            try:
                platform = await self._platform_for(nonce)
                facts = self._arguments.of_ask(ask, nonce, platform=platform, patience=patience)
                answer = await self._scripts.run(scripts.ADMIT, ask.request, facts, ask.progress)
                if answer[0] not in (b"go", b"slot soon"):
                    await self._ask_no_more(nonce)
                return self._admission(ask, nonce, answer, called)
            except StoreUnavailable:
                if self._clock.now() > give_up_at:
                    return NotYet(self._clock.now() + PARK_WITHOUT_REDIS_S, Wait.GATE)
                ask.waits()
                await asyncio.sleep(RETRY_S)

    async def _platform_for(self, nonce: str) -> PlatformState:
        """See whether the app is open; the first one after a closure has to find out."""
        if not self._platform.is_known:
            # A worker that has just started.
            await self._platform.refresh()
        state = self._platform.state
        return await self._platform.ask(nonce) if state.is_closed else state

    async def _ask_no_more(self, nonce: str) -> None:
        """If it was this request that had to find out: it will not."""
        if self._platform.state.is_closed:
            await self._platform.give_up(nonce)

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
                progress = of_the_message(unpack_progress(answer[3]), ask.progress).unforced()
                progress = progress._replace(disclosure=answer[5].decode() or None)
                if since > 0:
                    progress = progress._replace(unknown_since=self._time.here(since))
                self._held[request.key] = Held(
                    request, nonce, self._clock.now(), len(progress.sent)
                )
                return Doubtful(progress, frozenset(orjson.loads(answer[4])))
            case b"turn soon":
                return TurnSoon(called)
            case b"go":
                known = of_the_message(unpack_progress(answer[7]), ask.progress)
                attempts = int(float(answer[8]))
                progress = known._replace(
                    attempts=attempts,
                    disclosure=answer[9].decode() or None,
                    # One more than is known is one whose worker never told its result.
                    may_have_gone=known.may_have_gone or attempts > known.attempts,
                ).begun
                return self._go(request, nonce, answer, progress)
            case _:
                return self._put_off(answer)

    def _go(
        self, request: SendRequest, nonce: str, answer: Sequence[bytes], progress: Progress
    ) -> Go:
        slot = _slot(answer)
        # Whoever is granted one may use it, be it to ask whether the account is open again.
        self._news.opened(request.account_id)
        self._arguments.note_birth(request.account_id, answer[6].decode())
        self._held[request.key] = Held(request, nonce, self._clock.now(), len(progress.sent), slot)
        return Go(self._time.here(float(answer[2])), progress)

    def _put_off(self, answer: Sequence[bytes]) -> Answer:
        match answer[0]:
            case b"not yet":
                return NotYet(self._time.here(float(answer[2])), Wait(answer[3].decode()))
            case b"slot soon":
                at = self._time.here(float(answer[2]))
                if len(answer) == 3:
                    return SlotSoon(at)
                return SlotSoon(at - EARLY_S - 2 * self._time.reply_s, _slot(answer))
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
            await self._went_well(ask.request, held.nonce)
        facts = self._arguments.of_ask(ask, held.nonce)
        facts |= {"went_well": has_sent, "message_id": (sent[-1] or "") if has_sent else ""}
        if held.slot is not None and not has_sent and not ask.is_spent:
            facts["unused"] = held.slot.facts()

        async def decide(patience: Patience) -> Answer:
            platform = await lasting(lambda: self._platform_for(held.nonce))
            now = facts | of_patience(patience) | of_platform(platform)
            answer = await self._scripts.insist(scripts.ADVANCE, ask.request, now, ask.progress)
            # What was recorded once is not to be recorded again while it waits for its slot.
            facts.update(went_well=False, message_id="")
            facts.pop("unused", None)
            if answer[0] == b"go":
                return self._go(ask.request, held.nonce, answer, ask.progress)
            return self._put_off(answer)

        return await patiently(decide, self._clock, ask.waits)

    def is_closed(self, account_id: AccountId) -> bool:
        if self._platform.state.is_closed and not self._platform.state.is_probed:
            return True
        return self._news.is_closed(account_id)

    async def close(self, ask: Ask, result: Throttled | Refused) -> Closed | NotYet:
        now, error = self._clock.now(), result.error
        if isinstance(result, Throttled) and result.scope is Scope.CONVERSATION:
            # The head of the conversation is parked; those behind it wait for their turn.
            return NotYet(now + (result.retry_after_s or CONVERSATION_COOLDOWN_S), Wait.COOLDOWN)
        if isinstance(result, Refused):
            state = await lasting(
                lambda: self._platform.refused(ask.request.account_id, error, now=now)
            )
            if state.is_closed:
                return await self._delay(ask, state.until)
            kind = f"{error.code}/{error.subcode}"
            facts = self._arguments.of_closing(ask) | {
                "final": True,
                "again_s": ASK_AGAIN_S,
                "kind": kind,
            }
            self._news.closed(ask.request.account_id, until=now + ASK_AGAIN_S, why="refused")
            await self._scripts.insist(scripts.CLOSE, ask.request, facts, pack_error(error))
            return Closed(error)
        if result.scope is Scope.APP:
            state = await lasting(lambda: self._platform.throttle(error, result.retry_after_s))
            return await self._delay(ask, state.until)
        # At once, not only when the message comes back around.
        until = now + cooldowns_s(result.retry_after_s)[0]
        self._news.closed(ask.request.account_id, until=until, why="throttled")
        facts = self._arguments.of_closing(ask) | {"cooldowns": cooldowns_s(result.retry_after_s)}
        return self._postponed(
            await self._scripts.insist(scripts.CLOSE, ask.request, facts, pack_error(error))
        )

    async def _delay(self, ask: Ask, opens_at: float) -> NotYet:
        facts = self._arguments.of_ask(ask, "") | {"opens_at": opens_at}
        return self._postponed(await self._scripts.insist(scripts.DELAY, ask.request, facts))

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
        account: Account | None = None,
        is_slot_unused: bool = False,
    ) -> None:
        held = self._held.get(request.key)
        if isinstance(outcome, Duplicate) or (
            isinstance(outcome, Dead) and outcome.is_about_another
        ):
            # The id is another request's: that one's record stays as it is.
            return
        nonce = held.nonce if held else f"{self.worker}:{next(self._numbers)}"
        facts = self._arguments.of_request(request, nonce, outcome.progress)
        facts |= self._arguments.of_outcome(outcome)
        facts |= of_author(request, account)
        if is_slot_unused and held is not None and held.slot is not None:
            facts["unused"] = held.slot.facts()
        if isinstance(outcome, Completed):
            await self._went_well(request, nonce)
        packed = b"" if event is None else pack_event(event, request)
        await self._scripts.insist(scripts.CONCLUDE, request, facts, outcome.progress, packed)
        if self._platform.state.is_closed:
            await lasting(lambda: self._platform.give_up(nonce))
        if event is None:
            self._held.pop(request.key, None)
        else:
            self._held[request.key] = Held(request, nonce, self._clock.now(), 0)

    async def settled(self, request: SendRequest) -> None:
        held = self._held.pop(request.key)
        if self._clock.now() > held.since + SURELY_OURS_S:
            facts = self._arguments.of_place(request, held.nonce)
            await self._scripts.insist(scripts.SETTLED, request, facts)
            return
        keys, marks, mark = self._arguments.mark_of(request)
        await lasting(lambda: self._store.command(keys, b"HDEL", marks, mark))

    async def read_slot(self, account: Account) -> float | None:
        facts = self._arguments.of_read(account)
        answer = await lasting(
            lambda: self._scripts.run_of_account(scripts.READ, account.id, facts)
        )
        return self._time.here(float(answer[2])) if answer[0] == b"go" else None

    def closed(self) -> dict[str, int]:
        """Count what is closed now as far as this worker has heard, by why (CLOSED)."""
        return self._news.counted() | {"app": int(self._platform.state.is_closed)}

    def status(self) -> dict[str, object]:
        """What the status page shows: how this worker sees the app, and what it has in hand."""
        state = self._platform.state
        closed = {}
        if state.is_closed and state.error is not None:
            closed["app"] = {"until": self._time.here(state.until), "why": state.error.meaning}
        return {"closed": closed, "in_hand": len(self._held), "trouble": self.trouble}

    async def _went_well(self, request: SendRequest, nonce: str) -> None:
        self._platform.note_good(request.account_id, now=self._clock.now())
        if self._platform.state.is_closed:
            await lasting(lambda: self._platform.reopen(nonce))

    def _hear(self, message: bytes) -> None:
        account_id, until, why = message.decode().split(" ")
        self._news.closed(account_id, until=self._time.here(float(until)), why=why)

    def _wake(self, digest: bytes) -> None:
        for called in self._waiting.get(digest, ()):
            called.set()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            oldest = self._clock.now() - RENEW_EVERY_S
            for held in list(self._held.values()):
                if held.since <= oldest:
                    facts = self._arguments.of_place(held.request, held.nonce)
                    try:
                        await self._scripts.run(scripts.RENEW, held.request, facts)
                    except StoreUnavailable:
                        break  # `trouble` tells; the leases outlast two rounds


def _slot(answer: Sequence[bytes]) -> Slot:
    at, bucket, before, after = answer[2:6]
    return Slot(float(at), bucket.decode(), before.decode(), after.decode())
