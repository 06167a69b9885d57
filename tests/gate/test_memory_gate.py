"""The memory gate: limits, turns, closures and the ledger as the pipeline sees them."""

import asyncio

import pytest

from tests.support.fakes import FakeClock
from tests.support.pipeline import ACCOUNT, a_body
from worker.contract.decode import decode
from worker.core.account import Account
from worker.core.admission import (
    Admission,
    Closed,
    Concluded,
    Doubtful,
    Go,
    NotYet,
    Reused,
    TooLate,
)
from worker.core.ending import event_of
from worker.core.kind import Bucket
from worker.core.outcome import Completed, Dead, HandedBack, Postponed, Retrying, Wait
from worker.core.progress import Progress, rfc3339
from worker.core.rate_limit import Limit
from worker.core.reason import Reason
from worker.core.request import SendRequest, request_from
from worker.core.secret import Secret
from worker.core.send_result import GraphError, Refused, Scope, Throttled
from worker.gate.memory.gate import MemoryGate

ERROR = GraphError("because")
OPEN = Account(ACCOUNT, Secret("IGAAone"))


def a_request(**fields: object) -> SendRequest:
    body = a_body(**fields)
    document = decode(body)
    assert isinstance(document, dict)
    return request_from(document, fingerprint=body)


class Gate:
    """The gate with a clock, and the calls that tests make over and over."""

    def __init__(self, *, most: int = 1000) -> None:
        self.clock = FakeClock()
        self.gate = MemoryGate(self.clock, margin=0.03, keep_s=3600.0, most=most)

    async def admit(
        self,
        request: SendRequest,
        account: Account | None = OPEN,
        *,
        progress: Progress | None = None,
        deadline: float | None = None,
    ) -> Admission:
        return await self.gate.admit(
            request, account, progress=progress or Progress(), deadline=deadline
        )

    async def finish(self, request: SendRequest) -> None:
        outcome = Completed(Progress(sent=("m",)), self.clock.now())
        event = event_of(outcome, request.identity, finished_at=self.clock.now())
        await self.gate.conclude(request, outcome, event)

    async def fail(self, request: SendRequest) -> None:
        outcome = Dead(Reason.REJECTED, "no", Progress())
        event = event_of(outcome, request.identity, finished_at=self.clock.now())
        await self.gate.conclude(request, outcome, event)

    async def park(self, request: SendRequest, until: float, why: Wait = Wait.RATE) -> None:
        await self.gate.conclude(request, Postponed(until, why, Progress()), None)


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def test_concluded_request_is_answered_with_its_event(gate: Gate) -> None:
    request = a_request()
    assert isinstance(await gate.admit(request), Go)
    await gate.finish(request)
    answer = await gate.admit(request)
    assert isinstance(answer, Concluded)
    assert answer.event.message_ids == ("m",)


async def test_id_with_another_body_is_reused(gate: Gate) -> None:
    await gate.admit(a_request())
    assert await gate.admit(a_request(metadata={"a": 1})) == Reused()


async def test_ids_of_different_accounts_do_not_meet(gate: Gate) -> None:
    await gate.admit(a_request())
    other = a_request(account_id="99", recipient={"id": "x"})
    assert isinstance(await gate.admit(other, Account("99", Secret("t"))), Go)


async def test_attempt_without_a_result_is_doubtful(gate: Gate) -> None:
    request = a_request()
    await gate.admit(request)
    assert isinstance(await gate.admit(request), Doubtful)


async def test_ids_are_forgotten_after_their_time(gate: Gate) -> None:
    request = a_request()
    await gate.admit(request)
    await gate.finish(request)
    gate.clock.time += 3601
    assert isinstance(await gate.admit(request), Go)


async def test_ledger_is_bounded() -> None:
    gate = Gate(most=10)
    for number in range(50):
        request = a_request(id=f"n{number}")
        await gate.admit(request)
        await gate.finish(request)
        gate.clock.time += 1
    assert gate.gate.status()["remembered"] == 10
    assert gate.gate.status()["conversations"] == 0


async def test_failed_request_put_back_from_the_dead_letters_may_go(gate: Gate) -> None:
    request = a_request()
    await gate.admit(request)
    await gate.fail(request)
    assert isinstance(await gate.admit(request), Concluded)
    back = Progress(is_republished=True, returned_from="rejected")
    assert isinstance(await gate.admit(request, progress=back), Go)


async def test_sent_request_put_back_from_the_dead_letters_stays_sent(gate: Gate) -> None:
    request = a_request()
    await gate.admit(request)
    await gate.finish(request)
    back = Progress(is_republished=True, returned_from="suspect")
    assert isinstance(await gate.admit(request, progress=back), Concluded)


async def test_account_limit_holds_and_the_rest_gets_a_schedule(gate: Gate) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(10, 1.0)})
    answers = [
        await gate.admit(a_request(id=f"n{n}", recipient={"id": f"p{n}"}), account)
        for n in range(60)
    ]
    slots = [answer.slot for answer in answers if isinstance(answer, Go)]
    parked = [answer.until for answer in answers if isinstance(answer, NotYet)]
    assert len(slots) + len(parked) == 60
    assert slots == sorted(slots)
    assert slots[-1] <= gate.clock.now() + 2.0
    assert parked == sorted(parked)
    assert parked[0] > slots[-1]
    for start in slots:
        assert sum(start <= slot < start + 1.0 for slot in slots) <= 10


async def test_newcomer_goes_behind_those_parked_for_the_rate(gate: Gate) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(1, 1.0)})
    answers = [
        await gate.admit(a_request(id=f"n{n}", recipient={"id": f"p{n}"}), account)
        for n in range(10)
    ]
    last = answers[-1]
    assert isinstance(last, NotYet)
    gate.clock.time += 1.5
    newcomer = await gate.admit(a_request(id="new", recipient={"id": "new"}), account)
    assert isinstance(newcomer, NotYet)
    assert newcomer.until > last.until
    returning = a_request(id="n3", recipient={"id": "p3"})
    answer = await gate.admit(returning, account, progress=Progress(is_republished=True))
    assert isinstance(answer, Go)


async def test_what_cannot_make_its_deadline_is_too_late_at_once(gate: Gate) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(1, 60.0)})
    await gate.admit(a_request(), account)
    late = a_request(id="late", recipient={"id": "other"})
    assert await gate.admit(late, account, deadline=gate.clock.now() + 30) == TooLate()


async def test_request_for_later_waits_and_takes_no_turn(gate: Gate) -> None:
    start = gate.clock.now() + 100
    later = a_request(id="later", not_before=rfc3339(start))
    assert await gate.admit(later) == NotYet(start, Wait.NOT_BEFORE)
    await gate.park(later, start, Wait.NOT_BEFORE)
    assert isinstance(await gate.admit(a_request()), Go)


async def test_start_after_the_deadline_is_too_late(gate: Gate) -> None:
    later = a_request(not_before=rfc3339(gate.clock.now() + 100))
    assert await gate.admit(later, deadline=gate.clock.now() + 50) == TooLate()


@pytest.mark.parametrize("scope", [Scope.ACCOUNT, Scope.APP])
async def test_throttle_closes_until_its_end_and_one_request_probes(
    gate: Gate, scope: Scope
) -> None:
    first = a_request()
    await gate.admit(first)
    until = await gate.gate.close(first, OPEN, Throttled(scope, ERROR, retry_after_s=60.0))
    assert until == gate.clock.now() + 60
    await gate.park(first, until, Wait.COOLDOWN)
    others = [a_request(id=f"o{n}", recipient={"id": f"p{n}"}) for n in range(3)]
    assert await gate.admit(others[0]) == NotYet(until, Wait.COOLDOWN)
    gate.clock.time = until
    assert isinstance(await gate.admit(others[0]), Go)
    waiting = await gate.admit(others[1])
    assert isinstance(waiting, NotYet)
    assert waiting.until <= until + 2
    await gate.finish(others[0])
    assert isinstance(await gate.admit(others[2]), Go)


async def test_throttles_without_an_estimate_grow(gate: Gate) -> None:
    request = a_request()
    await gate.admit(request)
    waits = []
    for _ in range(10):
        until = await gate.gate.close(request, OPEN, Throttled(Scope.ACCOUNT, ERROR))
        waits.append(until - gate.clock.now())
        gate.clock.time = until
    assert waits[:3] == pytest.approx([5, 10, 20])
    assert max(waits) == pytest.approx(300)


async def test_throttled_conversation_leaves_the_account_open(gate: Gate) -> None:
    request = a_request()
    await gate.admit(request)
    until = await gate.gate.close(request, OPEN, Throttled(Scope.CONVERSATION, ERROR))
    await gate.park(request, until, Wait.COOLDOWN)
    assert isinstance(await gate.admit(a_request(id="o", recipient={"id": "other"})), Go)


async def test_refused_account_opens_with_a_new_token_or_after_a_probe(gate: Gate) -> None:
    request = a_request()
    await gate.admit(request)
    until = await gate.gate.close(request, OPEN, Refused(Scope.ACCOUNT, ERROR))
    await gate.fail(request)
    assert await gate.admit(a_request(id="2")) == Closed(ERROR)
    assert gate.gate.status()["closed"] == {ACCOUNT: {"until": until, "why": "because"}}
    gate.clock.time = until + 1
    probe = a_request(id="3", recipient={"id": "other"})
    assert isinstance(await gate.admit(probe), Go)
    assert isinstance(await gate.admit(a_request(id="4", recipient={"id": "third"})), NotYet)
    await gate.gate.close(probe, OPEN, Refused(Scope.ACCOUNT, ERROR))
    renewed = Account(ACCOUNT, Secret("IGAAtwo"))
    assert isinstance(await gate.admit(a_request(id="5", recipient={"id": "5"}), renewed), Go)


async def test_turn_passes_to_the_next_in_order(gate: Gate) -> None:
    first, second = a_request(id="1"), a_request(id="2")
    await gate.admit(first)
    waiting = asyncio.create_task(gate.admit(second))
    await asyncio.sleep(0)
    assert not waiting.done()
    await gate.finish(first)
    assert isinstance(await waiting, Go)


async def test_turn_given_back_untouched_passes_on(gate: Gate) -> None:
    first, second = a_request(id="1"), a_request(id="2")
    await gate.admit(first)
    await gate.gate.conclude(first, HandedBack(Progress()), None)
    assert isinstance(await gate.admit(second), Go)


async def test_place_of_a_parked_request_that_never_returns_is_lost(gate: Gate) -> None:
    first, second = a_request(id="1"), a_request(id="2")
    await gate.admit(first)
    await gate.park(first, gate.clock.now() + 10)
    gate.clock.time += 200
    assert isinstance(await gate.admit(second), Go)


async def test_parts_of_a_begun_request_go_before_the_backlog(gate: Gate) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(1, 1.0)})
    request = a_request(message=None, messages=[{"text": "1"}, {"text": "2"}])
    await gate.admit(request, account)
    for n in range(10):
        await gate.admit(a_request(id=f"n{n}", recipient={"id": f"p{n}"}), account)
    gate.clock.time += 3
    answer = await gate.gate.advance(request, account, progress=Progress(sent=("a",)))
    assert isinstance(answer, Go)
    assert answer.progress == Progress(sent=("a",))


async def test_request_far_behind_in_its_conversation_looks_less_often(gate: Gate) -> None:
    requests = [a_request(id=f"n{n}") for n in range(40)]
    answers = await asyncio.gather(*(gate.admit(request) for request in requests))
    waits = [answer.until - gate.clock.now() for answer in answers if isinstance(answer, NotYet)]
    assert len(waits) == 39
    assert waits == sorted(waits)
    assert waits[0] == 1.0
    assert waits[-1] == pytest.approx(9.75)


async def test_tried_request_that_never_comes_back_is_forgotten_in_time(gate: Gate) -> None:
    request = a_request()
    await gate.admit(request)
    retrying = Retrying(gate.clock.now() + 5, ERROR, Progress(attempts=1))
    await gate.gate.conclude(request, retrying, None)
    assert gate.gate.status()["remembered"] == 1
    gate.clock.time += 3601
    await gate.admit(a_request(id="another", recipient={"id": "x"}))
    assert gate.gate.status()["remembered"] == 1
