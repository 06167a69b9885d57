"""Messages on their way to RabbitMQ, in order, each until it is confirmed."""

import asyncio
from collections import deque
from dataclasses import dataclass

from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity

from worker.client.errors import NotTaken, SendError, Unconfirmed
from worker.client.prepared import Prepared
from worker.client.publishing import Publishing
from worker.client.receipt import Receipt
from worker.rabbit.confirmed import Message
from worker.rabbit.link import CONNECTION_ERRORS, describe, is_own_cancellation
from worker.rabbit.wire.confirms import Nacked, Unroutable

# A queue that is full, or without its leader, refuses; the next moment it may not.
NACKED_PAUSE_S = 0.5


@dataclass(slots=True)
class Outgoing:
    """One message; `begun` is its latest publish."""

    request: Prepared
    message: Message
    receipt: Receipt
    begun: asyncio.Future[None] | None = None

    @property
    def is_confirmed(self) -> bool:
        begun = self.begun
        return (
            begun is not None
            and begun.done()
            and not begun.cancelled()
            and begun.exception() is None
        )


class Burst:
    """What is not confirmed when the connection is lost is published again, all of it, in order.

    Some of it may arrive twice; the worker knows a request by its id.
    """

    def __init__(self, publishing: Publishing) -> None:
        self._publishing = publishing
        self._era = publishing.era
        self._under_way: deque[Outgoing | SendError] = deque()

    def __len__(self) -> int:
        return len(self._under_way)

    @property
    def has_result(self) -> bool:
        """Whether `next` has an answer at once."""
        if not self._under_way:
            return False
        first = self._under_way[0]
        return isinstance(first, SendError) or first.is_confirmed

    def add(self, outgoing: Outgoing | SendError) -> None:
        """Publish behind all others; what failed already only takes its place in the order."""
        self._under_way.append(outgoing)
        if self._era != self._publishing.era:
            self._publish_again()
        elif isinstance(outgoing, Outgoing):
            outgoing.begun = self._publishing.begin(outgoing.message)

    async def next(self, *, timeout_s: float) -> Receipt | SendError:
        """Wait for the first of them: its receipt, or why there is none."""
        first = self._under_way[0]
        if isinstance(first, SendError):
            self._under_way.popleft()
            return first
        try:
            async with asyncio.timeout(timeout_s):
                return await self._confirmed(first)
        except TimeoutError:
            return Unconfirmed(
                f"RabbitMQ has not confirmed {first.request.id} within {timeout_s:g} s; it may be "
                "there or not. Send the same request again: its id keeps it from going twice",
                request_id=first.request.id,
                account_id=first.request.account_id,
            )
        finally:
            self._under_way.popleft()

    async def _confirmed(self, first: Outgoing) -> Receipt | SendError:
        while True:
            try:
                if first.begun is not None:
                    await first.begun
                    return first.receipt
            except Unroutable:
                return _refused(first, "no queue is bound for it: is a worker running?")
            except Nacked:
                await asyncio.sleep(NACKED_PAUSE_S)
                first.begun = self._publishing.begin(first.message)
                continue
            except (ChannelNotFoundEntity, ChannelAccessRefused) as closing:
                # The channel closed; all that was under way on it fails by the same error.
                if f"'{first.message.exchange}'" in describe(closing):
                    return _refused(first, describe(closing))
            except CONNECTION_ERRORS:
                first.begun = None  # the link says so, and comes back
            except asyncio.CancelledError:
                if is_own_cancellation():
                    raise
            await self._publishing.ready()
            self._publish_again()

    def _publish_again(self) -> None:
        self._era = self._publishing.era
        for outgoing in self._under_way:
            if isinstance(outgoing, Outgoing) and not outgoing.is_confirmed:
                outgoing.begun = self._publishing.begin(outgoing.message)


def _refused(outgoing: Outgoing, why: str) -> NotTaken:
    request, exchange = outgoing.request, outgoing.message.exchange
    return NotTaken(
        f"RabbitMQ does not take messages for the exchange {exchange} ({why}); start a worker, run "
        "`igsend topology declare`, or look at this user's permissions and the client's prefix",
        request_id=request.id,
        account_id=request.account_id,
    )
