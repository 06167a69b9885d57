"""One supervised connection to the broker: it comes back by itself and says how it is."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

import aiormq.connection
from aio_pika.abc import AbstractConnection as AbstractAioConnection
from aiormq.abc import AbstractConnection
from aiormq.exceptions import AMQPError, ChannelInvalidStateError, InvalidFrameError
from pamqp.exceptions import PAMQPException
from yarl import URL

from worker.rabbit.wire.connection import Wire, connect

# A dead peer is noticed after three missed beats, so within about 50 s.
HEARTBEAT_S = 15
CONNECT_TIMEOUT_S = 15.0
CLOSE_TIMEOUT_S = 5.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
# How often the link asks whether the broker has blocked it (memory or disk alarm).
BLOCKED_POLL_S = 0.25

CONNECTION_ERRORS = (
    AMQPError,
    ChannelInvalidStateError,
    ConnectionError,
    EOFError,
    OSError,
    PAMQPException,
    # What the client library raises for a connection or channel that closed a moment ago.
    RuntimeError,
    TimeoutError,
)

# aiormq drops the broker's own words when a connection is refused in its last step.
NO_VHOST = (
    "the broker closed the connection: there is no such vhost, this user may not use it, or it "
    "has reached a limit of connections"
)


class LinkObserver(Protocol):
    """Told of every change, for logs, metrics and readiness."""

    def link_changed(
        self, role: str, *, state: Literal["up", "down", "blocked"], detail: str
    ) -> None: ...


class Link:
    """Connects, hands the connection to its user, and starts again when that one is done."""

    def __init__(self, url: str, *, role: str, name: str, observer: LinkObserver) -> None:
        self._url = _with_heartbeat(url)
        self._role = role
        self._name = name
        self._observer = observer
        self.trouble: str | None = f"the {role} connection to RabbitMQ is not open yet"

    async def run(self, use: Callable[[Wire], Awaitable[None]]) -> None:
        """Serve for ever. `use` returns, or raises a connection error, when it must reconnect.

        Pauses between tries grow and are jittered, so that replicas do not come in step. Any
        other exception of `use` passes through.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._once(use)
                detail = "closed"
            except CONNECTION_ERRORS as error:
                detail = describe(error)
            except asyncio.CancelledError:
                if is_own_cancellation():
                    raise
                detail = "closed while in use"
            # Before Python 3.13 a task group that ends with an error swallows a cancellation that
            # comes meanwhile; the worker would go on connecting and never stop.
            heed_cancellation()
            self._down(detail)
            if asyncio.get_running_loop().time() - started > LONGEST_PAUSE_S:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s * (0.5 + random.random()))
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _once(self, use: Callable[[Wire], Awaitable[None]]) -> None:
        connection, wire = await connect(
            self._url,
            client_properties={"connection_name": f"{self._name}/{self._role}"},
            timeout_s=CONNECT_TIMEOUT_S,
        )
        try:
            self.trouble = None
            self._observer.link_changed(self._role, state="up", detail="")
            async with asyncio.TaskGroup() as tasks:
                watch = tasks.create_task(self._watch_blocked(wire.connection))
                try:
                    await use(wire)
                finally:
                    watch.cancel()
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        finally:
            await _close(connection, wire)

    async def _watch_blocked(self, connection: AbstractConnection) -> None:
        while not connection.is_closed:
            try:
                async with asyncio.timeout(BLOCKED_POLL_S):
                    await connection.ready()
            except TimeoutError:
                if self.trouble is None:
                    self.trouble = (
                        f"RabbitMQ has blocked the {self._role} connection: it is short of memory "
                        "or disk; see `rabbitmq-diagnostics alarms` there"
                    )
                    self._observer.link_changed(self._role, state="blocked", detail="alarm")
                continue
            if self.trouble is not None:
                self.trouble = None
                self._observer.link_changed(self._role, state="up", detail="unblocked")
            await asyncio.sleep(BLOCKED_POLL_S)

    def _down(self, detail: str) -> None:
        self.trouble = f"the {self._role} connection to RabbitMQ is down: {detail}"
        self._observer.link_changed(self._role, state="down", detail=detail)


def describe(error: BaseException) -> str:
    """One line about a connection error, without credentials."""
    if isinstance(error, InvalidFrameError) and "Connection.Close" in str(error.args):
        return NO_VHOST
    text = " ".join(str(part) for part in error.args if part is not None) or "no details"
    return f"{type(error).__name__}: {text}"


async def _close(connection: AbstractAioConnection, wire: Wire) -> None:
    """Say goodbye, but do not wait for ever for a broker that says nothing any more."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await connection.close()
    except TimeoutError:
        wire.writer.abort()


async def closed(*closing: asyncio.Future[object]) -> None:
    """Wait until one of the futures is done, and take its exception as read."""
    done, pending = await asyncio.wait(closing, return_when=asyncio.FIRST_COMPLETED)
    for future in pending:
        future.cancel()
    for future in done:
        if not future.cancelled():
            future.exception()


def is_own_cancellation() -> bool:
    """Tell a cancellation of this task from one that aiormq hands to those who wait for it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def heed_cancellation() -> None:
    """Raise the cancellation of this task again if it was swallowed on the way.

    Before Python 3.12 a call with a timeout, and so every question to the broker, does that when
    its answer comes in the same moment; aiormq may make another error of it.
    """
    if is_own_cancellation():
        raise asyncio.CancelledError


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _with_heartbeat(url: str) -> str:
    parsed = URL(url)
    if "heartbeat" in parsed.query:
        return url
    return str(parsed.update_query(heartbeat=HEARTBEAT_S))


# A put into the full write queue of a closed connection never returns.
aiormq.connection.Connection.FRAME_BUFFER_SIZE = 0
