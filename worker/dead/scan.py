"""Reads a dead-letter queue without changing it; what is not acked goes back to where it was.

A quorum queue takes returned letters back behind those that were returned before and not taken
again (RabbitMQ 3.10, 4.0, 4.3): who takes a part of such a queue and gives it back moves it to the
end. So a scan takes all letters there are, however few of them are wanted, and holds them until it
ends. Its consumers are handed their letters in one step of the broker each, all consumers of a
queue of `MOST_AT_ONCE` letters are asked for in one write, and whatever ends a scan, SIGKILL too,
ends it with all of them or with none. Only of longer queues can a kill within the seconds in which
they are taken change the order; it loses nothing.

When the channel closes the queue takes the letters back consumer by consumer, and up to 32 of
these in the order of their tags (with more, the order is lost on 3.10).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from math import ceil

from aiormq.abc import AbstractChannel
from pamqp.commands import Basic
from pamqp.frame import marshal

from worker.dead.rest import count_at_rest
from worker.dead.spool import Spool
from worker.rabbit.wire.closing import close
from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.deliveries import Deliveries, Incoming

RPC_TIMEOUT_S = 30.0
MOST_CONSUMERS = 30
# The largest prefetch there is.
MOST_OF_A_CONSUMER = 65_535
MOST_LETTERS = MOST_CONSUMERS * MOST_OF_A_CONSUMER
# The broker keeps in memory what it has handed out and we have not read yet.
_CONSUMERS_AT_ONCE = 2
MOST_AT_ONCE = _CONSUMERS_AT_ONCE * MOST_OF_A_CONSUMER
# With more than 32 acks on their way to a quorum queue its channel keeps the others until some have
# arrived, and drops what it keeps when it is closed (3.10, 4.0). Nothing tells when it has none.
ACKS_TRAVEL_S = 1.0
# A queue that was told to be longer gives nothing for so long: somebody else took the rest.
SILENCE_S = 15.0


class ScanBroken(Exception):
    """The scan cannot go on; the text says why."""


class Scan:
    """The first `total` letters of a queue, all held; those that `picks` chooses are kept to read.

    `at_most` of them, when given.
    """

    def __init__(
        self,
        wire: Wire,
        channel: AbstractChannel,
        queue: str,
        *,
        picks: Callable[[Incoming], bool],
        at_most: int | None = None,
    ) -> None:
        self._wire = wire
        self._channel = channel
        self._queue = queue
        self._picks = picks
        self._at_most = at_most
        self._spool = Spool()
        self._total = self._size = self._seen = self._asked = 0
        self._trouble: str | None = None
        self._news = asyncio.Event()
        self._deliveries = Deliveries(wire, channel, self._take)
        channel.on_consumer_cancel_callbacks.add(self._ended)
        channel.closing.add_done_callback(self._ended)

    def __len__(self) -> int:
        return len(self._spool)

    def __iter__(self) -> Iterator[Incoming]:
        """Give what was picked, in order. Ack a letter to take it out of the queue for good."""
        return self._spool.letters(self._deliveries)

    async def take(self, total: int, *, most_of_a_consumer: int = MOST_OF_A_CONSUMER) -> None:
        """Take all letters. Raises ScanBroken."""
        self._total = min(total, MOST_LETTERS)
        if not self._total:
            return
        consumers = ceil(self._total / most_of_a_consumer)
        # The last may get some letters that came later: they go back behind the others.
        self._size = ceil(self._total / consumers)
        await self._channel.basic_qos(prefetch_count=self._size, timeout=RPC_TIMEOUT_S)
        self._ask_for_more()
        await self._until_all_came()
        # Or each ack would bring a letter more, out of its order.
        for number in range(self._asked):
            await self._channel.basic_cancel(_tag(number), timeout=RPC_TIMEOUT_S)

    async def acks_are_taken(self) -> None:
        """Return when the queue has every ack so far. Raises ScanBroken."""
        self._check()
        # Acks go out at the end of this turn of the loop, and channels answer in order.
        await asyncio.sleep(0)
        await self._channel.basic_qos(prefetch_count=1, timeout=RPC_TIMEOUT_S)
        await asyncio.sleep(ACKS_TRAVEL_S)
        self._check()

    def close(self) -> None:
        """Forget what was picked."""
        self._spool.close()

    def _ask_for_more(self) -> None:
        """Add as many consumers as may be under way; those added together go out in one write."""
        came = self._seen // self._size
        wanted = min(ceil(self._total / self._size), came + _CONSUMERS_AT_ONCE)
        for number in range(self._asked, wanted):
            # Without an answer: that would come behind the letters of the one before.
            consume = Basic.Consume(queue=self._queue, consumer_tag=_tag(number), nowait=True)
            self._wire.writer.write(marshal(consume, self._channel.number))
        self._asked = max(self._asked, wanted)

    async def _until_all_came(self) -> None:
        while self._seen < self._total and self._trouble is None:
            before = self._seen
            self._news.clear()
            try:
                async with asyncio.timeout(SILENCE_S):
                    await self._news.wait()
            except TimeoutError:
                if self._seen == before:
                    break
        self._check()

    def _take(self, message: Incoming) -> None:
        if self._seen >= self._total or self._trouble is not None:
            return
        self._seen += 1
        if self._at_most is None or len(self._spool) < self._at_most:
            try:
                if self._picks(message):
                    self._spool.add(message)
            except OSError as error:
                self._fail(f"cannot keep letters in a temporary file: {error.strerror}")
        if self._seen % self._size == 0:
            self._ask_for_more()
        if self._seen == self._total:
            self._news.set()

    def _ended(self, _: object) -> None:
        self._fail(f"RabbitMQ ended the reading of {self._queue}: was it deleted?")

    def _fail(self, trouble: str) -> None:
        self._trouble = self._trouble or trouble
        self._news.set()

    def _check(self) -> None:
        if self._trouble is not None:
            raise ScanBroken(self._trouble)


def _tag(number: int) -> str:
    """Name a consumer so that names sort by number."""
    return f"{number:04d}"


@asynccontextmanager
async def a_scan(
    wire: Wire,
    queue: str,
    *,
    total: int,
    picks: Callable[[Incoming], bool],
    at_most: int | None = None,
    most_of_a_consumer: int = MOST_OF_A_CONSUMER,
) -> AsyncIterator[Scan]:
    """Scan on a channel of its own; when it closes, all that is not acked is where it was.

    Raises QueueMissing, InUse, and ScanBroken.
    """
    # What the scan before this one held comes back late: nobody may read meanwhile.
    await count_at_rest(wire.connection, queue)
    channel = await wire.connection.channel(publisher_confirms=False)
    scan = Scan(wire, channel, queue, picks=picks, at_most=at_most)
    try:
        await scan.take(total, most_of_a_consumer=most_of_a_consumer)
        yield scan
    finally:
        scan.close()
        # Acks go out with the end of this turn of the loop, and in front of the close.
        await asyncio.sleep(0)
        await close(channel)
