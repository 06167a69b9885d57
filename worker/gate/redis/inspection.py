"""Looks into the Redis that the gates of all workers share, for people; writes nothing there."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from redis.exceptions import ResponseError

from worker.core.account import Account
from worker.core.kind import Bucket
from worker.core.outcome_event import OutcomeEvent
from worker.core.progress import Progress
from worker.core.rate_limit import PUBLISHED_LIMITS
from worker.core.request import AccountId, RequestId
from worker.gate.inspecting import (
    PAGE,
    AccountState,
    ClosureState,
    Holder,
    Place,
    RequestState,
    Times,
    Where,
    account_state,
    pace_within,
)
from worker.gate.patience import HOLD_S
from worker.gate.redis import scripts
from worker.gate.redis.address import Address
from worker.gate.redis.arguments import Arguments, _token_digest
from worker.gate.redis.codec import (
    FINGERPRINT_SIZE,
    digest_of,
    unpack_error,
    unpack_event_of,
    unpack_progress,
)
from worker.gate.redis.facts import facts_from
from worker.gate.redis.failure import (
    CONNECTION_ERRORS,
    StoreUnavailable,
    describe,
    unavailability,
)
from worker.gate.redis.platform import Platform, PlatformState
from worker.gate.redis.redis_time import RedisTime
from worker.gate.redis.script import Script
from worker.gate.redis.slots import slots_seen_by
from worker.gate.redis.store import TIMEOUT_S, Store
from worker.gate.redis.wire import wire_to
from worker.ports import Clock

# How many keys one step of a search looks at: a fraction of a millisecond of Redis's time.
SCANNED_AT_ONCE = 1000
READY_WITHIN_S = 5.0
# So long before an outage of the platform was noticed, accounts were closed that are its victims.
VICTIM_S = 60.0

Item = TypeVar("Item")


class RedisInspector:
    """Implements Inspector. Times are those of Redis. Raises StoreUnavailable."""

    def __init__(
        self,
        store: Store,
        address: Address,
        clock: Clock,
        *,
        prefix: str,
        margin: float,
        keep_s: float,
    ) -> None:
        self._store = store
        self._address = address
        self._prefix = prefix
        self._margin = margin
        self._generation_s = keep_s / 2
        self._arguments = Arguments(
            store, RedisTime(clock), prefix=prefix, margin=margin, keep_s=keep_s
        )
        self._platform = Platform(store, prefix)

    async def accounts(self, accounts: Iterable[Account]) -> AsyncIterator[AccountState]:
        await self._platform.refresh()
        names = " ".join(Bucket)
        for page in _pages(accounts):
            answers = await asyncio.gather(
                *(self._call(scripts.INSPECT_ACCOUNT, account.id, names) for account in page)
            )
            for account, answer in zip(page, answers, strict=True):
                yield self._account(account, answer, self._platform.state)

    def _account(
        self, account: Account, answer: Sequence[Any], platform: PlatformState
    ) -> AccountState:
        now = _now(answer)
        return account_state(
            account,
            self._times(account, answer, now),
            now=now,
            margin=self._margin,
            closure=_closure(answer[4], account, platform),
            app=_app(platform),
        )

    def _times(self, account: Account, answer: Sequence[Any], now: float) -> dict[Bucket, Times]:
        moments = [float(value or 0) for value in answer[3]]
        # A Redis that came up empty counts its buckets as full for a while (common.lua, window).
        full_from = float(answer[2].split()[1]) if answer[2] else 0.0
        times = {}
        for number, bucket in enumerate(Bucket):
            arrival, schedule, bulk_schedule = moments[3 * number : 3 * number + 3]
            limit = account.limits.get(bucket, PUBLISHED_LIMITS[bucket])
            pace = pace_within(limit, self._margin)
            full_until = full_from + HOLD_S + pace.burst * pace.interval_s
            if now < full_until:
                arrival = max(arrival, full_until)
            times[bucket] = Times(arrival, schedule, bulk_schedule)
        return times

    async def conversations(self, account_id: str) -> int:
        return len({who async for _, who in self._conversations(account_id)})

    async def requests(
        self, request_id: str, account_ids: Iterable[str]
    ) -> AsyncIterator[RequestState]:
        digest = digest_of(request_id)
        wanted = set(account_ids)
        waiting: dict[str, RequestState] = {}
        is_found = False
        for page in _pages(sorted(wanted)):
            answers = await self._ask(digest, ((account_id, "") for account_id in page))
            for account_id, answer in zip(page, answers, strict=True):
                state = _request(request_id, account_id, answer)
                if state is None:
                    continue
                is_found = True
                if state.where in {Where.WAITING, Where.DOUBTFUL}:
                    waiting[account_id] = state
                else:
                    yield state
        if waiting or not is_found:
            # Only the queue of its conversation knows when it comes back, and whose it is is not
            # written anywhere by the id of the request.
            among = waiting.keys() or wanted
            async for state in self._queued(request_id, digest, among):
                waiting[state.account_id] = state
        for state in waiting.values():
            yield state

    async def _queued(
        self, request_id: str, digest: bytes, account_ids: Iterable[str]
    ) -> AsyncIterator[RequestState]:
        """Give those of the accounts that have a place in a conversation."""
        among = set(account_ids)
        only = next(iter(among)) if len(among) == 1 else None
        found = [each async for each in self._conversations(only) if each[0] in among]
        for page in _pages(found):
            for (account_id, _), answer in zip(page, await self._ask(digest, page), strict=True):
                state = _request(request_id, account_id, answer)
                if state is not None and state.place is not None:
                    yield state

    async def _ask(self, digest: bytes, places: Iterable[tuple[str, str]]) -> list[Sequence[Any]]:
        """Ask for the request in several accounts, in a conversation of each if that is known."""
        generation_s = self._generation_s
        answers: list[Sequence[Any]] = await asyncio.gather(
            *(
                self._call(scripts.INSPECT_REQUEST, account_id, digest, generation_s, who)
                for account_id, who in places
            )
        )
        return answers

    async def _call(self, script: Script, account_id: str, *args: str | bytes | float) -> Any:
        return await self._store.call(script, self._arguments.keys(account_id), args)

    async def _conversations(self, account_id: str | None) -> AsyncIterator[tuple[str, str]]:
        """Give (account, person) of the conversations that have a queue, some of them twice.

        Steps through all keys, a thousand at a time; nobody waits for longer than one step.
        """
        account = r"[0-9]+" if account_id is None else re.escape(account_id)
        mine = re.compile(rf"{re.escape(self._prefix)}:\{{({account})\}}:h:(.*)", re.DOTALL)
        pattern = f"{self._prefix}:{{{account_id or '*'}}}:h:*"
        for address in await self._nodes():
            async for key in _scan(address, pattern):
                found = mine.fullmatch(key.decode("utf-8", "surrogateescape"))
                if found is not None:
                    yield found[1], found[2]

    async def _nodes(self) -> list[Address]:
        if not self._store.is_cluster:
            return [self._address]
        slots = await slots_seen_by(self._address)
        return [self._address.at(*node) for node in sorted(slots.nodes)]


@asynccontextmanager
async def redis_inspector(
    url: str, clock: Clock, *, prefix: str, margin: float, keep_s: float
) -> AsyncIterator[RedisInspector]:
    """Connect until the block ends; raises StoreUnavailable that says what to look at."""
    address = Address.of(url, timeout_s=TIMEOUT_S)
    store = Store(url, probe_key=f"{prefix}:probe")
    await _reach(address)
    try:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(store.run())
            await _ready(store)
            yield RedisInspector(store, address, clock, prefix=prefix, margin=margin, keep_s=keep_s)
            serving.cancel()
    except BaseExceptionGroup as errors:
        # What the block raised, as it was raised.
        raise errors.exceptions[0] from None


async def _reach(address: Address) -> None:
    """Fail at once, with the reason, where the store would try again and again."""
    try:
        async with wire_to(address) as wire:
            await facts_from(wire)
    except CONNECTION_ERRORS as error:
        why = describe(error, timeout_s=address.timeout_s)
        raise StoreUnavailable(f"Redis at {address.shown}: {why}") from error


async def _ready(store: Store) -> None:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + READY_WITHIN_S
    while (trouble := store.trouble) is not None:
        if loop.time() > give_up_at:
            raise StoreUnavailable(trouble)
        await asyncio.sleep(0.01)


async def _scan(address: Address, pattern: str) -> AsyncIterator[bytes]:
    cursor = b"0"
    try:
        async with wire_to(address) as wire:
            while True:
                reply = await wire.ask(
                    b"SCAN", cursor, b"MATCH", pattern, b"COUNT", SCANNED_AT_ONCE
                )
                if isinstance(reply, ResponseError):
                    raise StoreUnavailable(
                        unavailability(reply) or f"it answered SCAN with {reply}"
                    )
                cursor, keys = reply
                for key in keys:
                    yield key
                if cursor == b"0":
                    return
    except CONNECTION_ERRORS as error:
        why = describe(error, timeout_s=address.timeout_s)
        raise StoreUnavailable(f"Redis at {address.shown}: {why}") from error


def _pages(items: Iterable[Item]) -> Iterable[list[Item]]:
    source = iter(items)
    while page := list(islice(source, PAGE)):
        yield page


def _now(answer: Sequence[Any]) -> float:
    return float(answer[0]) + float(answer[1]) / 1e6


def _app(platform: PlatformState) -> ClosureState | None:
    if not platform.is_closed:
        return None
    return ClosureState(
        until=platform.until,
        error=platform.error,
        is_probed=platform.is_probed,
        since=platform.outage_since or None,
    )


def _closure(
    values: Sequence[bytes | None], account: Account, platform: PlatformState
) -> ClosureState | None:
    """Read the account's closure; None also when the next request will find it open."""
    until, error, final, token, is_probed, kind, since, strikes = values
    if until is None:
        return None
    is_final, closed_at = final == b"1", float(since or 0)
    if is_final:
        is_victim = (
            platform.outage_kind != ""
            and (kind or b"").decode() == platform.outage_kind
            and closed_at >= platform.outage_since - VICTIM_S
        )
        if is_victim or (token or b"").decode() != _token_digest(account):
            return None
    return ClosureState(
        until=float(until),
        error=unpack_error(error) if error else None,
        is_final=is_final,
        is_probed=is_probed == b"1",
        since=closed_at or None,
        strikes=int(float(strikes or 0)) or None,
    )


def _request(request_id: str, account_id: str, answer: Sequence[Any]) -> RequestState | None:
    record, ended, place = answer[2], answer[3], _place(answer[4])
    state = RequestState(request_id, account_id, _now(answer), Where.ENDED, place=place)
    if ended:
        event = _event(ended[FINGERPRINT_SIZE:], state)
        return replace(_seen_to(state, _holder(answer[5])), event=event)
    found, nonce, lease, since, progress = record
    if found is None:
        if place is None:
            return None
        return replace(state, where=Where.IN_HAND if place.own.in_hand else Where.PARKED)
    state = replace(
        state,
        where=Where(found.decode()),
        worker=nonce.decode().partition(":")[0] if float(lease) else None,
        lease_until=float(lease) or None,
    )
    known = unpack_progress(progress) if progress else Progress()
    return replace(
        state,
        attempts=known.attempts,
        parts_sent=len(known.own_sent),
        checks=known.checks,
        since=float(since) or None,
    )


def _seen_to(state: RequestState, publisher: Holder) -> RequestState:
    """Tell of the worker that is to publish how the request ended, if it did not yet."""
    if not publisher.in_hand:
        return state
    return replace(
        state,
        where=Where.CONCLUDED,
        worker=publisher.worker and publisher.worker.partition(":")[0],
        lease_until=publisher.at,
    )


def _event(packed: bytes, state: RequestState) -> OutcomeEvent:
    return unpack_event_of(packed, AccountId(state.account_id), RequestId(state.id))


def _place(values: Sequence[Any] | None) -> Place | None:
    if values is None:
        return None
    rank, length, own, head = values
    return Place(rank, length, _holder(own), _holder(head))


def _holder(value: bytes | None) -> Holder:
    """Read "<moment>|<worker>", which nobody has where there is none."""
    moment, _, worker = (value or b"0|").decode().partition("|")
    return Holder(float(moment) or None, in_hand=worker != "", worker=worker or None)
