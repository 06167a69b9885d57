"""Puts letters back, as fast as told, and stops by itself when what went first does not go well."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from worker.core.outcome_event import Status
from worker.dead.letter import Letter
from worker.dead.order import Going, Order, Skipped
from worker.dead.outcomes import Outcomes
from worker.rabbit.confirmed import describe_refusal
from worker.rabbit.wire.confirms import Confirms, Nacked, Unroutable
from worker.rabbit.wire.deliveries import Receipt

# So many publishes wait for their confirms at a time.
_PIPELINED = 256
_LARGEST_BATCH = 1000
# A publisher that was late may make up for so many seconds of its rate.
_CATCH_UP_S = 0.02
# And has at most so many seconds of its rate unconfirmed.
_UNCONFIRMED_S = 0.1
_SHOWN = 3
MOST_EXAMPLES = 100
# Who is told to end waits at most so long for confirms that are under way.
_LAST_CONFIRMS_S = 5.0


class Stopped(Exception):
    """The replay goes no further; the text says why, and what to look at."""


@dataclass(slots=True)
class Tally:
    """How far a replay has come. `left` are the letters that are still in the queue."""

    total: int
    replayed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None

    @property
    def left(self) -> int:
        return self.total - self.replayed

    def skip(self, letter: Letter, skipped: Skipped) -> None:
        self.skipped[skipped.why.value] += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(f"{letter.id or 'a letter without an id'}: {skipped.detail}")

    def begin_again(self) -> None:
        """Forget what stayed: another pass meets it again."""
        self.skipped.clear()
        self.examples.clear()

    def document(self) -> dict[str, Any]:
        return {
            "replayed": self.replayed,
            "skipped": dict(self.skipped),
            "left": self.left,
            "outcomes": dict(self.outcomes),
            "stopped": self.stopped,
        }


@dataclass(slots=True)
class _Pending:
    confirmed: asyncio.Future[None]
    receipt: Receipt


class Replayer:
    """Publishes letters of one order, and acks each when the broker has its copy."""

    def __init__(
        self,
        order: Order,
        decide: Callable[[Letter], Going | Skipped],
        confirms: Confirms,
        outcomes: Outcomes | None,
        tally: Tally,
        *,
        is_one_by_one: bool,
    ) -> None:
        self._order = order
        self._decide = decide
        self._confirms = confirms
        self._outcomes = outcomes
        self._tally = tally
        self._loop = asyncio.get_running_loop()
        self._next_at = 0.0
        self._pending: deque[_Pending] = deque()
        # A blocked broker takes all of them in one moment when it goes on.
        rate = order.rate_per_s
        self._most_unconfirmed = (
            _PIPELINED if rate is None else min(_PIPELINED, max(1, int(rate * _UNCONFIRMED_S)))
        )
        self._batch: set[str] = set()
        # What may have killed workers goes alone, whatever else was asked for.
        self._is_one_by_one = is_one_by_one
        self._batch_size = 1 if is_one_by_one else order.canary
        self._most_failures = 1.0 if is_one_by_one else order.most_failures

    @property
    def is_done(self) -> bool:
        """Whether as many went as were wanted."""
        gone = self._tally.replayed + len(self._pending)
        return self._order.limit is not None and gone >= self._order.limit

    async def put_back(self, letter: Letter) -> None:
        """Publish one letter, unless it stays. Raises Stopped."""
        decision = self._decide(letter)
        if isinstance(decision, Skipped):
            self._tally.skip(letter, decision)
            return
        await self._in_time()
        confirmed = self._confirms.publish(
            decision.exchange,
            decision.account_id,
            decision.header,
            decision.body,
            is_mandatory=True,
        )
        self._pending.append(_Pending(confirmed, letter.incoming.receipt))
        await self.settle(down_to=self._most_unconfirmed)
        await self._judge_full_batch(decision)

    async def settle(self, *, down_to: int = 0) -> None:
        """Wait until at most so many publishes are unconfirmed. Raises Stopped."""
        refused: Unroutable | Nacked | None = None
        # After a refusal all others: each letter must be in one place.
        while len(self._pending) > (down_to if refused is None else 0):
            first = self._pending.popleft()
            try:
                await first.confirmed
            except (Unroutable, Nacked) as error:
                refused = error
            else:
                first.receipt.ack()
                self._tally.replayed += 1
        if refused is not None:
            raise Stopped(f"RabbitMQ does not take the requests: {describe_refusal(refused)}")

    async def let_go(self) -> None:
        """Take what the broker has out of the queue, when there is no time for more."""
        # What stays goes again another time, and is known then to have been sent.
        with suppress(TimeoutError, Stopped):
            async with asyncio.timeout(_LAST_CONFIRMS_S):
                await self.settle()

    async def finish(self) -> None:
        """Wait for what is under way, and for the outcomes of the last batch. Raises Stopped."""
        await self.settle()
        if self._batch:
            await self._judge()

    async def _judge_full_batch(self, going: Going) -> None:
        if self._batch_size is None:
            return
        self._batch.add(going.id)
        if len(self._batch) >= self._batch_size:
            await self.settle()
            await self._judge()

    async def _judge(self) -> None:
        """Go on only if enough of the batch were sent. Raises Stopped."""
        assert self._outcomes is not None, "batches are judged by them"
        assert self._batch_size is not None, "there is a batch"
        ids, self._batch = self._batch, set()
        missing = await self._outcomes.of(ids, patience_s=self._order.patience_s)
        came = [self._outcomes.status[each] for each in ids - missing]
        self._tally.outcomes.update(came)
        if missing:
            raise Stopped(
                f"{len(missing)} of {len(ids)} requests had no outcome for "
                f"{self._order.patience_s:g} s ({_some(missing)}): do workers run, and is the "
                "account open? `igsend why ID` says where a request is"
            )
        failed = len(came) - came.count(Status.SENT.value)
        if failed > self._most_failures * len(ids):
            raise Stopped(
                f"{failed} of {len(ids)} requests failed, which is more than "
                f"{self._most_failures:.0%}; `igsend dead ls` shows where they went"
            )
        if not self._is_one_by_one:
            self._batch_size = min(_LARGEST_BATCH, 2 * self._batch_size)

    async def _in_time(self) -> None:
        rate = self._order.rate_per_s
        if rate is None:
            return
        now = self._loop.time()
        self._next_at = max(self._next_at, now - _CATCH_UP_S)
        if self._next_at > now:
            await asyncio.sleep(self._next_at - now)
        self._next_at += 1.0 / rate


def _some(ids: set[str]) -> str:
    shown = sorted(ids)[:_SHOWN]
    return ", ".join(shown) + (", …" if len(ids) > len(shown) else "")
