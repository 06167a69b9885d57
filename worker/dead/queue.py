"""A dead-letter queue while nobody else works on it: look, replay, discard."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from worker.core.reason import Reason
from worker.dead.letter import Letter
from worker.dead.order import Clerk, Going, Order, Skipped
from worker.dead.outcomes import Outcomes
from worker.dead.replay import Replayer, Stopped, Tally
from worker.dead.scan import Scan, a_scan
from worker.dead.selection import Selection
from worker.rabbit.confirmed import open_confirms
from worker.rabbit.names import Names
from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.deliveries import Incoming

# The broker takes back what is unacked for 30 minutes, and closes the channel.
LONGEST_HOLD_S = 600.0
_SAVED_AT_ONCE = 1000


@dataclass(slots=True)
class Plan:
    """What a replay would do now: how many letters go, and why others stay."""

    selected: int = 0
    accounts: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    skipped: Tally = field(default_factory=lambda: Tally(0))

    @property
    def going(self) -> int:
        return self.selected - self.skipped.skipped.total()


@dataclass(frozen=True, slots=True)
class Means:
    """What every queue is worked on with."""

    names: Names
    clerk: Clerk
    reading: Wire
    publishing: Wire
    now: Callable[[], float]


class DeadQueue:
    """The letters that lay in the queue of `reason` when it was locked: `total` of them."""

    def __init__(self, reason: Reason, means: Means, *, total: int) -> None:
        self.reason = reason
        self.total = total
        self._means = means

    async def letters(
        self, selection: Selection, *, limit: int | None = None
    ) -> AsyncGenerator[Letter, None]:
        """Give the selected letters in their order; afterwards all are where they were."""
        async with self._scan(selection, self.total, at_most=limit) as scan:
            for message in scan:
                yield Letter(message, self.reason)

    async def plan(self, selection: Selection, order: Order) -> Plan:
        """Say what `replay` would do."""
        plan = Plan()
        async with aclosing(self.letters(selection)) as letters:
            async for letter in letters:
                if plan.going == order.limit:
                    break
                plan.selected += 1
                plan.accounts[letter.account_id or "unknown"] += 1
                plan.codes[code_of(letter)] += 1
                decision = self._decide(order, letter)
                if isinstance(decision, Skipped):
                    plan.skipped.skip(letter, decision)
        return plan

    async def replay(
        self,
        selection: Selection,
        order: Order,
        *,
        tally: Tally | None = None,
        on_progress: Callable[[Tally], None] = lambda _: None,
    ) -> Tally:
        """Put the selected letters back; those that die again meanwhile are not among them.

        A letter leaves the queue when the broker has its copy: whatever ends this in between, what
        was not replayed is where it was, and running it again goes on. A `tally` of the
        caller's (of `total` letters) says how far it came also when this is cancelled.
        """
        tally = Tally(self.total) if tally is None else tally
        publishing = self._means.publishing
        is_one_by_one = self.reason is Reason.SUSPECT
        outcomes = None
        if order.canary is not None or is_one_by_one:
            outcomes = Outcomes(order.batch)
            # A broker in trouble stops reading what publishers say, and with it their acks.
            await outcomes.listen(self._means.reading, self._means.names)
        replayer = Replayer(
            order,
            partial(self._decide, order),
            await open_confirms(publishing),
            outcomes,
            tally,
            is_one_by_one=is_one_by_one,
        )
        try:
            while not await self._pass(selection, replayer, tally, on_progress):
                tally.begin_again()
            await replayer.finish()
        except Stopped as stopped:
            tally.stopped = str(stopped)
        on_progress(tally)
        return tally

    async def discard(
        self, selection: Selection, save: Callable[[Sequence[Letter]], None], *, limit: int | None
    ) -> int:
        """Take the selected letters out of the queue, each batch after `save` has it for good."""
        gone = 0
        async with self._scan(selection, self.total, at_most=limit) as scan:
            letters = (Letter(message, self.reason) for message in scan)
            while batch := list(islice(letters, _SAVED_AT_ONCE)):
                save(batch)
                for letter in batch:
                    letter.incoming.receipt.ack()
                await scan.acks_are_taken()
                gone += len(batch)
        return gone

    async def _pass(
        self,
        selection: Selection,
        replayer: Replayer,
        tally: Tally,
        on_progress: Callable[[Tally], None],
    ) -> bool:
        """Go through what is left of the letters once; False when another pass has to go on."""
        loop = asyncio.get_running_loop()
        until, is_through = loop.time() + LONGEST_HOLD_S, False
        async with self._scan(selection, tally.left) as scan:
            try:
                for message in scan:
                    if replayer.is_done:
                        break
                    await replayer.put_back(Letter(message, self.reason))
                    on_progress(tally)
                    if loop.time() > until:
                        break
                else:
                    is_through = True
                await replayer.settle()
                await scan.acks_are_taken()
            except asyncio.CancelledError:
                await replayer.let_go()
                raise
        return is_through or replayer.is_done

    def _scan(
        self, selection: Selection, total: int, *, at_most: int | None = None
    ) -> AbstractAsyncContextManager[Scan]:
        means = self._means

        def picks(message: Incoming) -> bool:
            return selection.matches(Letter(message, self.reason), means.clerk.kinds_of)

        queue = means.names.dead_queue(self.reason)
        return a_scan(means.reading, queue, total=total, picks=picks, at_most=at_most)

    def _decide(self, order: Order, letter: Letter) -> Going | Skipped:
        return self._means.clerk.decide(letter, order, now=self._means.now())


def code_of(letter: Letter) -> str:
    """Write the error of a letter as people do: 190/463, 190, or none."""
    if letter.code is None:
        return "none"
    return str(letter.code) if letter.subcode is None else f"{letter.code}/{letter.subcode}"
