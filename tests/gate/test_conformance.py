"""What every gate does, whatever it keeps its state in: one suite over memory and Redis."""

import asyncio
from itertools import pairwise

import pytest

from tests.gate.world import ERROR, OPEN, World, a_request
from tests.support.pipeline import ACCOUNT
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
from worker.core.closure import ASK_AGAIN_S
from worker.core.delivery import Lane
from worker.core.kind import Bucket
from worker.core.outcome import HandedBack, Retrying, Wait
from worker.core.progress import Progress, rfc3339
from worker.core.rate_limit import Limit
from worker.core.request import SendRequest
from worker.core.secret import Secret
from worker.core.send_result import Refused, Scope, Throttled

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def closed_until(gate: World, request: SendRequest, result: Throttled) -> float:
    answer = await gate.close(request, result)
    assert isinstance(answer, NotYet)
    return answer.until


async def test_concluded_request_is_answered_with_its_event(gate: World) -> None:
    request = a_request()
    assert isinstance(await gate.admit(request), Go)
    await gate.finish(request)
    answer = await gate.admit(request)
    assert isinstance(answer, Concluded)
    assert answer.event.message_ids == ("m",)


async def test_id_with_another_body_is_reused(gate: World) -> None:
    await gate.admit(a_request())
    assert await gate.admit(a_request(metadata={"a": 1})) == Reused()


async def test_ids_of_different_accounts_do_not_meet(gate: World) -> None:
    await gate.admit(a_request())
    other = a_request(account_id="99", recipient={"id": "x"})
    assert isinstance(await gate.admit(other, Account("99", Secret("t"))), Go)


async def test_failed_request_put_back_from_the_dead_letters_may_go(gate: World) -> None:
    request = a_request()
    await gate.admit(request)
    await gate.fail(request)
    assert isinstance(await gate.admit(request), Concluded)
    back = Progress(is_republished=True, returned_from="rejected")
    assert isinstance(await gate.admit(request, progress=back), Go)


async def test_sent_request_put_back_from_the_dead_letters_stays_sent(gate: World) -> None:
    request = a_request()
    await gate.admit(request)
    await gate.finish(request)
    back = Progress(is_republished=True, returned_from="suspect")
    assert isinstance(await gate.admit(request, progress=back), Concluded)


async def test_account_limit_holds_and_the_rest_gets_a_schedule(gate: World) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(10, 1.0)})
    answers = await asyncio.gather(
        *(gate.admit(a_request(id=f"n{n}", recipient={"id": f"p{n}"}), account) for n in range(60))
    )
    slots = [answer.slot for answer in answers if isinstance(answer, Go)]
    parked = [answer.until for answer in answers if isinstance(answer, NotYet)]
    assert len(slots) + len(parked) == 60
    assert slots == sorted(slots)
    assert slots[-1] <= gate.clock.now() + 2.0
    assert len(set(parked)) == len(parked)
    assert min(parked) > slots[-1]
    for start in slots:
        assert sum(start <= slot < start + 1.0 for slot in slots) <= 10


async def test_newcomer_goes_behind_those_parked_for_the_rate(gate: World) -> None:
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


async def test_what_cannot_make_its_deadline_is_too_late_at_once(gate: World) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(1, 60.0)})
    await gate.admit(a_request(), account)
    late = a_request(id="late", recipient={"id": "other"})
    assert await gate.admit(late, account, deadline=gate.clock.now() + 30) == TooLate()


async def test_request_for_later_waits_and_takes_no_turn(gate: World) -> None:
    start = gate.clock.now() + 100
    later = a_request(id="later", not_before=rfc3339(start))
    assert await gate.admit(later) == NotYet(start, Wait.NOT_BEFORE)
    await gate.park(later, start, Wait.NOT_BEFORE)
    assert isinstance(await gate.admit(a_request()), Go)


async def test_start_after_the_deadline_is_too_late(gate: World) -> None:
    later = a_request(not_before=rfc3339(gate.clock.now() + 100))
    assert await gate.admit(later, deadline=gate.clock.now() + 50) == TooLate()


@pytest.mark.parametrize("scope", [Scope.ACCOUNT, Scope.APP])
async def test_throttle_closes_until_its_end_and_one_request_probes(
    gate: World, scope: Scope
) -> None:
    first = a_request()
    await gate.admit(first)
    opens_at = gate.clock.now() + 60
    due = await closed_until(gate, first, Throttled(scope, ERROR, retry_after_s=60.0))
    assert opens_at <= due <= opens_at + 0.1
    await gate.park(first, due, Wait.COOLDOWN)
    others = [a_request(id=f"o{n}", recipient={"id": f"p{n}"}) for n in range(4)]
    waits = [await gate.admit(other) for other in others[:3]]
    dues = [wait.until for wait in waits if isinstance(wait, NotYet)]
    assert len(dues) == 3
    assert due < dues[0] < dues[1] < dues[2] < opens_at + 0.2, "in turn, not all at once"
    gate.clock.time = opens_at
    back = Progress(is_republished=True)
    assert isinstance(await gate.admit(others[0], progress=back), Go), "one asks"
    waiting = await gate.admit(others[1], progress=back)
    assert isinstance(waiting, NotYet)
    assert waiting.until <= gate.clock.now() + 4
    await gate.finish(others[0])
    assert isinstance(await gate.admit(others[2], progress=back), Go)


async def test_throttles_without_an_estimate_grow(gate: World) -> None:
    request = a_request()
    await gate.admit(request)
    waits = []
    for _ in range(10):
        until = await closed_until(gate, request, Throttled(Scope.ACCOUNT, ERROR))
        waits.append(until - gate.clock.now())
        gate.clock.time = until + 1
        await gate.admit(request, progress=Progress(is_republished=True))
    assert waits[:3] == pytest.approx([5, 10, 20], abs=0.1)
    assert max(waits) == pytest.approx(300, abs=0.1)


async def test_throttles_of_calls_that_were_under_way_do_not_add_up(gate: World) -> None:
    requests = [a_request(id=f"n{n}", recipient={"id": f"p{n}"}) for n in range(8)]
    for request in requests:
        await gate.admit(request)
    ends = [
        await closed_until(gate, request, Throttled(Scope.ACCOUNT, ERROR)) for request in requests
    ]
    assert max(ends) <= gate.clock.now() + 5.2


async def test_throttled_conversation_leaves_the_account_open(gate: World) -> None:
    request = a_request()
    await gate.admit(request)
    until = await closed_until(gate, request, Throttled(Scope.CONVERSATION, ERROR))
    await gate.park(request, until, Wait.COOLDOWN)
    assert isinstance(await gate.admit(a_request(id="o", recipient={"id": "other"})), Go)


async def test_refused_account_opens_with_a_new_token_or_after_a_probe(gate: World) -> None:
    request = a_request()
    await gate.admit(request)
    assert await gate.close(request, Refused(Scope.ACCOUNT, ERROR)) == Closed(ERROR)
    await gate.fail(request)
    assert await gate.admit(a_request(id="2")) == Closed(ERROR)
    gate.clock.time += ASK_AGAIN_S + 1
    probe = a_request(id="3", recipient={"id": "other"})
    assert isinstance(await gate.admit(probe), Go)
    assert isinstance(await gate.admit(a_request(id="4", recipient={"id": "third"})), NotYet)
    await gate.close(probe, Refused(Scope.ACCOUNT, ERROR))
    renewed = Account(ACCOUNT, Secret("IGAAtwo"))
    back = Progress(is_republished=True)
    answer = await gate.admit(a_request(id="5", recipient={"id": "5"}), renewed, progress=back)
    assert isinstance(answer, Go)


async def test_turn_passes_to_the_next_in_order(gate: World) -> None:
    first, second = a_request(id="1"), a_request(id="2")
    await gate.admit(first)
    waiting = asyncio.create_task(gate.admit(second))
    await asyncio.sleep(0)
    assert not waiting.done()
    await gate.finish(first)
    assert isinstance(await waiting, Go)


async def test_turn_given_back_untouched_passes_on(gate: World) -> None:
    first, second = a_request(id="1"), a_request(id="2")
    await gate.admit(first)
    await gate.gate.conclude(first, HandedBack(Progress()), None)
    assert isinstance(await gate.admit(second), Go)


async def test_place_of_a_parked_request_that_never_returns_is_lost(gate: World) -> None:
    first, second = a_request(id="1"), a_request(id="2")
    await gate.admit(first)
    await gate.park(first, gate.clock.now() + 10)
    gate.clock.time += 200
    assert isinstance(await gate.admit(second), Go)


async def test_parts_of_a_begun_request_go_before_the_backlog(gate: World) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(1, 1.0)})
    request = a_request(message=None, messages=[{"text": "1"}, {"text": "2"}])
    await gate.admit(request, account)
    for n in range(10):
        await gate.admit(a_request(id=f"n{n}", recipient={"id": f"p{n}"}), account)
    gate.clock.time += 3
    answer = await gate.advance(request, account, sent=("a",))
    assert isinstance(answer, Go)
    assert answer.progress == Progress(sent=("a",))


async def test_request_far_behind_in_its_conversation_looks_less_often(gate: World) -> None:
    requests = [a_request(id=f"n{n}") for n in range(40)]
    answers = await asyncio.gather(*(gate.admit(request) for request in requests))
    waits = [answer.until - gate.clock.now() for answer in answers if isinstance(answer, NotYet)]
    assert len(waits) == 39
    assert waits == sorted(waits)
    assert waits[0] == 1.0
    assert waits[-1] == pytest.approx(9.75)


async def test_bulk_of_an_account_lets_its_interactive_requests_go_first(gate: World) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(10, 1.0)})
    bulk = [a_request(id=f"b{n}", recipient={"id": f"p{n}"}) for n in range(60)]
    answers = await asyncio.gather(
        *(gate.admit(request, account, lane=Lane.BULK) for request in bulk)
    )
    assert sum(isinstance(answer, NotYet) for answer in answers) > 40
    reply = await gate.admit(a_request(id="reply", recipient={"id": "me"}), account)
    assert isinstance(reply, Go)
    assert reply.slot <= gate.clock.now() + 0.3


async def test_slot_that_was_not_used_is_given_back(gate: World) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(1, 60.0)})
    first, second = (a_request(id=n, recipient={"id": n}) for n in "12")
    await gate.admit(first, account)
    retrying = Retrying(gate.clock.now() + 5, ERROR, Progress(attempts=1))
    await gate.gate.conclude(first, retrying, None, is_slot_unused=True)
    assert isinstance(await gate.admit(second, account), Go)


async def test_slot_that_was_missed_is_asked_for_anew(gate: World) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(2, 1.0)})
    first, second = (a_request(id=n, recipient={"id": n}) for n in "12")
    missed = await gate.admit(first, account)
    assert isinstance(missed, Go)
    gate.clock.time += 0.3
    again = await gate.advance(first, account)
    assert isinstance(again, Go)
    assert again.slot >= gate.clock.now()
    following = await gate.admit(second, account, progress=Progress(is_republished=True))
    assert isinstance(following, Go)
    assert following.slot >= again.slot + 0.5


async def test_slot_of_a_call_that_was_refused_is_spent(gate: World) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(2, 1.0)})
    request = a_request()
    refused = await gate.admit(request, account)
    assert isinstance(refused, Go)
    again = await gate.advance(request, account, is_spent=True)
    assert isinstance(again, Go)
    assert again.slot >= refused.slot + 0.5


async def test_doubt_is_kept_until_somebody_settles_it(gate: World) -> None:
    request = a_request()
    await gate.admit(request)
    since = gate.clock.now()
    doubtful = Progress(1, since, unknown_since=since)
    await gate.park(request, since + 8, Wait.VERIFY, doubtful)
    gate.clock.time += 8
    answer = await gate.admit(request, progress=Progress(1, is_republished=True))
    assert isinstance(answer, Doubtful)
    assert answer.progress.unknown_since == pytest.approx(since, abs=0.001)
    behind = await gate.admit(a_request(id="behind"))
    assert isinstance(behind, NotYet)
    assert behind.why is Wait.TURN
    assert behind.until == pytest.approx(gate.clock.now() + 1, abs=10)


async def test_doubt_names_what_the_conversation_got_before(gate: World) -> None:
    await gate.admit(a_request())
    await gate.finish(a_request())
    request = a_request(id="2")
    await gate.admit(request)
    doubtful = Progress(1, unknown_since=gate.clock.now())
    await gate.park(request, gate.clock.now(), Wait.VERIFY, doubtful)
    answer = await gate.admit(request, progress=doubtful)
    assert isinstance(answer, Doubtful)
    assert answer.known_ids == {"m"}


async def test_doubt_does_not_stop_who_wants_it_sent_again(gate: World) -> None:
    request = a_request(on_unknown="resend")
    await gate.admit(request)
    doubtful = Progress(1, unknown_since=gate.clock.now())
    await gate.park(request, gate.clock.now(), Wait.VERIFY, doubtful)
    answer = await gate.admit(request, progress=doubtful)
    assert isinstance(answer, Go)
    assert answer.progress.attempts == 2
    assert not answer.progress.is_doubtful


async def test_same_refusal_of_many_accounts_holds_everything_and_one_asks(gate: World) -> None:
    accounts = [Account(f"{n}", Secret("t")) for n in range(8)]
    requests = [a_request(id="r", account_id=account.id) for account in accounts]
    answers = []
    for account, request in zip(accounts[:6], requests[:6], strict=True):
        assert isinstance(await gate.admit(request, account), Go)
    for account, request in zip(accounts[:6], requests[:6], strict=True):
        answers.append(await gate.close(request, Refused(Scope.ACCOUNT, ERROR), account))
    assert [isinstance(answer, Closed) for answer in answers] == [True] * 4 + [False] * 2
    held = await gate.admit(requests[6], accounts[6])
    assert isinstance(held, NotYet)
    assert held.why is Wait.COOLDOWN
    gate.clock.time += 400
    back = Progress(is_republished=True)
    assert isinstance(await gate.admit(requests[7], accounts[7], progress=back), Go)
    assert isinstance(await gate.admit(requests[6], accounts[6], progress=back), NotYet)
    await gate.finish(requests[7])
    assert isinstance(await gate.admit(requests[6], accounts[6], progress=back), Go)
    victim = a_request(id="later", account_id=accounts[0].id, recipient={"id": "else"})
    assert isinstance(await gate.admit(victim, accounts[0]), Go), "closed by the outage only"


async def test_reads_of_a_conversation_have_a_limit_of_their_own(gate: World) -> None:
    slots = [await gate.gate.read_slot(OPEN) for _ in range(6)]
    known = [slot for slot in slots if slot is not None]
    assert len(known) < 6
    assert all(later - earlier >= 0.5 for earlier, later in pairwise(known))


async def test_newcomers_may_go_while_all_that_are_parked_are_stuck(gate: World) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(10, 1.0)})
    flood = [a_request(id=f"n{n}", recipient={"id": f"p{n}"}) for n in range(100)]
    await asyncio.gather(*(gate.admit(request, account) for request in flood))
    gate.clock.time += 3
    newcomers = [a_request(id=f"new{n}", recipient={"id": f"q{n}"}) for n in range(2)]
    assert isinstance(await gate.admit(newcomers[0], account), Go)
    back = a_request(id="n50", recipient={"id": "p50"})
    assert isinstance(await gate.admit(back, account, progress=Progress(is_republished=True)), Go)
    assert isinstance(await gate.admit(newcomers[1], account), NotYet)


async def test_what_comes_back_late_makes_room_for_those_who_are_on_time(gate: World) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(1, 1.0)})
    answers = {}
    for n in range(20):
        request = a_request(id=f"n{n}", recipient={"id": f"p{n}"})
        answers[n] = await gate.admit(request, account)
    last = answers[19]
    assert isinstance(last, NotYet)
    gate.clock.time += 5
    back = Progress(is_republished=True)

    async def returns(n: int) -> Admission:
        request = a_request(id=f"n{n}", recipient={"id": f"p{n}"})
        return await gate.admit(request, account, progress=back)

    assert isinstance(await returns(1), Go), "a slot is free, late or not"
    late = await returns(2)
    assert isinstance(late, NotYet)
    assert late.until > last.until
    assert isinstance(await returns(4), Go)
