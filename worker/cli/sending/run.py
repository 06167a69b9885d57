"""One run of `igsend send`: requests out, confirms and outcomes in, and an end that says it all."""

import asyncio
import signal
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import typer

from worker.cli.failure import CommandFailed
from worker.cli.lines import Line
from worker.cli.sending.failed import FailedLines
from worker.cli.sending.feed import Feed
from worker.cli.sending.report import Show, Tally, invalid_outcome, print_outcome
from worker.client import Client, InvalidRequest, NotTaken, Receipt, SendError
from worker.client.client import Lane

# For confirms that are under way at Ctrl-C.
GRACE_S = 5.0
# How often is looked whether RabbitMQ can be used; what lasts two looks is told.
LOOK_EVERY_S = 1.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Options:
    """How to send. `timeout_s` is for RabbitMQ's confirms, `wait_s` for outcomes."""

    lane: Lane
    rate: float | None
    wait_s: float | None
    timeout_s: float
    as_json: bool


class Run:
    """Publishes what it is given, in order. `tally` says what came of it, also after a failure.

    `is_published` is False when it ended before the last line, `unsure` says of how many requests
    behind those of the tally nobody knows whether they are published.
    """

    def __init__(
        self,
        client: Client,
        options: Options,
        failed: FailedLines,
        show: Show,
    ) -> None:
        self.tally = Tally()
        self.is_interrupted = False
        self.is_published = False
        self._client = client
        self._options = options
        self.failed = failed
        self._show = show
        self._under_way: deque[Line] = deque()
        self._waiting: dict[int, tuple[Receipt, Line]] = {}
        self._over: asyncio.Queue[int] = asyncio.Queue()
        self._is_all_over = asyncio.Event()
        self._feed: Feed | None = None
        self._limit: asyncio.Timeout | None = None

    @property
    def unsure(self) -> int:
        return len(self._under_way)

    async def send(self, lines: Iterator[Line]) -> None:
        """Send all, and wait for their outcomes if that is wanted.

        Raises CommandFailed when RabbitMQ takes no more, UsageFailed when no more can be read.
        """
        loop = asyncio.get_running_loop()
        for each in _SIGNALS:
            loop.add_signal_handler(each, self._interrupt)
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = [tasks.create_task(each) for each in (self._tell(), self._watch())]
                await self._publish(lines)
                await self._wait()
                for helper in helpers:
                    helper.cancel()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            self._hear_the_rest()
            self.tally.unheard += len(self._waiting)

    def _interrupt(self) -> None:
        """End in order; a second signal ends at once."""
        loop = asyncio.get_running_loop()
        for each in _SIGNALS:
            loop.remove_signal_handler(each)
        self.is_interrupted = True
        if self._feed is not None:
            self._feed.stop()
        if self._limit is not None:
            self._limit.reschedule(loop.time() + (0 if self.is_published else GRACE_S))

    async def _publish(self, lines: Iterator[Line]) -> None:
        self._feed = Feed(lines, rate=self._options.rate)
        results = self._client.send_all(
            self._bodies(self._feed), lane=self._options.lane, timeout=self._options.timeout_s
        )
        try:
            async with self._until(None), aclosing(results):
                async for result in results:
                    self._take(self._under_way[0], result)
                    self._under_way.popleft()
        except TimeoutError:
            return
        self.is_published = not self.is_interrupted

    @asynccontextmanager
    async def _until(self, within_s: float | None) -> AsyncIterator[None]:
        """A time limit that a signal brings forward."""
        async with asyncio.timeout(within_s) as limit:
            self._limit = limit
            try:
                yield
            finally:
                self._limit = None

    async def _bodies(self, feed: Feed) -> AsyncIterator[bytes]:
        async for line in feed:
            self._under_way.append(line)
            yield line.body

    def _take(self, line: Line, result: Receipt | SendError) -> None:
        if isinstance(result, Receipt):
            self.tally.published += 1
            self._expect(result, line)
        elif isinstance(result, InvalidRequest):
            self.tally.invalid += 1
            print_outcome(invalid_outcome(line, result), as_json=self._options.as_json)
            self.failed.keep(line)
        else:
            if isinstance(result, NotTaken):  # certain, and not for lack of an answer
                self._under_way.popleft()
            raise CommandFailed(str(result))
        self.tally.seen += 1
        self._show(line.position, self.tally)

    def _expect(self, receipt: Receipt, line: Line) -> None:
        if receipt.waiting is not None:
            self._waiting[self.tally.published] = (receipt, line)
            receipt.waiting.when_over(partial(self._over.put_nowait, self.tally.published))

    async def _wait(self) -> None:
        if self._options.wait_s is None or self.is_interrupted:
            return
        began = asyncio.get_running_loop().time()
        try:
            async with self._until(self._options.wait_s):
                while self._waiting:
                    self._is_all_over.clear()
                    await self._is_all_over.wait()
        except TimeoutError:
            self._hear_the_rest()
            if self._waiting:
                waited_s = asyncio.get_running_loop().time() - began
                typer.echo(
                    f"{len(self._waiting)} requests have no outcome after {waited_s:.0f} s",
                    err=True,
                )

    def _hear_the_rest(self) -> None:
        while not self._over.empty():
            self._heard(self._over.get_nowait())

    async def _tell(self) -> None:
        while True:
            self._heard(await self._over.get())

    def _heard(self, number: int) -> None:
        receipt, line = self._waiting.pop(number)
        assert receipt.waiting is not None, "it was waited for"
        outcome = receipt.waiting.outcome
        if outcome is None:
            self.tally.unheard += 1
        else:
            self.tally.note(outcome)
            print_outcome(outcome.document, as_json=self._options.as_json)
            if outcome.status == "failed":
                self.failed.keep(line)
        if not self._waiting:
            self._is_all_over.set()

    async def _watch(self) -> None:
        """Say when RabbitMQ keeps everybody waiting, and when it does no longer."""
        is_told, before = False, None
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            trouble = self._client.trouble
            if trouble is not None and before is not None and not is_told:
                typer.echo(f"igsend: waiting: {trouble}", err=True)
                is_told = True
            elif trouble is None and is_told:
                typer.echo("igsend: RabbitMQ takes requests again", err=True)
                is_told = False
            before = trouble
