"""Fakes for a producer's own tests: they check and record, and need no broker.

In `conftest.py`: `pytest_plugins = ["worker.client.testing"]`, which gives the fixtures `igsend` (a
`FakeClient`) and `igsend_sync` (a `FakeSyncClient`).
"""

import time
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, NamedTuple, Self

import orjson
import pytest

from worker.client.client import Client, Lane, Request, each_of
from worker.client.errors import NoOutcome, SendError
from worker.client.outcome import Outcome
from worker.client.outcomes import Outcomes
from worker.client.prepared import Prepared, prepared
from worker.client.receipt import Receipt, Waiting
from worker.client.sync import SyncClient, SyncOutcomes, SyncReceipt
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.reason import Reason

Document = dict[str, Any]


def _always(_: Document) -> bool:
    return True


class Recorded(NamedTuple):
    """A request that was sent: valid, as the worker would read it."""

    document: Document
    lane: Lane
    headers: Mapping[str, str]


class Recording:
    """What was sent, and how it ends: `sent`, unless said otherwise."""

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self._told: deque[Outcome] = deque()
        self._endings: list[tuple[Callable[[Document], bool], Reason]] = []
        self._silent: list[Callable[[Document], bool]] = []
        self._refusals: list[tuple[Callable[[Document], bool], SendError]] = []

    @property
    def requests(self) -> list[Document]:
        """The documents of all requests that were sent, in order."""
        return [each.document for each in self.recorded]

    def ends(self, reason: str, *, when: Callable[[Document], bool] = _always) -> None:
        """Have requests end with a reason of the README: `rejected`, `expired`, `unconfirmed` …"""
        self._endings.append((when, Reason(reason)))

    def keeps_silent(self, *, when: Callable[[Document], bool] = _always) -> None:
        """Have no outcome come: who waits for it gets NoOutcome."""
        self._silent.append(when)

    def refuses(self, error: SendError, *, when: Callable[[Document], bool] = _always) -> None:
        """Have `send` raise, for example NotTaken or Unconfirmed."""
        self._refusals.append((when, error))

    def take(
        self, request: Request, lane: Lane = "interactive", headers: Mapping[str, str] | None = None
    ) -> Receipt:
        """Record a request. Raises InvalidRequest, or what `refuses` was given."""
        ready = prepared(request)
        document: Document = orjson.loads(ready.body)
        for when, error in self._refusals:
            if when(document):
                raise error
        self.recorded.append(Recorded(document, lane, dict(headers or {})))
        waiting = Waiting()
        if any(when(document) for when in self._silent):
            waiting.give_up(NoOutcome(f"no outcome of {ready.id}: the test says so"))
        else:
            outcome = self._outcome(ready, document)
            self._told.append(outcome)
            waiting.take(outcome)
        return Receipt(ready.id, ready.account_id, waiting)

    def _outcome(self, ready: Prepared, document: Document) -> Outcome:
        reason = next((reason for when, reason in self._endings if when(document)), None)
        event = OutcomeEvent(
            id=ready.id,
            account_id=ready.account_id,
            status=_status(reason),
            finished_at=time.time(),
            attempts=1,
            message_ids=() if reason else _message_ids(document),
            recipient_id=document["recipient"].get("id"),
            reason=reason,
            detail=f"the test says {reason.value}" if reason else None,
            metadata=document.get("metadata"),
        )
        return Outcome.read(orjson.dumps(event.document()))


class FakeClient(Recording, Client):
    """A `Client` that needs no broker: `requests` is what was sent."""

    def __init__(self) -> None:
        Recording.__init__(self)
        Client.__init__(self, "amqp://nowhere")

    async def __aenter__(self) -> Self:
        return self

    async def close(self) -> None:
        """Nothing is open."""

    async def send(
        self,
        request: Request,
        *,
        lane: Lane = "interactive",
        timeout: float = 30.0,  # noqa: ASYNC109  # as the client has it
        headers: Mapping[str, str] | None = None,
    ) -> Receipt:
        return self.take(request, lane, headers)

    async def send_all(
        self,
        requests: Iterable[Request] | AsyncIterable[Request],
        *,
        lane: Lane = "interactive",
        timeout: float = 30.0,  # noqa: ASYNC109  # as the client has it
    ) -> AsyncGenerator[Receipt | SendError, None]:
        async for request in each_of(requests):
            try:
                yield self.take(request, lane)
            except SendError as error:
                yield error

    def outcomes(
        self, queue: str, *, keys: Sequence[str] = ("#",), prefetch: int = 100
    ) -> Outcomes:
        """Tell the outcomes of what was sent so far, then end."""
        return _Told(self._told)


class FakeSyncClient(Recording, SyncClient):
    """A `SyncClient` that needs no broker: `requests` is what was sent."""

    def __init__(self) -> None:
        Recording.__init__(self)
        SyncClient.__init__(self, "amqp://nowhere")

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        """Nothing is open."""

    @property
    def trouble(self) -> str | None:
        return None

    def send(
        self,
        request: Request,
        *,
        lane: Lane = "interactive",
        timeout: float = 30.0,
        headers: Mapping[str, str] | None = None,
    ) -> SyncReceipt:
        return _FakeSyncReceipt(self.take(request, lane, headers))

    def send_all(
        self, requests: Iterable[Request], *, lane: Lane = "interactive", timeout: float = 30.0
    ) -> Iterator[SyncReceipt | SendError]:
        for request in requests:
            try:
                yield _FakeSyncReceipt(self.take(request, lane))
            except SendError as error:
                yield error

    def outcomes(
        self, queue: str, *, keys: Sequence[str] = ("#",), prefetch: int = 100
    ) -> SyncOutcomes:
        """Tell the outcomes of what was sent so far, then end."""
        return _SyncTold(_Told(self._told))


class _FakeSyncReceipt(SyncReceipt):
    def __init__(self, receipt: Receipt) -> None:
        super().__init__(receipt, None)

    def outcome(self, timeout: float | None = None) -> Outcome:
        waiting = self._receipt.waiting
        assert waiting is not None, "the fake knows how it ends"
        if waiting.never is not None:
            raise waiting.never
        assert waiting.outcome is not None, "the fake knows how it ends"
        return waiting.outcome


class _Told(Outcomes):
    def __init__(self, told: deque[Outcome]) -> None:
        super().__init__("", "", keys=(), prefetch=0)
        self._told = told

    async def ready(self, timeout: float = 30.0) -> None:  # noqa: ASYNC109  # as the client has it
        """There is no queue to wait for."""

    async def __anext__(self) -> Outcome:
        return self.next_or_stop(StopAsyncIteration)

    def next_or_stop(self, end: type[Exception]) -> Outcome:
        """Give the next, or raise that there is none."""
        if not self._told:
            raise end
        return self._told.popleft()


class _SyncTold(SyncOutcomes):
    def __init__(self, told: _Told) -> None:
        super().__init__(told, None)
        self._left = told

    def __next__(self) -> Outcome:
        return self._left.next_or_stop(StopIteration)


def _status(reason: Reason | None) -> Status:
    if reason is None:
        return Status.SENT
    return Status.HELD if reason is Reason.UNCONFIRMED else Status.FAILED


def _message_ids(document: Document) -> tuple[str | None, ...]:
    if "sender_action" in document:
        return (None,)
    parts = document.get("messages", [document.get("message")])
    return tuple(f"mid.{document['id']}.{number}" for number in range(len(parts)))


@pytest.fixture
def igsend() -> FakeClient:
    """A client that records what it is to send."""
    return FakeClient()


@pytest.fixture
def igsend_sync() -> FakeSyncClient:
    """A client without an event loop that records what it is to send."""
    return FakeSyncClient()
