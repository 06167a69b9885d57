"""What only the Redis gate does: several workers on one Redis, some of which die."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import pairwise
from secrets import token_hex

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from tests.gate.machine_fleet import Fleet
from tests.gate.world import ERROR, KEEP_S, OPEN, World, a_request
from tests.support.pipeline import ACCOUNT
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from tests.support.waiting import eventually
from worker.core.account import Account
from worker.core.admission import Closed, Concluded, Doubtful, Go, NotYet
from worker.core.delivery import Lane
from worker.core.ending import event_of
from worker.core.kind import Bucket
from worker.core.outcome import Completed, HandedBack, Wait
from worker.core.progress import Progress
from worker.core.rate_limit import Limit
from worker.core.request import AccountId, OnUnknown, SendRequest
from worker.core.secret import Secret
from worker.core.send_result import Refused, Scope, Throttled
from worker.gate.redis import gate as redis_gate
from worker.gate.redis.gate import HOLD_WITHOUT_REDIS_S, PARK_WITHOUT_REDIS_S, RedisGate
from worker.gate.redis.scripts import CONCLUDE

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEASE_S = 30.0
BACK = Progress(is_republished=True)
# What a bucket of a Redis that came up empty counts as full for: the longest wait in hand.
GUARD_S = 2.0


@pytest_asyncio.fixture(loop_scope="session")
async def client(redis: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def fleet(redis: str, client: Redis) -> AsyncIterator[Fleet]:
    async with AsyncExitStack() as stack:
        fleet = Fleet(redis, stack)
        yield fleet
    keys = await fleet.keys(client)
    if keys:
        await client.unlink(*keys)


@pytest_asyncio.fixture(loop_scope="session")
async def proxy(redis: str) -> AsyncIterator[TcpProxy]:
    """What is between one of the workers and Redis."""
    port = int(redis.rsplit(":", 1)[1].split("/", maxsplit=1)[0])
    async with tcp_proxy("127.0.0.1", port) as proxy:
        yield proxy


async def conclude(world: World, request: SendRequest) -> None:
    """End it well, and stop before anything is published."""
    outcome = Completed(Progress(attempts=1, sent=("m",)), world.clock.now())
    event = event_of(outcome, request.identity, finished_at=world.clock.now())
    await world.gate.conclude(request, outcome, event)


async def test_worker_that_dies_in_a_call_leaves_doubt_when_its_lease_ends(fleet: Fleet) -> None:
    dies, other = await fleet.worker(), await fleet.worker()
    request = a_request()
    assert isinstance(await dies.admit(request), Go)
    since = fleet.clock.now()
    fleet.clock.time += LEASE_S - 5
    early = await other.admit(request)
    assert isinstance(early, NotYet)
    assert early.why is Wait.ELSEWHERE
    assert fleet.clock.now() < early.until <= since + LEASE_S + 0.5
    fleet.clock.time = since + LEASE_S + 0.1
    late = await other.admit(request)
    assert isinstance(late, Doubtful)
    assert late.progress.unknown_since == pytest.approx(since, abs=0.001)


async def test_doubt_of_a_dead_worker_is_no_obstacle_to_who_wants_it_sent_again(
    fleet: Fleet,
) -> None:
    dies, other = await fleet.worker(), await fleet.worker()
    request = a_request(on_unknown=OnUnknown.RESEND.value)
    await dies.admit(request)
    fleet.clock.time += LEASE_S + 1
    again = await other.admit(request)
    assert isinstance(again, Go)
    assert again.progress.attempts == 1


async def test_conversation_of_a_dead_worker_waits_for_its_request(fleet: Fleet) -> None:
    dies, other = await fleet.worker(), await fleet.worker()
    head, behind = a_request(id="head"), a_request(id="behind")
    await dies.admit(head)
    fleet.clock.time += LEASE_S + 1
    waiting = await other.admit(behind, progress=BACK)
    assert isinstance(waiting, NotYet)
    assert waiting.why is Wait.TURN
    assert isinstance(await other.admit(head), Doubtful)
    await other.fail(head)
    assert isinstance(await other.admit(behind, progress=BACK), Go)


async def test_lease_of_a_long_call_is_renewed(
    fleet: Fleet, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ten seconds of the event loop, whatever the test's clock says.
    monkeypatch.setattr(redis_gate, "RENEW_EVERY_S", 0.02)
    calls, other = await fleet.worker(), await fleet.worker()
    request, behind = a_request(id="long"), a_request(id="behind")
    await calls.admit(request)
    record = next(key for key in await fleet.keys(client) if b":o:" in key)

    async def is_renewed() -> bool:
        lease = await client.hget(record, "lease")
        return lease is not None and float(lease) > fleet.clock.now() + LEASE_S - 1

    for _ in range(10):
        fleet.clock.time += 20
        await eventually(is_renewed)
        answer = await other.admit(request)
        assert isinstance(answer, NotYet)
        assert answer.why is Wait.ELSEWHERE
    follower = await other.admit(behind, progress=BACK)
    assert isinstance(follower, NotYet)
    assert follower.why is Wait.TURN
    await calls.finish(request)
    assert isinstance(await other.admit(behind, progress=BACK), Go)


async def test_end_that_was_not_published_is_announced_by_another_worker_once(
    fleet: Fleet,
) -> None:
    dies, other, third = [await fleet.worker() for _ in range(3)]
    request = a_request()
    await dies.admit(request)
    await conclude(dies, request)
    early = await other.admit(request)
    assert isinstance(early, NotYet)
    assert early.why is Wait.ELSEWHERE
    fleet.clock.time += LEASE_S + 1
    found = await other.admit(request)
    assert isinstance(found, Concluded)
    assert not found.is_published
    assert found.event.message_ids == ("m",)
    await conclude(other, request)
    meanwhile = await third.admit(request)
    assert isinstance(meanwhile, NotYet), "the other worker is about to publish"
    await other.gate.settled(request)
    afterwards = await third.admit(request)
    assert isinstance(afterwards, Concluded)
    assert afterwards.is_published


async def test_pass_that_is_concluded_twice_leaves_the_next_one_alone(fleet: Fleet) -> None:
    """As after a lost answer; the request would be granted to a third worker, and sent twice."""
    one, other, third = [await fleet.worker() for _ in range(3)]
    request, store = a_request(), fleet.stores[0]
    await one.admit(request)
    store.lose_answer_to(CONCLUDE)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one.gate.conclude(request, HandedBack(Progress()), None))
        await store.lost.wait()
        assert isinstance(await other.admit(request), Go)
        store.mended.set()
    answer = await third.admit(request)
    assert isinstance(answer, NotYet)
    assert answer.why is Wait.ELSEWHERE


async def test_next_in_a_conversation_is_woken_on_another_worker(
    fleet: Fleet, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would have to wait for its poll for longer than the test is given.
    monkeypatch.setattr("worker.gate.patience.POLL_S", 3600.0)
    monkeypatch.setattr("worker.gate.patience.HOLD_S", 3600.0)
    one, other = await fleet.worker(), await fleet.worker()
    first, second = a_request(id="1"), a_request(id="2")
    await one.admit(first)

    async def are_lined_up() -> bool:
        queue = next(key for key in await fleet.keys(client) if b":t:" in key)
        return bool(await client.zcard(queue) == 2)

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(other.admit(second))
        await eventually(are_lined_up)
        await one.gate.conclude(first, HandedBack(Progress()), None)
        assert isinstance(await waiting, Go)


async def test_redis_that_came_up_empty_gives_no_slot_until_old_ones_are_used_up(
    fleet: Fleet, client: Redis
) -> None:
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(10, 1.0)})
    one, other = await fleet.worker(), await fleet.worker()
    old = [await one.admit(request, account) for request in people(20, "old")]
    last = max(answer.slot for answer in old if isinstance(answer, Go))
    await client.unlink(*await fleet.keys(client))
    emptied_at = fleet.clock.now()
    answers = [await one.admit(request, account, progress=BACK) for request in people(3, "new")]
    answers += [await other.admit(request, account, progress=BACK) for request in people(3, "o")]
    slots = sorted(answer.slot for answer in answers if isinstance(answer, Go))
    later = [answer.until for answer in answers if isinstance(answer, NotYet)]
    assert len(slots) + len(later) == 6
    assert min(slots + later) >= emptied_at + GUARD_S
    assert min(slots + later) > last
    assert all(following - slot > 0.09 for slot, following in pairwise(slots))


async def test_worker_that_joins_a_new_redis_has_nothing_to_guard(fleet: Fleet) -> None:
    one = await fleet.worker()
    answer = await one.admit(a_request())
    assert isinstance(answer, Go)
    assert answer.slot == pytest.approx(fleet.clock.now(), abs=0.001)


def people(count: int, name: str) -> list[SendRequest]:
    """Requests to as many people."""
    return [a_request(id=f"{name}{n}", recipient={"id": f"{name}{n}"}) for n in range(count)]


async def test_closed_account_is_closed_for_granted_slots_of_other_workers(fleet: Fleet) -> None:
    one, other = await fleet.worker(), await fleet.worker()
    first, second = people(2, "p")
    await one.admit(first)
    await other.admit(second)
    await one.close(first, Throttled(Scope.ACCOUNT, ERROR, retry_after_s=60.0))
    await eventually(lambda: other.gate.is_closed(AccountId(OPEN.id)))
    assert one.gate.is_closed(AccountId(OPEN.id))


async def test_refused_account_is_closed_for_granted_slots_of_other_workers(fleet: Fleet) -> None:
    one, other = await fleet.worker(), await fleet.worker()
    first, second = people(2, "p")
    await one.admit(first)
    await other.admit(second)
    await one.close(first, Refused(Scope.ACCOUNT, ERROR))
    await eventually(lambda: other.gate.is_closed(AccountId(OPEN.id)))
    assert await other.advance(second) == Closed(ERROR)


async def test_closed_app_is_closed_on_other_workers_for_new_ones_and_for_next_parts(
    fleet: Fleet,
) -> None:
    one, other = await fleet.worker(), await fleet.worker()
    first, second = people(2, "p")
    await one.admit(first)
    await other.admit(second)
    await one.close(first, Throttled(Scope.APP, ERROR, retry_after_s=60.0))
    await eventually(lambda: other.gate.is_closed(AccountId("of any account")))
    again = await other.advance(second)
    assert isinstance(again, NotYet)
    assert again.why is Wait.COOLDOWN
    assert again.until >= fleet.clock.now() + 60


async def test_worker_that_has_just_started_knows_that_the_app_is_closed(fleet: Fleet) -> None:
    one = await fleet.worker()
    first, second = people(2, "p")
    await one.admit(first)
    await one.close(first, Throttled(Scope.APP, ERROR, retry_after_s=60.0))
    new = await fleet.worker()
    assert isinstance(await new.admit(second), NotYet)


async def test_admit_waits_for_a_redis_that_is_away(fleet: Fleet, proxy: TcpProxy) -> None:
    world = await fleet.worker(url=f"redis://127.0.0.1:{proxy.port}/0")
    proxy.cut(refuse=True)
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(world.admit(a_request()))
        await eventually(lambda: trouble_of(world) is not None)
        assert not asking.done()
        proxy.resume()
        assert isinstance(await asking, Go)


async def test_admit_puts_off_when_redis_stays_away(fleet: Fleet, proxy: TcpProxy) -> None:
    world = await fleet.worker(url=f"redis://127.0.0.1:{proxy.port}/0")
    proxy.cut(refuse=True)
    await eventually(lambda: trouble_of(world) is not None)
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(world.admit(a_request()))
        await asyncio.sleep(0)
        fleet.clock.time += HOLD_WITHOUT_REDIS_S + 1
        answer = await asking
    assert answer == NotYet(fleet.clock.now() + PARK_WITHOUT_REDIS_S, Wait.GATE)


async def test_conclude_waits_for_a_redis_that_is_away_and_then_writes(
    fleet: Fleet, proxy: TcpProxy
) -> None:
    world = await fleet.worker(url=f"redis://127.0.0.1:{proxy.port}/0")
    other = await fleet.worker()
    request = a_request()
    await world.admit(request)
    proxy.cut(refuse=True)
    async with asyncio.TaskGroup() as tasks:
        finishing = tasks.create_task(world.finish(request))
        await eventually(lambda: trouble_of(world) is not None)
        assert not finishing.done()
        proxy.resume()
        await finishing
    assert isinstance(await other.admit(request), Concluded)


def trouble_of(world: World) -> str | None:
    assert isinstance(world.gate, RedisGate)
    return world.gate.trouble


async def used_bytes(client: Redis, keys: list[bytes]) -> int:
    sizes = [await client.memory_usage(key, samples=0) for key in keys]
    return sum(size or 0 for size in sizes)


async def test_ended_request_takes_less_than_300_bytes(fleet: Fleet, client: Redis) -> None:
    """With message ids as long as Meta's; how much that is for a million is in the name."""
    world, count = await fleet.worker(), 20_000

    async def ends(number: int) -> None:
        request = a_request(id=f"order-{number}", recipient={"id": f"{number % 50}"})
        message_id = (token_hex(64) + f"{number:042x}")[:170]
        outcome = Completed(Progress(attempts=1, sent=(message_id,)), fleet.clock.now())
        event = event_of(outcome, request.identity, finished_at=fleet.clock.now())
        await world.gate.conclude(request, outcome, event)
        await world.gate.settled(request)

    for start in range(0, count, 500):
        await asyncio.gather(*(ends(number) for number in range(start, start + 500)))
    keys = await fleet.keys(client)
    generations = [key for key in keys if b":e:" in key]
    entries = sum([await client.hlen(key) for key in generations])
    assert entries == count
    size = await used_bytes(client, generations) / count
    print(f"{size:.0f} bytes for each of {count} ended requests")
    assert size < 300
    rest = await used_bytes(client, [key for key in keys if key not in generations])
    assert rest / count < 10, "nothing else stays of what ended"


async def test_everything_expires(fleet: Fleet, client: Redis) -> None:
    world = await fleet.worker()
    account = Account(ACCOUNT, Secret("t"), limits={Bucket.TEXT: Limit(2, 1.0)})
    ended, parked, running, throttled, refused = people(5, "p")
    for request in (ended, throttled, refused, running):
        fleet.clock.time += 2
        assert isinstance(await world.admit(request, account), Go)
    await world.finish(ended)
    await asyncio.gather(*(world.admit(r, account, lane=Lane.BULK) for r in people(20, "flood")))
    await world.park(parked, fleet.clock.now() + 60, Wait.VERIFY, Progress(1, unknown_since=1.0))
    await world.close(throttled, Throttled(Scope.ACCOUNT, ERROR))
    await world.close(throttled, Throttled(Scope.APP, ERROR))
    await world.close(refused, Refused(Scope.ACCOUNT, ERROR))
    await world.gate.read_slot(account)
    keys = await fleet.keys(client)
    kinds = {key.split(b"}:")[1].split(b":")[0] for key in keys if b"}:" in key}
    assert kinds == {b"o", b"e", b"r", b"c", b"t", b"h", b"m", b"state", b"refused"}
    lasting = [key for key in keys if await client.ttl(key) == -1]
    assert lasting == []
    born = f"{fleet.prefix}:born".encode()
    assert await client.ttl(born) > 20 * 86_400
    generation = next(key for key in keys if b":e:" in key)
    assert KEEP_S <= await client.ttl(generation) <= 2 * KEEP_S


async def test_id_is_remembered_for_its_time_and_not_for_ever(fleet: Fleet) -> None:
    world = await fleet.worker()
    request = a_request()
    await world.admit(request)
    await world.finish(request)
    fleet.clock.time += KEEP_S - 1
    assert isinstance(await world.admit(request), Concluded)
    fleet.clock.time += KEEP_S
    assert isinstance(await world.admit(request), Go)


async def test_doubt_that_was_put_back_waits_for_its_turn(fleet: Fleet) -> None:
    one, other = await fleet.worker(), await fleet.worker()
    assert isinstance(await one.admit(a_request(id="in hand")), Go)
    since = fleet.clock.now() - 100
    back = Progress(is_republished=True, returned_from="unconfirmed", unknown_since=since)
    waiting = await other.admit(a_request(id="doubtful"), progress=back)
    assert isinstance(waiting, NotYet)
    assert waiting.why is Wait.TURN
    await one.finish(a_request(id="in hand"))
    parked = Progress(is_republished=True, unknown_since=since)
    answer = await other.admit(a_request(id="doubtful"), progress=parked)
    assert isinstance(answer, Doubtful)
    assert answer.progress.unknown_since == pytest.approx(since, abs=0.001)
