"""Messages on their way to RabbitMQ, in order, each until it is confirmed."""

import asyncio
from collections import deque
from collections.abc import Callable
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
    """One message, and by when it is to be confirmed; `begun` is its latest publish."""

    request: Prepared
    message: Message
    receipt: Receipt
    timeout_s: float
    # By the clock of the loop.
    deadline: float
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

    Some of it may arrive twice; the worker knows a request by its id. One task adds, and one may
    ask for the results meanwhile.
    """

    def __init__(self, publishing: Publishing, *, trouble: Callable[[], str | None]) -> None:
        self._publishing = publishing
        self._trouble = trouble
        self._era = publishing.era
        self._under_way: deque[Outgoing | SendError] = deque()
        self._is_ended = False
        self._changed = asyncio.Event()

    def add(self, outgoing: Outgoing | SendError) -> None:
        """Publish behind all others; what failed already only takes its place in the order."""
        self._under_way.append(outgoing)
        self._changed.set()
        if self._era != self._publishing.era:
            self._publish_again()
        elif isinstance(outgoing, Outgoing):
            outgoing.begun = self._publishing.begin(outgoing.message)

    def end(self) -> None:
        """Nothing will be added any more."""
        self._is_ended = True
        self._changed.set()

    async def has_more(self) -> bool:
        """Wait until there is something to wait for; False when there will be nothing."""
        while not self._under_way and not self._is_ended:
            self._changed.clear()
            await self._changed.wait()
        return bool(self._under_way)

    async def next(self) -> Receipt | SendError:
        """Wait for the first of them: its receipt, or why there is none."""
        first = self._under_way[0]
        try:
            if isinstance(first, SendError):
                return first
            if first.is_confirmed:
                return first.receipt
            async with asyncio.timeout_at(first.deadline):
                return await self._confirmed(first)
        except TimeoutError:
            assert isinstance(first, Outgoing), "the others are known at once"
            return unconfirmed(first.request, first.timeout_s, self._trouble())
        finally:
            self._under_way.popleft()

    async def _confirmed(self, first: Outgoing) -> Receipt | SendError:
        while True:
            begun = first.begun
            if begun is not None and (result := await _result(first, begun)) is not None:
                return result
            if first.begun is begun:  # `add` may have published all of them again
                first.begun = None
            await self._publishing.ready()
            if self._era != self._publishing.era:
                self._publish_again()
            elif first.begun is None:
                first.begun = self._publishing.begin(first.message)

    def _publish_again(self) -> None:
        self._era = self._publishing.era
        for outgoing in self._under_way:
            if isinstance(outgoing, Outgoing) and not outgoing.is_confirmed:
                outgoing.begun = self._publishing.begin(outgoing.message)


async def _result(outgoing: Outgoing, begun: asyncio.Future[None]) -> Receipt | SendError | None:
    """Wait for what becomes of a publish; None when it is to be published again."""
    try:
        await begun
    except Unroutable:
        return _refused(outgoing)
    except Nacked:
        await asyncio.sleep(NACKED_PAUSE_S)
        return None
    except (ChannelNotFoundEntity, ChannelAccessRefused) as closing:
        # The channel closed; all that was under way on it fails by the same error.
        is_ours = f"'{outgoing.message.exchange}'" in describe(closing)
        return _refused(outgoing, closing) if is_ours else None
    except CONNECTION_ERRORS:
        return None  # the link says so, and comes back
    except asyncio.CancelledError:
        if is_own_cancellation():
            raise
        return None
    return outgoing.receipt


def unconfirmed(request: Prepared, timeout_s: float, trouble: str | None) -> Unconfirmed:
    """Say that nobody knows, and what RabbitMQ suffers from, if that is known."""
    why = f" ({trouble})" if trouble else ""
    return Unconfirmed(
        f"RabbitMQ has not confirmed {request.id} within {timeout_s:g} s{why}; it may be there or "
        "not. Send the same request again: its id keeps it from going twice",
        request_id=request.id,
        account_id=request.account_id,
    )


def _refused(outgoing: Outgoing, closing: BaseException | None = None) -> NotTaken:
    request, exchange = outgoing.request, outgoing.message.exchange
    if isinstance(closing, ChannelAccessRefused):
        text = (
            f"RabbitMQ does not let this user publish to the exchange {exchange} "
            f"({describe(closing)}); give it write permission, or look at the client's prefix"
        )
    else:
        text = (
            f"the broker has no exchange {exchange}, or no queue is bound to it; look at the "
            "client's prefix, start a worker or run `igsend topology declare`"
        )
    return NotTaken(text, request_id=request.id, account_id=request.account_id)
