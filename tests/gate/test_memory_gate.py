"""What only the memory gate does: it is bounded, and a process that dies forgets everything."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.gate.world import ERROR, KEEP_S, World, a_request, memory_world
from tests.support.fakes import FakeClock
from worker.core.admission import Doubtful, Go
from worker.core.outcome import Retrying
from worker.core.progress import Progress
from worker.gate.memory.gate import MemoryGate


@pytest_asyncio.fixture
async def gate() -> AsyncIterator[World]:
    async with memory_world() as world:
        yield world


def status(gate: World) -> dict[str, object]:
    assert isinstance(gate.gate, MemoryGate)
    return gate.gate.status()


async def test_attempt_without_a_result_is_doubtful(gate: World) -> None:
    request = a_request()
    await gate.admit(request)
    assert isinstance(await gate.admit(request), Doubtful)


async def test_ids_are_forgotten_after_their_time(gate: World) -> None:
    request = a_request()
    await gate.admit(request)
    await gate.finish(request)
    gate.clock.time += 3601
    assert isinstance(await gate.admit(request), Go)


async def test_ledger_is_bounded() -> None:
    clock = FakeClock()
    gate = World(MemoryGate(clock, margin=0.03, keep_s=KEEP_S, most=10), clock)
    for number in range(50):
        request = a_request(id=f"n{number}")
        await gate.admit(request)
        await gate.finish(request)
        gate.clock.time += 1
    assert status(gate)["remembered"] == 10
    assert status(gate)["conversations"] == 0


async def test_tried_request_that_never_comes_back_is_forgotten_in_time(gate: World) -> None:
    request = a_request()
    await gate.admit(request)
    retrying = Retrying(gate.clock.now() + 5, ERROR, Progress(attempts=1))
    await gate.gate.conclude(request, retrying, None)
    assert status(gate)["remembered"] == 1
    gate.clock.time += 3601
    await gate.admit(a_request(id="another", recipient={"id": "x"}))
    assert status(gate)["remembered"] == 1
