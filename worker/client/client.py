"""Sends requests to igsend through RabbitMQ, and hears how they ended."""

import asyncio
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from types import TracebackType
from typing import Any, Literal, Self
from weakref import WeakValueDictionary

from worker.client.burst import Burst, Outgoing
from worker.client.connection import ClientLink
from worker.client.errors import CannotConnect, ClientError, InvalidRequest, NotTaken, SendError
from worker.client.outcome import Outcome
from worker.client.outcomes import Outcomes
from worker.client.prepared import Prepared, prepared
from worker.client.publishing import Publishing
from worker.client.receipt import Receipt, Waiting
from worker.client.replies import Replies
from worker.core.delivery import Properties
from worker.core.request_schema import REQUEST_SCHEMA
from worker.rabbit.confirmed import Message
from worker.rabbit.names import Names
from worker.rabbit.wire.connection import Wire
from worker.rabbit.wire.properties import header_of

Lane = Literal["interactive", "bulk"]
Request = Mapping[str, Any] | bytes

# Requests that are published and not confirmed yet, at most.
WINDOW = 500


class Client:
    """A producer's connections to RabbitMQ, for one event loop. Keep one as long as you run.

        async with Client("amqp://…") as igsend:
            receipt = await igsend.send(request(account_id, person_id, text("Hello")))
            outcome = await receipt.outcome(timeout=30)

    `listens=False` spares a process that does not ask for outcomes their delivery.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = "ig",
        listens: bool = True,
        connect_timeout: float = 15.0,
    ) -> None:
        self._url = url
        self._names = Names(prefix, 1)
        self._connect_timeout = connect_timeout
        self._plain = header_of(_PROPERTIES, {})
        self._publishing = Publishing()
        self._replies = Replies(self._heard) if listens else None
        self._links: list[ClientLink] = []
        self._outcomes: list[Outcomes] = []
        self._waiting: WeakValueDictionary[tuple[str, str], Waiting] = WeakValueDictionary()
        self._window = asyncio.Semaphore(WINDOW)
        self._tasks: asyncio.TaskGroup | None = None
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        """Connect. Raises CannotConnect."""
        self._tasks = await asyncio.TaskGroup().__aenter__()
        try:
            await self._connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> Self:
        """Connect, where `async with` does not fit. Raises CannotConnect."""
        return await self.__aenter__()

    async def close(self) -> None:
        """Close the connections. What was confirmed is safe; what was not may be there or not."""
        if self._tasks is None:
            return
        for outcomes in self._outcomes:
            outcomes.close()
        if self._replies is not None:
            await self._replies.delete()
        for task in self._running:
            task.cancel()
        tasks, self._tasks = self._tasks, None
        await tasks.__aexit__(None, None, None)

    async def _connect(self) -> None:
        publishing = self._start("publish", self._publishing.use)
        if self._replies is not None:
            await self._start("listen", self._replies.use).until_up(timeout_s=self._connect_timeout)
            await self._replies.until_named(timeout_s=self._connect_timeout)
        await publishing.until_up(timeout_s=self._connect_timeout)

    def _start(self, role: str, use: Callable[[Wire], Awaitable[None]]) -> ClientLink:
        if self._tasks is None:
            raise ClientError("the client is not open; use it with `async with Client(url)`")
        link = ClientLink(self._url, role=role)
        self._links.append(link)
        self._running.append(self._tasks.create_task(link.run(use)))
        return link

    @property
    def trouble(self) -> str | None:
        """Why RabbitMQ cannot be used now, in a sentence: away, or blocked by its alarm.

        Sending waits meanwhile.
        """
        return next((link.trouble for link in self._links if link.trouble is not None), None)

    async def send(
        self,
        request: Request,
        *,
        lane: Lane = "interactive",
        timeout: float = 30.0,  # noqa: ASYNC109  # its own error
        headers: Mapping[str, str] | None = None,
    ) -> Receipt:
        """Check, publish, and return when RabbitMQ has it safely; through lost connections too.

        `request` is what `request(…)` built, any mapping, or JSON. `headers` may carry
        `traceparent`. At most 500 are under way at a time; more wait.

        Raises InvalidRequest, NotTaken, or after `timeout` seconds Unconfirmed.
        """
        ready = prepared(request)
        burst = Burst(self._publishing)
        async with self._window:
            burst.add(await self._outgoing(ready, lane, timeout, headers or {}))
            result = await burst.next(timeout_s=timeout)
        if isinstance(result, SendError):
            raise result
        return result

    async def send_all(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        lane: Lane = "interactive",
        timeout: float = 30.0,  # noqa: ASYNC109  # its own error
    ) -> AsyncIterator[Receipt | SendError]:
        """Send many, thousands a second; give for each, in order, its receipt or why there is none.

        `requests` are taken as they can be published, at most 500 ahead of what is confirmed.
        """
        burst = Burst(self._publishing)
        async for request in each_of(requests):
            burst.add(await self._checked(request, lane, timeout))
            while burst.has_result or len(burst) >= WINDOW:
                yield await burst.next(timeout_s=timeout)
        while burst:
            yield await burst.next(timeout_s=timeout)

    def outcomes(
        self, queue: str, *, keys: Sequence[str] = ("#",), prefetch: int = 100
    ) -> Outcomes:
        """Hear of all outcomes, by a durable queue of your service's own; see `Outcomes`.

        `keys` are bound to `ig.outcomes`: `<status>.<account_id>`, with `*` and `#`. A queue that
        does not exist is declared (a quorum queue). With `keys=()` nothing is bound.
        """
        outcomes = Outcomes(self._names.outcomes, queue, keys=keys, prefetch=prefetch)
        self._outcomes.append(outcomes)
        self._start(f"outcomes {queue}", outcomes.use)
        return outcomes

    async def _checked(
        self, request: Request, lane: Lane, timeout_s: float
    ) -> Outgoing | SendError:
        try:
            return await self._outgoing(prepared(request), lane, timeout_s, {})
        except (InvalidRequest, NotTaken) as refused:
            return refused

    async def _outgoing(
        self, request: Prepared, lane: Lane, timeout_s: float, headers: Mapping[str, str]
    ) -> Outgoing:
        exchange = self._names.bulk if lane == "bulk" else self._names.requests
        header, waiting = self._plain, None
        if self._replies is not None:
            try:
                reply_to = self._replies.name or await self._replies.until_named(
                    timeout_s=timeout_s
                )
            except CannotConnect as error:
                raise NotTaken(
                    str(error), request_id=request.id, account_id=request.account_id
                ) from None
            key = (request.account_id, request.id)
            waiting = self._waiting.setdefault(key, Waiting())
            header = header_of(_PROPERTIES._replace(reply_to=reply_to), headers)
        elif headers:
            header = header_of(_PROPERTIES, headers)
        message = Message(exchange, request.account_id, request.body, header)
        return Outgoing(request, message, Receipt(request.id, request.account_id, waiting))

    def _heard(self, outcome: Outcome) -> None:
        waiting = self._waiting.get((outcome.account_id or "", outcome.id or ""))
        if waiting is not None:
            waiting.take(outcome)


async def each_of(
    requests: Iterable[Request] | AsyncIterable[Request],
) -> AsyncIterator[Request]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request


_PROPERTIES = Properties(content_type="application/json", type=REQUEST_SCHEMA)
