"""Step 0: what a diverted account still has in an interactive queue goes after its diversion.

The broker diverts what is published from now on. What was published before lies in front of the
quiet accounts of its partition, and one publish takes it out of their way, unread.
"""

from collections.abc import Awaitable, Callable

from worker.core.delivery import Delivery, Lane
from worker.ports import Publisher, Receipts


class Divert:
    """Moves the deliveries of diverted accounts to the bulk lane, and hands all others on."""

    def __init__(
        self,
        process: Callable[[Delivery], Awaitable[None]],
        is_diverted: Callable[[str], bool],
        publisher: Publisher,
        receipts: Receipts,
    ) -> None:
        self._process = process
        self._is_diverted = is_diverted
        self._publisher = publisher
        self._receipts = receipts

    async def __call__(self, delivery: Delivery) -> None:
        """Settle one delivery. What we parked ourselves has its slot, and stays in its lane."""
        if (
            delivery.lane is Lane.INTERACTIVE
            and self._is_diverted(delivery.routing_key)
            and not delivery.known_progress.is_republished
        ):
            await self._publisher.divert(delivery)
            await self._receipts.ack(delivery)
        else:
            await self._process(delivery)
