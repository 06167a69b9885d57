"""What people are told of a gate, the same of both; and that telling it changes nothing."""

import asyncio

import pytest
from redis.asyncio import Redis

from tests.gate.world import ERROR, KEEP_S, OPEN, World, a_request, redis_world
from tests.support.pipeline import ACCOUNT
from worker.core.account import Account
from worker.core.admission import Doubtful, Go, NotYet
from worker.core.closure import ASK_AGAIN_S
from worker.core.delivery import Lane
from worker.core.ending import event_of
from worker.core.kind import Bucket
from worker.core.outcome import Completed, Retrying, Wait
from worker.core.outcome_event import Status
from worker.core.progress import Progress
from worker.core.rate_limit import Limit
from worker.core.reason import Reason
from worker.core.request import SendRequest
from worker.core.secret import Secret
from worker.core.send_result import GraphError, Refused, Scope, Throttled
from worker.gate.inspecting import (
    PAGE,
    AccountState,
    BucketState,
    Documents,
    Inspector,
    Openness,
    RequestState,
    Where,
)
from worker.gate.memory.gate import MemoryGate
from worker.gate.memory.inspection import MemoryInspector
from worker.gate.redis.address import Address
from worker.gate.redis.gate import RedisGate
from worker.gate.redis.inspection import RedisInspector

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLOW = Account(ACCOUNT, Secret("IGAAone"), limits={Bucket.TEXT: Limit(10, 1.0)})
THROTTLE = Throttled(Scope.ACCOUNT, GraphError("too many calls", code=613), retry_after_s=60.0)


def inspector_of(world: World, url: str) -> Inspector:
    gate = world.gate
    if isinstance(gate, MemoryGate):
        return MemoryInspector(gate, world.clock, margin=0.03)
    assert isinstance(gate, RedisGate)
    return RedisInspector(
        gate._store,
        Address.of(url, timeout_s=5.0),
        world.clock,
        prefix=gate._arguments._prefix,
        margin=0.03,
        keep_s=KEEP_S,
    )


class Look:
    """Asks as the commands do."""

    def __init__(self, inspector: Inspector) -> None:
        self.inspector = inspector

    async def account(self, account: Account = OPEN) -> AccountState:
        (state,) = [state async for state in self.inspector.accounts([account])]
        return state

    async def text(self, account: Account = OPEN) -> BucketState:
        state = await self.account(account)
        return next(bucket for bucket in state.buckets if bucket.bucket is Bucket.TEXT)

    async def request(self, request: SendRequest) -> RequestState | None:
        found = [state async for state in self.inspector.requests(request.id, [request.account_id])]
        return found[0] if found else None

    async def found(self, request: SendRequest) -> RequestState:
        state = await self.request(request)
        assert state is not None
        return state


@pytest.fixture
def look(gate: World, redis: str) -> Look:
    return Look(inspector_of(gate, redis))


async def test_account_that_nobody_used_is_open_and_has_all_its_calls(look: Look) -> None:
    state = await look.account()
    assert (state.openness, state.closure, state.app) == (Openness.OPEN, None, None)
    assert {bucket.bucket for bucket in state.buckets} == set(Bucket)
    assert all(bucket.left == bucket.pace.burst for bucket in state.buckets)
    assert all(bucket.next_slot == state.now for bucket in state.buckets)
    assert (state.parked, state.parked_bulk) == (0, 0)


async def test_a_call_takes_one_of_those_left_until_time_gives_it_back(
    gate: World, look: Look
) -> None:
    private = a_request(recipient={"comment_id": "c1"})
    assert isinstance(await gate.admit(private), Go)
    state = await look.account()
    replies = next(b for b in state.buckets if b.bucket is Bucket.PRIVATE_REPLY)
    assert replies.pace.burst > 1
    assert replies.left == replies.pace.burst - 1
    gate.clock.time += replies.pace.interval_s
    state = await look.account()
    assert all(bucket.left == bucket.pace.burst for bucket in state.buckets)


async def test_next_slot_is_the_one_that_the_next_request_gets(gate: World, look: Look) -> None:
    await gate.admit(a_request(), SLOW)
    bucket = await look.text(SLOW)
    assert (bucket.left, bucket.is_override, bucket.limit) == (0, True, Limit(10, 1.0))
    answer = await gate.admit(a_request(id="n2", recipient={"id": "p2"}), SLOW)
    assert isinstance(answer, Go)
    assert answer.slot == pytest.approx(bucket.next_slot, abs=1e-5)


@pytest.mark.parametrize("lane", list(Lane))
async def test_flood_is_counted_in_its_own_lane(gate: World, look: Look, lane: Lane) -> None:
    asked = [a_request(id=f"n{n}", recipient={"id": f"p{n}"}) for n in range(60)]
    answers = await asyncio.gather(*(gate.admit(each, SLOW, lane=lane) for each in asked))
    # Meanwhile the first of those parked may have become due.
    now = gate.clock.now()
    parked = [a for a in answers if isinstance(a, NotYet) and a.until > now]
    assert parked
    bucket, state = await look.text(SLOW), await look.account(SLOW)
    counts = {Lane.INTERACTIVE: state.parked, Lane.BULK: state.parked_bulk}
    # What waits in hand is before them in the schedule, and takes about two seconds of it.
    held = 2.5 / bucket.pace.interval_s
    assert len(parked) <= counts.pop(lane) <= len(parked) + held
    assert list(counts.values()) == [0]
    assert bucket.parked_until == pytest.approx(max(each.until for each in parked), abs=1e-5)


async def test_throttled_account_says_why_since_when_and_until_when(
    gate: World, look: Look
) -> None:
    request = a_request()
    await gate.admit(request)
    await gate.close(request, THROTTLE)
    state = await look.account()
    closure = state.closure
    assert closure is not None
    assert state.openness is Openness.CLOSED
    assert (closure.error, closure.is_final, closure.strikes) == (THROTTLE.error, False, 1)
    assert closure.since == pytest.approx(gate.clock.now(), abs=1e-5)
    assert closure.until == pytest.approx(gate.clock.now() + 60, abs=1e-5)
    text = await look.text()
    assert text.next_slot == pytest.approx(closure.until, abs=1e-5)
    assert (text.left, text.parked) == (0, 1)


async def test_looking_at_an_account_does_not_take_the_turn_of_the_one_that_asks(
    gate: World, look: Look
) -> None:
    request = a_request()
    await gate.admit(request)
    await gate.close(request, THROTTLE)
    await gate.park(request, gate.clock.now() + 60)
    gate.clock.time += 61
    for _ in range(2):
        assert (await look.account()).openness is Openness.DUE
    assert isinstance(await gate.admit(a_request(id="probe", recipient={"id": "p"})), Go)
    assert (await look.account()).openness is Openness.ASKING


async def test_refused_account_is_closed_for_good_until_it_has_a_new_token(
    gate: World, look: Look
) -> None:
    request = a_request()
    await gate.admit(request)
    await gate.close(request, Refused(Scope.ACCOUNT, ERROR))
    state = await look.account()
    assert state.openness is Openness.CLOSED
    assert state.closure is not None
    assert state.closure.is_final
    assert state.closure.until == pytest.approx(gate.clock.now() + ASK_AGAIN_S, abs=1e-5)
    renewed = await look.account(Account(ACCOUNT, Secret("IGAAtwo")))
    assert renewed.openness is Openness.OPEN


async def test_throttled_app_closes_every_account(gate: World, look: Look) -> None:
    request = a_request()
    await gate.admit(request)
    await gate.close(request, Throttled(Scope.APP, ERROR, retry_after_s=30.0))
    state = await look.account(Account("99", Secret("t")))
    assert (state.openness, state.closure) == (Openness.CLOSED, None)
    assert state.app is not None
    assert state.app.error == ERROR
    assert state.app.until == pytest.approx(gate.clock.now() + 30, abs=1e-5)


async def test_request_nobody_asked_for_is_not_known(gate: World, look: Look) -> None:
    await gate.admit(a_request())
    assert await look.request(a_request(id="another")) is None


async def test_running_request_says_since_when(gate: World, look: Look) -> None:
    request = a_request()
    await gate.admit(request)
    state = await look.found(request)
    assert (state.where, state.event) == (Where.RUNNING, None)
    assert state.since == pytest.approx(gate.clock.now(), abs=1e-5)


async def test_request_behind_another_says_its_place_and_when_the_first_is_due(
    gate: World, look: Look
) -> None:
    first, second = a_request(id="n1"), a_request(id="n2")
    await gate.admit(first)
    due = gate.clock.now() + 300
    await gate.park(first, due)
    answer = await gate.admit(second)
    assert isinstance(answer, NotYet)
    state = await look.found(second)
    assert (state.where, state.attempts) == (Where.PARKED, 0)
    place = state.place
    assert place is not None
    assert (place.ahead, place.length, place.own.in_hand, place.head.in_hand) == (
        1,
        2,
        False,
        False,
    )
    assert place.own.at == pytest.approx(answer.until, abs=1e-5)
    assert place.head.at == pytest.approx(due, abs=1e-5)
    assert await look.inspector.conversations(ACCOUNT) == 1


async def test_request_that_waits_for_a_retry_says_attempts_and_when(
    gate: World, look: Look
) -> None:
    request = a_request()
    await gate.admit(request)
    due = gate.clock.now() + 30
    await gate.gate.conclude(
        request, Retrying(due, ERROR, Progress(attempts=2, sent=("m1",))), None
    )
    state = await look.found(request)
    assert (state.where, state.attempts, state.parts_sent) == (Where.WAITING, 2, 1)
    assert state.place is not None
    assert state.place.ahead == 0
    assert state.place.own.at == pytest.approx(due, abs=1e-5)


async def test_doubtful_request_says_since_when_and_how_often_it_was_looked_up(
    gate: World, look: Look
) -> None:
    request = a_request()
    await gate.admit(request)
    began = gate.clock.now()
    progress = Progress(unknown_since=began, checks=1)
    await gate.park(request, began + 8, Wait.VERIFY, progress)
    state = await look.found(request)
    assert (state.where, state.checks) == (Where.DOUBTFUL, 1)
    assert state.since == pytest.approx(began, abs=1e-4)
    assert state.place is not None
    assert state.place.own.at == pytest.approx(began + 8, abs=1e-4)
    assert isinstance(await gate.admit(request, progress=progress), Doubtful)


async def test_ended_request_says_how(gate: World, look: Look) -> None:
    sent, failed = a_request(), a_request(id="f", recipient={"id": "p"})
    await gate.admit(sent)
    await gate.finish(sent)
    await gate.admit(failed)
    await gate.fail(failed)
    good, bad = await look.found(sent), await look.found(failed)
    assert (good.where, bad.where) == (Where.ENDED, Where.ENDED)
    assert good.event is not None
    assert bad.event is not None
    assert (good.event.status, good.event.message_ids) == (Status.SENT, ("m",))
    assert (bad.event.status, bad.event.reason) == (Status.FAILED, Reason.REJECTED)
    assert (good.place, bad.place) == (None, None)


async def test_the_same_id_in_two_accounts_is_told_of_both(gate: World, look: Look) -> None:
    other = a_request(account_id="99", recipient={"id": "x"})
    await gate.admit(a_request())
    await gate.admit(other, Account("99", Secret("t")))
    await gate.finish(other)
    ids = ["1", "99", ACCOUNT]
    found = {state.account_id: state async for state in look.inspector.requests(other.id, ids)}
    assert {id: state.where for id, state in found.items()} == {
        "99": Where.ENDED,
        ACCOUNT: Where.RUNNING,
    }


async def test_pages_cover_all_accounts_in_order_and_filters_choose_among_them(
    gate: World, look: Look
) -> None:
    accounts = {str(n): Account(str(n), Secret("t")) for n in range(1, 2 * PAGE + 2)}
    closed = accounts[str(PAGE + 5)]
    request = a_request(account_id=closed.id)
    await gate.admit(request, closed)
    await gate.close(request, THROTTLE, closed)
    documents = Documents(look.inspector, lambda: accounts)

    async def ids(*, closed: bool = False, busy: bool = False) -> list[str]:
        found, start = [], 0
        while start is not None:
            page = await documents.accounts(start=start, closed=closed, busy=busy)
            found += [account["account_id"] for account in page["accounts"]]
            start = page["next"]
        return found

    assert await ids() == list(accounts)
    assert await ids(closed=True) == await ids(busy=True) == [closed.id]
    assert await documents.account("no such") is None


async def test_token_and_text_are_in_no_document(gate: World, look: Look) -> None:
    request = a_request()
    await gate.admit(request)
    documents = Documents(look.inspector, lambda: {ACCOUNT: OPEN})
    told = str([await documents.account(ACCOUNT), await documents.requests(request.id, None)])
    assert "running" in told
    assert "IGAA" not in told
    assert "Your order" not in told


async def snapshot(client: Redis, prefix: str) -> dict[bytes, bytes | None]:
    return {key: await client.dump(key) async for key in client.scan_iter(f"{prefix}:*")}


async def test_looking_writes_nothing_to_redis_not_even_a_time_to_live(redis: str) -> None:
    async with redis_world(redis) as world, Redis.from_url(redis) as client:
        assert isinstance(world.gate, RedisGate)
        look, prefix = Look(inspector_of(world, redis)), world.gate._arguments._prefix
        request, second = a_request(), a_request(id="n2")
        await world.admit(request)
        await world.close(request, THROTTLE)
        await world.park(request, world.clock.now() + 60, progress=Progress(attempts=1))
        await world.admit(second)
        before = await snapshot(client, prefix)
        lives = {key: await client.pttl(key) for key in before}
        assert len(before) >= 5
        await look.account()
        await look.found(request)
        await look.found(second)
        assert await look.request(a_request(id="unknown")) is None
        assert await look.inspector.conversations(ACCOUNT) == 1
        assert await snapshot(client, prefix) == before
        for key, life in lives.items():
            assert await client.pttl(key) <= life, key


async def test_outcome_that_nobody_was_told_of_yet_is_told_as_such(redis: str) -> None:
    async with redis_world(redis) as world:
        request, look = a_request(), Look(inspector_of(world, redis))
        await world.admit(request)
        outcome = Completed(Progress(sent=("m",)), world.clock.now())
        event = event_of(outcome, request.identity, finished_at=world.clock.now())
        await world.gate.conclude(request, outcome, event)
        state = await look.found(request)
        assert (state.where, state.place) == (Where.CONCLUDED, None)
        assert state.event is not None
        assert state.event.message_ids == ("m",)
        assert state.worker is not None
        await world.gate.settled(request)
        assert (await look.found(request)).where is Where.ENDED


async def test_redis_that_came_up_empty_has_no_calls_left_for_a_moment(redis: str) -> None:
    async with redis_world(redis) as world, Redis.from_url(redis) as client:
        assert isinstance(world.gate, RedisGate)
        look, prefix = Look(inspector_of(world, redis)), world.gate._arguments._prefix
        await client.set(f"{prefix}:born", f"1.0 {world.clock.now():.6f}")
        assert {bucket.left for bucket in (await look.account()).buckets} == {0}
        world.clock.time += 3600
        assert all(b.left == b.pace.burst for b in (await look.account()).buckets)


async def test_worker_that_has_a_request_in_hand_is_named(redis: str) -> None:
    async with redis_world(redis) as world:
        assert isinstance(world.gate, RedisGate)
        request = a_request()
        await world.admit(request)
        state = await Look(inspector_of(world, redis)).found(request)
        assert state.worker == world.gate.worker
        assert state.lease_until == pytest.approx(world.clock.now() + 30, abs=1e-5)
