"""Diverts an account that floods `requests` into the bulk lane, at the broker, until it calms down.

Its key (the account's id) is bound from `requests` to `bulk`: new messages then queue behind the
bulk lane instead of in front of the quiet accounts of its partition. Every worker binds and
unbinds by what it sees itself; both may be repeated, and bindings outlive connections.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from aiormq.abc import AbstractChannel, AbstractConnection

from worker.core.delivery import Lane
from worker.core.outcome import Postponed, Wait
from worker.core.report import Report
from worker.ports import Clock
from worker.rabbit.link import (
    CONNECTION_ERRORS,
    describe,
    heed_cancellation,
    is_own_cancellation,
)
from worker.rabbit.names import Names
from worker.rabbit.wire.connection import Wire

# A new interactive request that has to wait longer than this for its rate is part of a flood.
FLOOD_AHEAD_S = 5.0
# How long after the last due time an account has to be within its rate to count as calm.
CALM_S = 10.0
# Another worker, to whom the account looked calm, may have unbound it: bind it again, this seldom.
REBIND_S = 5.0
# After a refusal the same would be refused again.
REST_S = 300.0
LOOK_EVERY_S = 1.0
# A connection that is lost fails what is under way a moment before it says that it is closed.
CLOSING_S = 0.2
RPC_TIMEOUT_S = 30.0
MOST_ACCOUNTS = 10_000


class DiversionObserver(Protocol):
    """Told when a diversion begins and ends, and when the broker refuses one."""

    def diversion_began(self, account_id: str, *, why: str) -> None: ...

    def diversion_ended(self, account_id: str, *, why: str) -> None: ...

    def diversion_refused(self, *, detail: str) -> None: ...


class _State(Enum):
    """WANTED: to be bound. BOUND: by this worker, or found so. RETURNED: unbound a moment ago."""

    WANTED = auto()
    BOUND = auto()
    RETURNED = auto()


@dataclass(slots=True)
class _Known:
    """What is known of one account.

    `calm_at` is when it is returned, and once it is returned, when it is forgotten. `is_stale`
    says that the broker may have something else than `state` says: then it is told once more.
    """

    state: _State
    calm_at: float
    bound_at: float
    wait_s: float = 0.0
    is_stale: bool = False


class Diversion:
    """An Observer of every pass, and a user of the publish connection."""

    def __init__(
        self, names: Names, clock: Clock, *, observer: DiversionObserver, calm_s: float = CALM_S
    ) -> None:
        self._names = names
        self._clock = clock
        self._observer = observer
        self._calm_s = calm_s
        self._known: dict[str, _Known] = {}
        self._flood = asyncio.Event()
        self._rests_until = 0.0

    @property
    def accounts(self) -> list[str]:
        """Every account that is diverted, as far as this worker knows."""
        return [name for name, known in self._known.items() if known.state is _State.BOUND]

    def is_diverted(self, account_id: str) -> bool:
        """Whether this worker knows the account as diverted, and the broker has obeyed."""
        known = self._known.get(account_id)
        return known is not None and known.state is _State.BOUND

    def observe(self, report: Report) -> None:
        """Implement the Observer port. Most passes are of no account in question."""
        outcome = report.outcome
        due = None
        if isinstance(outcome, Postponed) and outcome.why is Wait.RATE:
            due = outcome.until
        if report.request is None or (due is None and not report.delivery.is_diverted):
            return
        account_id, now = str(report.request.account_id), report.finished_at
        known = self._known.get(account_id)
        if due is not None and known is not None and known.state is not _State.RETURNED:
            known.calm_at = max(known.calm_at, due + self._calm_s)
        if due is not None and _is_flood(report, due=due, now=now):
            self._flooded(account_id, known, due=due, now=now)
        elif report.delivery.is_diverted:
            self._came_diverted(account_id, known, due=due, now=now)

    def _flooded(self, account_id: str, known: _Known | None, *, due: float, now: float) -> None:
        if known is None and len(self._known) >= MOST_ACCOUNTS:
            return
        if known is None or known.state is _State.RETURNED:
            calm_at = due + self._calm_s
            self._known[account_id] = _Known(_State.WANTED, calm_at, bound_at=now, wait_s=due - now)
            self._flood.set()
        elif known.state is _State.BOUND and now - known.bound_at >= REBIND_S:
            # Most likely it was in the intake queue before the binding was.
            known.is_stale = True

    def _came_diverted(
        self, account_id: str, known: _Known | None, *, due: float | None, now: float
    ) -> None:
        """Take in a message that the binding brought: perhaps nobody else knows of it any more."""
        if known is not None and known.state is not _State.RETURNED:
            return
        if known is not None and due is None:
            # Most likely it was on its way already when the binding went.
            known.is_stale = True
        elif known is not None or len(self._known) < MOST_ACCOUNTS:
            calm_at = (due or now) + self._calm_s
            self._known[account_id] = _Known(_State.BOUND, calm_at, bound_at=now)
            why = "a message for the interactive lane came through the bulk lane"
            self._observer.diversion_began(account_id, why=why)

    async def use(self, wire: Wire) -> None:
        """Bind and unbind over this connection until it is gone."""
        while not wire.is_closed:
            await self.look(wire.connection)
            heed_cancellation()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._flood.wait()
            except TimeoutError:
                continue

    async def look(self, connection: AbstractConnection) -> None:
        """Do what is due now. A refusal costs a channel of its own, and a rest."""
        self._flood.clear()
        now = self._clock.now()
        due = list(self._due(now))
        if not due or now < self._rests_until:
            return
        try:
            channel = await connection.channel(publisher_confirms=False, timeout=RPC_TIMEOUT_S)
            for account_id, known in due:
                await self._bring_about(channel, account_id, known)
            await channel.close()
        except CONNECTION_ERRORS as error:
            await self._refused(connection, describe(error))
        except asyncio.CancelledError:
            if is_own_cancellation():
                raise
            await self._refused(connection, "the channel closed")

    def _due(self, now: float) -> Iterator[tuple[str, _Known]]:
        """Give the accounts to bind or unbind; forget those that need neither any more."""
        for account_id, known in list(self._known.items()):
            is_calm = known.calm_at <= now
            match known.state:
                case _State.WANTED if not is_calm:
                    yield account_id, known
                case _State.BOUND if is_calm or known.is_stale:
                    yield account_id, known
                case _State.RETURNED if is_calm and known.is_stale:
                    yield account_id, known
                case _State.WANTED | _State.RETURNED if is_calm:
                    del self._known[account_id]
                case _:
                    pass

    async def _bring_about(self, channel: AbstractChannel, account_id: str, known: _Known) -> None:
        now, calm_at = self._clock.now(), known.calm_at
        # Before the call: what is seen while it lasts has to be looked at next time.
        known.is_stale = False
        if known.state is _State.WANTED:
            await self._bind(channel, account_id)
            known.state, known.bound_at = _State.BOUND, now
            why = f"a new request would wait {known.wait_s:.0f} s for the account's rate"
            self._observer.diversion_began(account_id, why=why)
        elif known.state is _State.BOUND and calm_at > now:
            await self._bind(channel, account_id)
            known.bound_at = now
        else:
            await self._unbind(channel, account_id)
            self._note_unbound(account_id, known, calm_at=calm_at)

    def _note_unbound(self, account_id: str, known: _Known, *, calm_at: float) -> None:
        """Keep it in mind for a while: messages that it diverted are still on their way."""
        if known.calm_at != calm_at:
            known.is_stale = True  # put off again during the call: to be bound again
            return
        if known.state is _State.BOUND:
            why = f"none of its requests waited for its rate in the last {self._calm_s:g} s"
            self._observer.diversion_ended(account_id, why=why)
        known.state, known.calm_at = _State.RETURNED, self._clock.now() + self._calm_s

    async def _bind(self, channel: AbstractChannel, account_id: str) -> None:
        await channel.exchange_bind(
            destination=self._names.bulk,
            source=self._names.requests,
            routing_key=account_id,
            timeout=RPC_TIMEOUT_S,
        )

    async def _unbind(self, channel: AbstractChannel, account_id: str) -> None:
        await channel.exchange_unbind(
            destination=self._names.bulk,
            source=self._names.requests,
            routing_key=account_id,
            timeout=RPC_TIMEOUT_S,
        )

    async def _refused(self, connection: AbstractConnection, detail: str) -> None:
        """Rest, unless the whole connection is going: the next one may try at once."""
        await asyncio.sleep(CLOSING_S)
        if not connection.is_closed:
            self._rests_until = self._clock.now() + REST_S
            self._observer.diversion_refused(detail=detail)


def _is_flood(report: Report, *, due: float, now: float) -> bool:
    delivery = report.delivery
    return (
        delivery.lane is Lane.INTERACTIVE
        and due - now > FLOOD_AHEAD_S
        and not delivery.known_progress.is_republished
    )
