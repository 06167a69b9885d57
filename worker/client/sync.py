"""The client for code without an event loop: Django, Flask, scripts. Any thread may use it."""

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import islice
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from worker.client.client import WINDOW, Client, Lane, Request
from worker.client.errors import SendError
from worker.client.outcome import Outcome
from worker.client.outcomes import Outcomes
from worker.client.receipt import Receipt

_T = TypeVar("_T")


class _Running(NamedTuple):
    """The client in its thread."""

    client: Client
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event
    thread: threading.Thread
    process: int

    @property
    def is_usable(self) -> bool:
        return self.process == os.getpid() and self.thread.is_alive()


class SyncClient:
    """`Client`, in a thread of its own. Connects at the first use, and anew after a fork.

        igsend = SyncClient("amqp://…")
        receipt = igsend.send(request(account_id, person_id, text("Hello")))
        outcome = receipt.outcome(timeout=30)

    Keep one per process. `with` closes it at the end of the block.
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
        self._options: dict[str, Any] = {
            "prefix": prefix,
            "listens": listens,
            "connect_timeout": connect_timeout,
        }
        self._lock = threading.Lock()
        self._running: _Running | None = None

    def __enter__(self) -> Self:
        """Connect. Raises CannotConnect."""
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and end the thread; a later use connects anew."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None and running.process == os.getpid():
            running.loop.call_soon_threadsafe(running.stop.set)
            running.thread.join()

    @property
    def trouble(self) -> str | None:
        """Why RabbitMQ cannot be used now; see `Client.trouble`."""
        return self._open().client.trouble

    def send(
        self,
        request: Request,
        *,
        lane: Lane = "interactive",
        timeout: float = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> "SyncReceipt":
        """Check, publish, and return when RabbitMQ has it safely; see `Client.send`."""
        running = self._open()
        sending = running.client.send(request, lane=lane, timeout=timeout, headers=headers)
        return SyncReceipt(_wait(running, sending), running)

    def send_all(
        self, requests: Iterable[Request], *, lane: Lane = "interactive", timeout: float = 30.0
    ) -> "Iterator[SyncReceipt | SendError]":
        """Send many; give for each, in order, its receipt or why there is none.

        `requests` is read in the calling thread, 500 at a time.
        """
        left = iter(requests)
        while chunk := list(islice(left, WINDOW)):
            running = self._open()
            for result in _wait(running, _sent(running.client, chunk, lane, timeout)):
                yield result if isinstance(result, SendError) else SyncReceipt(result, running)

    def outcomes(
        self, queue: str, *, keys: Sequence[str] = ("#",), prefetch: int = 100
    ) -> "SyncOutcomes":
        """Hear of all outcomes, by a durable queue of your service's own; see `Client.outcomes`.

        Returns when the queue is there and bound. Raises ClientError.
        """
        running = self._open()

        async def opened() -> Outcomes:
            outcomes = running.client.outcomes(queue, keys=keys, prefetch=prefetch)
            return await outcomes.__aenter__()

        return SyncOutcomes(_wait(running, opened()), running)

    def _open(self) -> _Running:
        running = self._running
        if running is not None and running.is_usable:
            return running
        if running is not None and running.process != os.getpid():
            # A fork copies neither the thread nor, for sure, an open lock.
            self._lock = threading.Lock()
        with self._lock:
            if self._running is None or not self._running.is_usable:
                self._running = self._start()
            return self._running

    def _start(self) -> _Running:
        started: Future[_Running] = Future()

        async def serve() -> None:
            try:
                async with Client(self._url, **self._options) as client:
                    loop, stop = asyncio.get_running_loop(), asyncio.Event()
                    started.set_result(_Running(client, loop, stop, thread, os.getpid()))
                    await stop.wait()
            except BaseException as error:
                if started.done():
                    raise
                started.set_exception(error)

        thread = threading.Thread(target=lambda: asyncio.run(serve()), name="igsend", daemon=True)
        thread.start()
        return started.result()


class SyncReceipt:
    """RabbitMQ has the request safely; see `Receipt`."""

    def __init__(self, receipt: Receipt, running: _Running | None) -> None:
        self._receipt = receipt
        self._running = running

    @property
    def id(self) -> str:
        return self._receipt.id

    @property
    def account_id(self) -> str:
        return self._receipt.account_id

    def outcome(self, timeout: float | None = None) -> Outcome:
        """Wait for how it ended. Raises NoOutcome after `timeout` seconds."""
        assert self._running is not None, "the client that gave it runs"
        return _wait(self._running, self._receipt.outcome(timeout))


class SyncOutcomes:
    """An iterator over the events of a durable queue, at least once each; see `Outcomes`.

    `with` closes it with the block; what the block was busy with when it failed comes again.
    """

    def __init__(self, outcomes: Outcomes, running: _Running | None) -> None:
        self._outcomes = outcomes
        self._running = running

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Outcome:
        """Ack the last event, and wait for the next. Raises ClientError without permission."""
        assert self._running is not None, "the client that gave it runs"
        if (outcome := _wait(self._running, _next_of(self._outcomes))) is None:
            raise StopIteration
        return outcome

    def close(self) -> None:
        """Take no more; the event in hand is not acked and comes again."""
        if self._running is not None and self._running.is_usable:
            self._running.loop.call_soon_threadsafe(self._outcomes.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._running is not None and self._running.is_usable:
            _wait(self._running, self._outcomes.__aexit__(kind, error, None))


async def _next_of(outcomes: Outcomes) -> Outcome | None:
    return await anext(outcomes, None)


async def _sent(
    client: Client, requests: list[Request], lane: Lane, timeout_s: float
) -> list[Receipt | SendError]:
    return [result async for result in client.send_all(requests, lane=lane, timeout=timeout_s)]


def _wait(running: _Running, call: Coroutine[Any, Any, _T]) -> _T:
    waiting = asyncio.run_coroutine_threadsafe(call, running.loop)
    try:
        return waiting.result()
    except BaseException:  # Ctrl-C too: nobody is left who would take the result
        waiting.cancel()
        raise
