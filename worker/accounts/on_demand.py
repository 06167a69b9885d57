"""Accounts that are looked up when they are first needed, and again while they are in use."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from time import monotonic

from worker.accounts.origin import (
    Absent,
    Answer,
    Found,
    Mark,
    Origin,
    OriginUnavailable,
    Unchanged,
)
from worker.accounts.reading import AccountsError, sentence
from worker.core.account import Account
from worker.core.admission import NotYet
from worker.core.outcome import Wait
from worker.core.request import AccountId

# How often accounts in use are asked about, and how old what is known may be when it is used:
# a change is seen within this long.
ROUND_EVERY_S = 2.0
FRESH_S = 4.0
# An account is in use for so long after it was last needed.
IN_USE_S = 60.0
# That there is no such account is believed for so long.
ABSENT_S = 2.0
# One account is asked about so often at most.
PEACE_S = 0.5
# Questions under way: of requests that wait, and of rounds, which must not get in their way.
MOST_QUESTIONS = 64
MOST_OF_ROUND = 8
# A round with more questions than this a second would take the processor from the sending.
QUESTIONS_PER_S = 200.0
# How long a request is put off when it cannot be known whether its account exists.
PUT_OFF_S = 5.0


@dataclass(slots=True)
class _Known:
    """What is known of one account; without `account` that there is none, or nothing yet."""

    account: Account | None = None
    mark: Mark = None
    problem: str | None = None
    asked_at: float = float("-inf")
    answered_at: float = float("-inf")
    used_at: float = 0.0
    asking: asyncio.Lock | None = None
    waiting: int = 0


class OnDemandAccounts:
    """Implements the Accounts port over an `Origin`.

    While the origin is away, what was last known stays in force for as long as the worker runs: a
    token that is no longer good is refused by the API anyhow. Who is not known is put off.
    """

    def __init__(self, origin: Origin, *, now: Callable[[], float] = time.time) -> None:
        self._origin = origin
        self.shown = origin.shown
        self._now = now
        self._known: dict[str, _Known] = {}
        # What is done often looks at these only: there may be a hundred thousand others.
        self._in_use: dict[str, _Known] = {}
        self._count = 0
        self._questions = asyncio.Semaphore(MOST_QUESTIONS)
        self._away: str | None = None
        self.loaded_at: float | None = None

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The accounts that were needed so far, by id."""
        return {
            account_id: known.account
            for account_id, known in self._known.items()
            if known.account is not None
        }

    @property
    def count(self) -> int:
        return self._count

    @property
    def last_error(self) -> str | None:
        """Say what is wrong with the origin, or with its answers about accounts in use."""
        if self._away is not None:
            return self._away
        return sentence(sorted(known.problem for known in self._in_use.values() if known.problem))

    @property
    def trouble(self) -> str | None:
        """Say why nothing can be sent; known accounts can be while the origin is away."""
        return self._away if self._away is not None and not self.count else None

    async def load(self) -> None:
        """Nothing is needed at the start, and an origin that is away then may come back."""

    async def listed(self, only: str | None = None) -> Mapping[str, Account]:
        """Look up every account there is, or one; raises AccountsError, also if none can list."""
        batch: list[str] = [] if only is None else [only]
        if only is None:
            async for account_id in self._origin.ids():
                batch.append(account_id)
                if len(batch) == self._origin.most_at_once:
                    await self._ask(
                        {each: self._known.setdefault(each, _Known()) for each in batch}
                    )
                    batch = []
        await self._ask({each: self._known.setdefault(each, _Known()) for each in batch})
        if self._away is not None:
            raise AccountsError(self._away)
        return self.accounts

    async def close(self) -> None:
        await self._origin.close()

    async def watch(self) -> None:
        """Ask again about the accounts in use, until cancelled."""
        while True:
            began = monotonic()
            await self._round(began)
            await asyncio.sleep(max(0.0, began + ROUND_EVERY_S - monotonic()))

    async def find(self, account_id: AccountId) -> Account | NotYet | None:
        """Give the account; None when there is none, NotYet when that cannot be known now."""
        moment = monotonic()
        known = self._known.get(account_id)
        if known is None:
            known = self._known[account_id] = _Known()
        known.used_at = moment
        self._in_use[account_id] = known
        if known.account is None:
            if known.answered_at < moment - ABSENT_S:
                await self._ask_after(account_id, known, moment - PEACE_S)
        elif known.answered_at < moment - FRESH_S and self._away is None:
            await self._ask_after(account_id, known, moment - FRESH_S)
        if known.account is None and known.answered_at < moment - ABSENT_S:
            return NotYet(self._now() + PUT_OFF_S, Wait.ACCOUNTS)
        return known.account

    async def renewed(self, account: Account) -> Account | None:
        """Give the account if it has another token now."""
        moment = monotonic()
        known = self._known.setdefault(account.id, _Known())
        if known.account is None or known.account.token == account.token:
            await self._ask_after(account.id, known, moment)
        found = known.account
        return None if found is None or found.token == account.token else found

    async def _ask_after(self, account_id: str, known: _Known, moment: float) -> None:
        """Ask, unless a question that began after `moment` was; all who wait share it."""
        known.asking = known.asking or asyncio.Lock()
        known.waiting += 1
        try:
            async with known.asking:
                if known.asked_at > moment:
                    return
                await asyncio.sleep(max(0.0, known.asked_at + PEACE_S - monotonic()))
                async with self._questions:
                    await self._ask({account_id: known})
        finally:
            known.waiting -= 1
            if not known.waiting:
                # A hundred thousand of them would take more than the accounts.
                known.asking = None

    async def _ask(self, about: Mapping[str, _Known]) -> None:
        if not about:
            return
        began = monotonic()
        for known in about.values():
            known.asked_at = began
        try:
            answers = await self._origin.ask(
                {account_id: known.mark for account_id, known in about.items()}
            )
        except OriginUnavailable as error:
            self._away = str(error)
            return
        self._away = None
        for account_id, answer in answers.items():
            self._take(about[account_id], answer, began)

    def _take(self, known: _Known, answer: Answer, began: float) -> None:
        if began < known.answered_at:
            # A slower question that was asked earlier knows less.
            return
        known.problem = None
        self._count -= known.account is not None
        if isinstance(answer, Found):
            known.account, known.mark = answer.account, answer.mark
            self.loaded_at = self._now()
        elif isinstance(answer, Absent):
            known.account = known.mark = None
        elif not isinstance(answer, Unchanged):
            known.problem = answer.problem
        self._count += known.account is not None
        if known.problem is None or known.account is not None:
            # One that is unusable and was never good exists: its requests wait until it is mended.
            known.answered_at = began

    async def _round(self, began: float) -> None:
        self._forget(began)
        due = [
            account_id
            for account_id, known in self._in_use.items()
            if (known.account is not None or known.problem) and known.asked_at <= began - PEACE_S
        ]
        # The longest unasked first: a round that has too many goes on where it stopped.
        due.sort(key=lambda account_id: self._known[account_id].asked_at)
        batches = list(_batches(due, self._origin.most_at_once))
        at_most = int(QUESTIONS_PER_S * ROUND_EVERY_S)
        places = asyncio.Semaphore(MOST_OF_ROUND)

        async def ask(batch: Sequence[str], start: float) -> None:
            await asyncio.sleep(max(0.0, start - monotonic()))
            async with places:
                await self._ask({account_id: self._known[account_id] for account_id in batch})

        async with asyncio.TaskGroup() as tasks:
            for number, batch in enumerate(batches[:at_most]):
                tasks.create_task(ask(batch, began + number / QUESTIONS_PER_S))

    def _forget(self, moment: float) -> None:
        """Let go of idle accounts, and of ids that are none: any number of them may come."""
        idle = [
            account_id
            for account_id, known in self._in_use.items()
            if known.used_at < moment - IN_USE_S and not known.waiting
        ]
        for account_id in idle:
            if self._in_use.pop(account_id).account is None:
                del self._known[account_id]


def _batches(ids: Iterable[str], size: int) -> Iterable[Sequence[str]]:
    rest = iter(ids)
    while batch := list(islice(rest, size)):
        yield batch
