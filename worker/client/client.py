"""Sends requests to igsend through RabbitMQ, and hears how they ended."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from weakref import WeakValueDictionary

from worker.client.burst import Burst, Outgoing, unconfirmed
from worker.client.connection import ClientLink
from worker.client.errors import (
    CannotConnect,
    ClientError,
    InvalidRequest,
    NoOutcome,
    NotTaken,
    SendError,
)
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

_T = TypeVar("_T")
Lane = Literal["interactive", "bulk"]
Request = Mapping[str, Any] | bytes | str

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
        if not url.startswith(("amqp://", "amqps://")):
            raise ValueError("the URL must be like amqp[s]://user:password@host:port/vhost")
        self._url = url
        self._names = Names(prefix, 1)
        self._connect_timeout = connect_timeout
        self._plain = header_of(_PROPERTIES, {})
        self._publishing = Publishing()
        self._replies = Replies(self._heard, on_lost=self._lost) if listens else None
        self._links: list[ClientLink] = []
        self._outcomes: list[Outcomes] = []
        self._waiting: WeakValueDictionary[tuple[str, str], Waiting] = WeakValueDictionary()
        self._window = asyncio.Semaphore(WINDOW)
        self._tasks: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        """Connect. Raises CannotConnect."""
        if self._tasks is not None:
            raise ClientError("the client is open already")
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
        for outcomes in [*self._outcomes]:
            outcomes.close()
        self._give_up(lambda: ClientError(_CLOSED))
        if self._replies is not None:
            await self._replies.delete()
        for task in [*self._running]:
            task.cancel()
        tasks, self._tasks = self._tasks, None
        await tasks.__aexit__(None, None, None)

    async def _connect(self) -> None:
        publishing, _ = self._start("publish", self._publishing.use)
        if self._replies is not None:
            listening, _ = self._start("listen", self._replies.use)
            await listening.until_up(timeout_s=self._connect_timeout)
            await self._replies.until_named(timeout_s=self._connect_timeout)
        await publishing.until_up(timeout_s=self._connect_timeout)

    def _start(
        self, role: str, use: Callable[[Wire], Awaitable[None]]
    ) -> tuple[ClientLink, asyncio.Task[None]]:
        link = ClientLink(self._url, role=role)
        task = self._run(link.run(use))
        self._links.append(link)
        task.add_done_callback(lambda _: self._links.remove(link))
        return link, task

    def _run(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        """Start a task that ends with the client at the latest."""
        if self._tasks is None:
            work.close()
            raise _not_open()
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

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
        if self._tasks is None:
            raise _not_open()
        ready, burst = prepared(request), self._burst()
        outgoing = await self._outgoing(ready, lane, timeout, headers or {})
        try:
            async with asyncio.timeout_at(outgoing.deadline):
                await self._window.acquire()
        except TimeoutError:
            raise unconfirmed(ready, timeout, self.trouble) from None
        try:
            burst.add(outgoing)
            result = await burst.next()
        finally:
            self._window.release()
        if isinstance(result, SendError):
            raise result
        return result

    async def send_all(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        lane: Lane = "interactive",
        timeout: float = 30.0,  # noqa: ASYNC109  # its own error
    ) -> AsyncGenerator[Receipt | SendError, None]:
        """Send many, thousands a second; give for each, in order, its receipt or why there is none.

        `requests` are taken as they can be published, at most 500 ahead of what was given. What
        their iterator raises is raised here, behind the results of all that came before.
        """
        burst, room = self._burst(), asyncio.Semaphore(WINDOW)

        async def add_all() -> Exception | None:
            source = each_of(requests)
            try:
                while True:
                    await room.acquire()
                    request = await anext(source)
                    burst.add(await self._checked(request, lane, timeout))
            except StopAsyncIteration:
                return None
            except Exception as error:
                return error
            finally:
                burst.end()

        # A task of its own: a source that is slow keeps no result back.
        adding = self._run(add_all())
        try:
            while await burst.has_more():
                yield await burst.next()
                room.release()
            await asyncio.wait([adding])
            if adding.cancelled():
                raise ClientError("the client was closed before all requests were taken")
            if (error := adding.result()) is not None:
                raise error
        finally:
            adding.cancel()

    def _burst(self) -> Burst:
        return Burst(self._publishing, trouble=lambda: self.trouble)

    def outcomes(
        self, queue: str, *, keys: Sequence[str] = ("#",), prefetch: int = 100
    ) -> Outcomes:
        """Hear of all outcomes, by a durable queue of your service's own; see `Outcomes`.

        `keys` are bound to `ig.outcomes`: `<status>.<account_id>`, with `*` and `#`. A queue that
        does not exist is declared (a quorum queue). With `keys=()` nothing is bound.
        """
        outcomes = Outcomes(self._names.outcomes, queue, keys=keys, prefetch=prefetch)
        _, task = self._start(f"outcomes {queue}", outcomes.use)
        outcomes.on_close = task.cancel
        self._outcomes.append(outcomes)
        task.add_done_callback(lambda _: self._outcomes.remove(outcomes))
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
            waiting = self._waiting_for(request)
            header = header_of(_PROPERTIES._replace(reply_to=reply_to), headers)
        elif headers:
            header = header_of(_PROPERTIES, headers)
        message = Message(exchange, request.account_id, request.body, header)
        receipt = Receipt(request.id, request.account_id, waiting)
        deadline = asyncio.get_running_loop().time() + timeout_s
        return Outgoing(request, message, receipt, timeout_s, deadline)

    def _waiting_for(self, request: Prepared) -> Waiting:
        """Share who waits already; a request that has ended, and is sent again, ends again."""
        key = (request.account_id, request.id)
        waiting = self._waiting.get(key)
        if waiting is None or waiting.is_over:
            self._waiting[key] = waiting = Waiting()
        return waiting

    def _heard(self, outcome: Outcome) -> None:
        waiting = self._waiting.get((outcome.account_id or "", outcome.id or ""))
        if waiting is not None:
            waiting.take(outcome)

    def _lost(self) -> None:
        self._give_up(lambda: NoOutcome(_LOST))

    def _give_up(self, why: Callable[[], ClientError]) -> None:
        for waiting in [*self._waiting.values()]:
            waiting.give_up(why())


async def each_of(
    requests: Iterable[Request] | AsyncIterable[Request],
) -> AsyncIterator[Request]:
    if isinstance(requests, AsyncIterable):
        async for request in requests:
            yield request
    else:
        for request in requests:
            yield request


def _not_open() -> ClientError:
    return ClientError("the client is not open; use it with `async with Client(url)`")


_CLOSED = (
    "the client was closed before the outcome had come; keep it open as long as anybody waits, or "
    "read outcomes from a queue: client.outcomes(queue)"
)
_LOST = (
    "RabbitMQ went down and has lost the client's queue for outcomes; send the same request again "
    "to hear how it ended: its id keeps it from going twice"
)
_PROPERTIES = Properties(content_type="application/json", type=REQUEST_SCHEMA)
