"""Several real workers on one Redis, each scenario in small: facts only, no rates and no times."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from tests.replicas import (
    disclosure,
    hpa,
    isolation,
    limits,
    order,
    redis_faults,
    rolling,
    throttled,
    tokens,
)
from tests.replicas.disclosure import Disclosing
from tests.replicas.hpa import Hpa
from tests.replicas.isolation import Isolation
from tests.replicas.limits import Limits
from tests.replicas.order import Ordering
from tests.replicas.redis_faults import RedisFaults
from tests.replicas.rolling import Rolling
from tests.replicas.site import Ground
from tests.replicas.throttled import Throttling
from tests.replicas.tokens import Tokens
from tests.replicas.windows import Allowed
from tests.support.nodes import Broker, require_redis

pytestmark = pytest.mark.broker

SMALL: Mapping[str, Allowed] = {"text": Allowed(10, 1.0)}


@pytest_asyncio.fixture
async def ground(broker: Broker, tmp_path: Path) -> AsyncIterator[Ground]:
    """An empty part of the session's broker; logs stay where pytest keeps them."""
    require_redis()
    yield Ground(broker.amqp_url, broker.prefix, folder=tmp_path / "scenario")


async def test_two_workers_keep_the_limits_of_flooded_accounts_also_after_a_stall(
    ground: Ground,
) -> None:
    allowed = {**SMALL, "media": Allowed(4, 1.0), "private_reply": Allowed(60, 60.0)}
    sizes = Limits(
        workers=2, accounts=2, length_s=4.0, warm_up_s=0.5, stall_every_s=1.5, allowed=allowed
    )
    found = await limits.run(ground, sizes)
    assert found.accounts_seen == 2
    assert [bucket.calls > 0 for bucket in found.buckets] == [True] * 3
    assert found.violations == 0
    assert found.evidence.sent_more_than_once() == []


@pytest.mark.parametrize("kind", ["bulk", "requests-waiting"])
async def test_every_quiet_request_gets_through_a_flood(
    ground: Ground, kind: isolation.Kind
) -> None:
    sizes = Isolation(
        workers=2, quiet_accounts=5, per_s=10.0, flood=500, length_s=3.0, flood_after_s=0.5
    )
    found = await isolation.run(ground, sizes, kind)
    assert (found.quiet.count, found.quiet.missing) == (30, 0)
    assert found.violations == 0
    assert found.evidence.sent_more_than_once() == []


async def test_no_worker_calls_a_throttled_account_before_its_time(ground: Ground) -> None:
    sizes = Throttling(
        workers=2, accounts=3, flood=60, per_s=10.0, refused_after_s=1.0, closed_s=4.0,
        drain_s=5.0, in_flight_s=1.0, allowed=SMALL,
    )  # fmt: skip
    found = await throttled.run(ground, sizes)
    assert found.early == 0
    assert found.beside_probe == 0
    assert found.reopened_s is not None
    assert found.others_while.missing == 0
    assert found.violations == 0


async def test_conversations_do_not_overlap_and_lose_nothing(ground: Ground) -> None:
    sizes = Ordering(
        workers=2, accounts=2, conversations=6, requests=10, per_s=60.0, failing=0.1,
        patience_s=30.0,
    )  # fmt: skip
    found = await order.run(ground, sizes)
    assert found.failures > 0
    assert (found.order.overlaps, found.order.interleaved, found.order.parts_wrong) == (0, 0, 0)
    assert (found.twice, found.lost) == ([], [])
    assert found.outcomes == {"sent": 60}


# The other faults are for `python -m tests.replicas.measure redis-faults`: each takes ten seconds.
@pytest.mark.parametrize("fault", ["restarted-empty", "paused"])
async def test_trouble_with_redis_sends_nothing_twice_and_loses_nothing(
    ground: Ground, fault: redis_faults.Fault
) -> None:
    sizes = RedisFaults(
        workers=2, accounts=4, per_s=20.0, load_s=6.0, fault_after_s=2.0, fault_s=2.0,
        patience_s=40.0, allowed=SMALL,
    )  # fmt: skip
    found = await redis_faults.run(ground, sizes, fault)
    assert found.requests == 120
    assert (found.twice, found.lost, found.invented) == ([], [], [])
    assert found.violations == 0
    assert found.ready_again_s is not None


async def test_replaced_token_fails_nobody_and_a_revoked_one_is_called_with_once_a_worker(
    ground: Ground,
) -> None:
    sizes = Tokens(workers=2, accounts=2, per_s=20.0, rotations=2, every_s=1.0, revoked_s=2.0)
    found = await tokens.run(ground, sizes)
    assert found.failed_while_rotating == 0
    assert 0 < found.refused_calls <= sizes.workers
    assert found.dead == {"failed:account": found.dead.total()}
    assert found.replayed == {"sent": found.dead.total()}
    assert found.others_failed == 0
    assert found.twice == []


async def test_workers_are_replaced_one_by_one_and_no_request_fails(ground: Ground) -> None:
    sizes = Rolling(workers=2, people=20, per_s=40.0, warm_up_s=0.0, quiet_s=2.0, rest_s=0.2)
    found = await rolling.run(ground, sizes)
    assert found.while_rolling.count > 0
    assert (found.before.missing, found.while_rolling.missing) == (0, 0)
    assert set(found.outcomes) == {"sent"}
    assert (found.twice, found.lost, found.order.overlaps) == ([], [], 0)
    assert found.violations == 0


@pytest.mark.parametrize(("kind", "scales"), [("burst", True), ("hot", False)])
async def test_autoscaler_answers_a_burst_of_many_accounts_and_not_one_hot_account(
    ground: Ground, kind: hpa.Kind, scales: bool
) -> None:
    sizes = Hpa(
        accounts=20, per_account=15, hot=2000, hot_s=6.0, concurrency=6, latency_s=0.2,
        limit_per_s=10, target=5.0, most=3, sync_s=1.0, stabilization_s=2.0, patience_s=50.0,
    )  # fmt: skip
    found = await hpa.run(ground, sizes, kind)
    assert (found.most_workers > 1) is scales
    assert (found.missing, found.evidence.sent_more_than_once()) == (0, [])


async def test_people_are_told_once_that_a_bot_talks_though_workers_are_killed(
    ground: Ground,
) -> None:
    sizes = Disclosing(
        workers=2, accounts=2, conversations=20, per_s=25.0, life_s=1.5, after_s=3600.0,
        allowed=SMALL,
    )  # fmt: skip
    found = await disclosure.run(ground, sizes, has_lapse=False)
    assert (found.told.missing, found.told.superfluous) == ([], [])
    assert found.told.reasons["start"] == 20
    assert found.told.reasons["hand-over"] > 0
    assert (found.twice, found.lost) == ([], [])
    # A call that a kill cut off before it left is held: nobody can know.
    assert set(found.outcomes) <= {"sent", "held:unconfirmed"}
