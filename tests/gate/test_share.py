"""What bulk may take of an account's limits: one suite over memory and Redis."""

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import pytest

from tests.gate.world import World, a_request
from tests.support.pipeline import ACCOUNT
from worker.core.account import Account
from worker.core.admission import Admission, Go, NotYet
from worker.core.ask import Ask
from worker.core.delivery import Lane
from worker.core.kind import Bucket
from worker.core.outcome import Retrying
from worker.core.progress import Progress
from worker.core.rate_limit import Limit
from worker.core.request import SendRequest
from worker.core.secret import Secret
from worker.core.send_result import GraphError

pytestmark = pytest.mark.asyncio(loop_scope="session")

HALF = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(10, 1.0)}, bulk_share=0.5)
WHOLE = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(10, 1.0)})


def requests(prefix: str, count: int) -> list[SendRequest]:
    return [a_request(id=f"{prefix}{n}", recipient={"id": f"{prefix}{n}"}) for n in range(count)]


async def admit_bulk(
    gate: World, count: int, account: Account = HALF, prefix: str = "b"
) -> Sequence[Admission]:
    return await asyncio.gather(
        *(gate.admit(each, account, lane=Lane.BULK) for each in requests(prefix, count))
    )


def slots_of(answers: Sequence[Admission]) -> list[float]:
    return sorted(answer.slot for answer in answers if isinstance(answer, Go))


def parked_of(answers: Sequence[Admission]) -> list[float]:
    return sorted(answer.until for answer in answers if isinstance(answer, NotYet))


async def run_through(gate: World, account: Account, count: int, until_s: float) -> list[float]:
    """Park what has to be parked, bring it back when it is due, and give the slots."""
    start, slots = gate.clock.now(), list[float]()
    due: dict[int, float] = dict.fromkeys(range(count), start)
    waiting = requests("b", count)
    while due and min(due.values()) <= start + until_s:
        number = min(due, key=lambda each: due[each])
        gate.clock.time = max(gate.clock.time, due[number])
        progress = Progress(is_republished=due[number] > start)
        answer = await gate.admit(waiting[number], account, progress=progress, lane=Lane.BULK)
        if isinstance(answer, NotYet):
            await gate.park(waiting[number], answer.until)
            due[number] = answer.until
            continue
        assert isinstance(answer, Go)
        slots.append(answer.slot)
        await gate.finish(waiting[number])
        del due[number]
    return slots


async def test_bulk_takes_its_share_and_no_more_in_any_second(gate: World) -> None:
    slots = await run_through(gate, HALF, 40, 5.0)
    assert max(sum(start <= slot <= start + 1.0 for slot in slots) for start in slots) <= 5
    assert len(slots) >= 20, "it gets its share"


async def test_interactive_requests_get_what_bulk_leaves_at_once(gate: World) -> None:
    await admit_bulk(gate, 40)
    now = gate.clock.now()
    replies = [await gate.admit(each, HALF) for each in requests("i", 2)]
    assert all(isinstance(answer, Go) for answer in replies)
    assert slots_of(replies)[-1] <= now + 0.3


async def test_interactive_requests_may_take_the_whole_limit(gate: World) -> None:
    halved = [await gate.admit(each, HALF) for each in requests("i", 3)]
    await gate_forgets(gate)
    whole = [await gate.admit(each, WHOLE) for each in requests("j", 3)]
    spans = [slots_of(each)[-1] - slots_of(each)[0] for each in (halved, whole)]
    assert spans[0] == pytest.approx(spans[1], abs=0.001)


async def gate_forgets(gate: World) -> None:
    """Go on to when every bucket is full again."""
    gate.clock.time += 60.0


async def test_interactive_calls_do_not_use_up_the_share_of_bulk(gate: World) -> None:
    assert all([isinstance(await gate.admit(each, HALF), Go) for each in requests("i", 2)])
    gate.clock.time += 0.3
    (answer,) = await admit_bulk(gate, 1)
    assert isinstance(answer, Go)
    assert answer.slot <= gate.clock.now() + 0.01


async def test_parked_bulk_is_due_when_its_share_allows(gate: World) -> None:
    start = gate.clock.now()
    parked = parked_of(await admit_bulk(gate, 40))
    assert len(parked) >= 35
    per_call = (parked[-1] - parked[0]) / (len(parked) - 1)
    assert per_call == pytest.approx(1 / (10 * 0.97 * 0.5), rel=0.01)
    assert parked[0] > start


async def test_a_share_not_used_is_given_back(gate: World) -> None:
    first, second = requests("b", 2)
    answer = await gate.admit(first, HALF, lane=Lane.BULK)
    assert isinstance(answer, Go)
    retrying = Retrying(gate.clock.now() + 5, GraphError("because"), Progress(attempts=1))
    await gate.gate.conclude(first, retrying, None, is_slot_unused=True)
    again = await gate.admit(second, HALF, lane=Lane.BULK)
    assert isinstance(again, Go)
    assert again.slot == pytest.approx(answer.slot, abs=0.01)


async def test_parts_that_follow_take_of_the_share_too(gate: World) -> None:
    request = a_request(messages=[{"text": str(n)} for n in range(3)])
    first = await gate.admit(request, HALF, lane=Lane.BULK)
    assert isinstance(first, Go)
    slots = [first.slot]
    for sent in (("m0",), ("m0", "m1")):
        answer = await gate.gate.advance(Ask(request, HALF, Progress(sent=sent), Lane.BULK))
        assert isinstance(answer, Go)
        slots.append(answer.slot)
    for earlier, later in pairwise(slots):
        assert later - earlier >= 0.2


async def test_an_account_without_a_share_gives_bulk_everything(gate: World) -> None:
    slots = await run_through(gate, WHOLE, 40, 3.0)
    assert len(slots) >= 27
