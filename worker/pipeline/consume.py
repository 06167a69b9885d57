"""Owns the task of every delivery in hand, and ends them when the worker stops."""

import asyncio
from collections.abc import Awaitable, Callable

from worker.core.delivery import Delivery
from worker.pipeline.drain import Drain
from worker.ports import Receipts

# After a failure to settle the broker would hand the same delivery out again at once.
FAILED_PAUSE_S = 5.0
# What is left after the calls were cut: a ledger entry, a confirm, an ack.
SETTLE_S = 5.0


class Consumer:
    """`submit` takes a delivery over from the broker adapter and returns at once."""

    def __init__(
        self,
        process: Callable[[Delivery], Awaitable[None]],
        receipts: Receipts,
        drain: Drain,
        *,
        on_failure: Callable[[Delivery, Exception], None],
    ) -> None:
        self._process = process
        self._receipts = receipts
        self._drain = drain
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[None]] = set()
        self._broken: asyncio.Future[None] | None = None

    @property
    def in_hand(self) -> int:
        """Deliveries not settled yet."""
        return len(self._tasks)

    async def run(self, stop: asyncio.Event, *, drain_s: float) -> bool:
        """Own the deliveries until `stop`, then drain; True when all were settled.

        What is still being sent after `drain_s` seconds is cut and settled as unknown. Raises what
        a delivery could not be handed back for.
        """
        broken = self._broken = asyncio.get_running_loop().create_future()
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait((stopping, broken), return_when=asyncio.FIRST_COMPLETED)
            self._drain.begin()
            if not await self._settled_within(drain_s):
                self._drain.cut()
            is_clean = await self._settled_within(SETTLE_S)
        finally:
            self._broken = None
            for task in (stopping, *self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if broken.done():
            broken.result()
        return is_clean

    def submit(self, delivery: Delivery) -> None:
        """Start a task for the delivery; what arrives after the end stays with the broker."""
        if self._broken is None:
            return
        # Not by a task group: that takes a third of the time that starting and ending one takes.
        task = asyncio.ensure_future(self._handle(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self._broken is not None and not self._broken.done():
            # Not even handing it back worked: `run` ends with this.
            self._broken.set_exception(error)

    async def _handle(self, delivery: Delivery) -> None:
        try:
            await self._process(delivery)
        except Exception as error:  # the settlement itself failed: only the broker can help
            self._on_failure(delivery, error)
            await asyncio.sleep(FAILED_PAUSE_S)
            await self._receipts.hand_back(delivery)

    async def _settled_within(self, deadline_s: float) -> bool:
        loop = asyncio.get_running_loop()
        end = loop.time() + deadline_s
        while self._tasks and (left_s := end - loop.time()) > 0:
            await asyncio.wait(self._tasks, timeout=left_s)
        return not self._tasks
