"""What must hold for any bytes: of a body, of a content header, of what comes out of a socket."""

import asyncio

import orjson

from worker.contract.validator import RequestValidator
from worker.core.delivery import Delivery, Lane, Properties
from worker.core.problem import Problem
from worker.core.progress import progress_from
from worker.core.request import SendRequest
from worker.pipeline.read import Reader, Unreadable
from worker.rabbit.wire.connection import FrameSplitter
from worker.rabbit.wire.properties import header_of, read_properties

_NOW = 1_790_000_000.0


class _Standing:
    """A clock that stands: what is read must not depend on when."""

    def now(self) -> float:
        return _NOW

    def jitter(self) -> float:
        return 0.5

    async def sleep_until(self, moment: float) -> None:
        raise AssertionError("reading waits for nothing")


_READER = Reader(RequestValidator(), _Standing())


def body(data: bytes) -> None:
    """A body is a request that JSON readers understand alike, or it is refused with a reason."""
    delivery = Delivery(data, "q", Lane.BULK, False, Properties(), progress_from({}))
    reading = _READER(delivery)
    if isinstance(reading, Unreadable):
        assert reading.dead.detail, "a refusal says why"
        assert reading.dead.problems, "a refusal says where"
        return
    request, _ = reading
    assert isinstance(request, SendRequest)
    document = orjson.loads(data)
    assert request.identity.id == document["id"]
    again = _READER(
        Delivery(orjson.dumps(document), "q", Lane.BULK, False, Properties(), progress_from({}))
    )
    assert not isinstance(again, Unreadable), "what is valid stays so when it is written anew"
    assert again[0].fingerprint == request.fingerprint, "and is the same request"


def content_header(data: bytes) -> None:
    """Properties are read, or there are none; what was read can be written and read again."""
    properties = read_properties(data)
    progress = progress_from(properties.headers)
    assert isinstance(progress, Problem) or progress.attempts >= 0
    wire = getattr(properties.headers, "wire", {})
    written = header_of(properties, wire).encode(message_id="m", size=0)
    again = read_properties(written)
    assert getattr(again.headers, "wire", {}) == wire, "headers go out as they came"
    assert again.correlation_id == properties.correlation_id
    assert again.timestamp == properties.timestamp


def frames(data: bytes) -> None:
    """However the bytes of a socket are cut, every frame is taken once, whole and in order."""
    cut = data[0] + 1 if data else 1
    taken = [_taken_in(data[1:], step) for step in (cut, len(data) + 1)]
    assert taken[0] == taken[1], "the same frames, however they came"


def _taken_in(data: bytes, step: int) -> list[tuple[int, bytes]]:
    loop = _loop()
    splitter = FrameSplitter(loop)
    took: list[tuple[int, bytes]] = []

    def take(kind: int, payload: bytes) -> bool:
        took.append((kind, payload))
        return True

    splitter.attach(1, take)
    for at in range(0, len(data), step):
        splitter.feed_data(data[at : at + step])
    return took


def _loop() -> asyncio.AbstractEventLoop:
    if not _LOOPS:
        _LOOPS.append(asyncio.new_event_loop())
    return _LOOPS[0]


_LOOPS: list[asyncio.AbstractEventLoop] = []
