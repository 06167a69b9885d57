"""The bucket of the whole app, in memory and in Redis, and the gate in front of it."""

import asyncio
from collections.abc import AsyncIterator
from secrets import token_hex

import pytest
import pytest_asyncio

from tests.gate.world import OPEN, TimedStore, World, a_request, memory_world
from tests.support.fakes import FakeClock
from tests.support.waiting import eventually
from worker.core.account import Account
from worker.core.admission import Admission, Go, NotYet
from worker.core.ask import Ask
from worker.core.delivery import Lane
from worker.core.progress import Progress
from worker.core.rate_limit import Limit, Pace
from worker.core.request import AccountId
from worker.core.secret import Secret
from worker.gate.app_limit import HOLD_S, AppBucket, AppLimited
from worker.gate.memory.app_bucket import MemoryAppBucket
from worker.gate.redis.app_bucket import RedisAppBucket

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIMIT = Limit(10, 1.0)
PACE = Pace.within(LIMIT, margin=0.03)


class Site:
    """A gate behind a bucket."""

    def __init__(self, world: World, bucket: AppBucket) -> None:
        self.clock = world.clock
        self.bucket = bucket
        self.gate = AppLimited(world.gate, world.gate, bucket, world.clock)

    async def admit(self, id: str, account: Account) -> Admission:
        request = a_request(id=id, account_id=account.id)
        return await self.gate.admit(Ask(request, account, Progress(), Lane.INTERACTIVE))


@pytest_asyncio.fixture(params=["memory", "redis"], loop_scope="session")
async def site(request: pytest.FixtureRequest, redis: str) -> AsyncIterator[Site]:
    async with memory_world() as world:
        if request.param == "memory":
            yield Site(world, MemoryAppBucket(PACE))
            return
        prefix = f"t{token_hex(6)}"
        store = TimedStore(redis, world.clock, prefix=prefix)
        running = asyncio.create_task(store.run())
        try:
            await eventually(lambda: store.trouble is None)
            yield Site(world, RedisAppBucket(store, world.clock, prefix=prefix, pace=PACE))
        finally:
            running.cancel()
            store.close()


async def slots(bucket: AppBucket, clock: FakeClock, number: int) -> list[float]:
    """Take that many in a row, each as soon as there is one."""
    taken = []
    for _ in range(number):
        slot = await bucket.take(clock.now(), hold_s=HOLD_S)
        assert isinstance(slot, float)
        clock.time = slot
        taken.append(slot)
    return taken


async def test_no_window_of_the_app_holds_more_than_its_limit(site: Site) -> None:
    taken = await slots(site.bucket, site.clock, 40)
    for first, later in zip(taken, taken[LIMIT.calls :], strict=False):
        assert later - first > LIMIT.period_s
    assert taken[-1] - taken[0] < 40 / LIMIT.calls * 1.1, "and hardly fewer than its limit"


async def test_what_would_wait_too_long_gets_a_place_in_a_schedule(site: Site) -> None:
    now = site.clock.now()
    answers = [await site.bucket.take(now, hold_s=HOLD_S) for _ in range(12)]
    held = [answer for answer in answers if isinstance(answer, float)]
    parked = [answer.until for answer in answers if isinstance(answer, NotYet)]
    assert held == sorted(held)
    assert held[-1] <= now + HOLD_S + 0.001
    assert parked == sorted(set(parked))
    assert parked[0] > held[-1]


async def test_an_account_with_room_waits_for_the_app(site: Site) -> None:
    start, went = site.clock.now(), []
    for number in range(8):
        account = Account(AccountId(f"17841400000001{number:03}"), Secret("IGAA"))
        answer = await site.admit(f"r{number}", account)
        assert isinstance(answer, Go)
        went.append(answer.slot)
    assert went[-1] - start > 7 * PACE.interval_s - 0.02


async def test_a_request_that_has_to_be_parked_is_not_in_doubt_when_it_returns(
    site: Site,
) -> None:
    while isinstance(await site.bucket.take(site.clock.now(), hold_s=HOLD_S), float):
        pass
    answer = await site.admit("parked", OPEN)
    assert isinstance(answer, NotYet)
    site.clock.time = answer.until + 1
    assert isinstance(await site.admit("parked", OPEN), Go)
