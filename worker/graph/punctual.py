"""A call whose slot has passed gets no connection, and sends no byte over the one it has."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from worker.ports import Departure

_departure: ContextVar[Departure | None] = ContextVar("departure", default=None)


class SlotMissedError(Exception):
    """The connection came too late; no byte of the call has left."""


@contextmanager
def leaving(departure: Departure | None) -> Iterator[None]:
    """Let the call inside leave in time or not at all; None lets it leave at any time."""
    token = _departure.set(departure)
    try:
        yield
    finally:
        _departure.reset(token)


def has_passed(*, by_s: float = 0.0) -> bool:
    """Whether the slot of the call that runs here has passed, by more than `by_s` seconds."""
    departure = _departure.get()
    return departure is not None and time.time() > departure.latest + by_s


def has_left() -> None:
    """Tell whoever waits for it that the first byte goes."""
    departure = _departure.get()
    if departure is not None:
        departure.left()


class PunctualConnector(aiohttp.TCPConnector):
    """Opening a connection can take longer than a slot lasts.

    Sent late, the call would be in one window with those after it. So it gives the connection,
    which is open now, back to the pool, and asks for another slot.
    """

    async def connect(
        self,
        req: ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # the library's signature
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        if has_passed():
            connection.release()
            raise SlotMissedError
        return connection
