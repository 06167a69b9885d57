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
        self._group: asyncio.TaskGroup | None = None

    @property
    def in_hand(self) -> int:
        """Deliveries not settled yet."""
        return len(self._tasks)

    async def run(self, stop: asyncio.Event, *, drain_s: float) -> bool:
        """Own the deliveries until `stop`, then drain; True when all were settled.

        What is still being sent after `drain_s` seconds is cut and settled as unknown.
        """
        async with asyncio.TaskGroup() as group:
            self._group = group
            await stop.wait()
            self._drain.begin()
            if not await self._settled_within(drain_s):
                self._drain.cut()
            is_clean = await self._settled_within(SETTLE_S)
            self._group = None
            for task in self._tasks:
                task.cancel()
        return is_clean

    def submit(self, delivery: Delivery) -> None:
        """Start a task for the delivery; what arrives after the end stays with the broker."""
        if self._group is None:
            return
        task = self._group.create_task(self._handle(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
