"""A short run of each sort of fault; `python -m tests.chaos` does it at length."""

from pathlib import Path

import pytest

from tests.chaos.catalogue import catalogue
from tests.chaos.report import text
from tests.chaos.run import Sizes, run
from tests.chaos.schedule import Planned
from tests.chaos.stage import Cast
from tests.support.nodes import require_rabbitmq, require_redis

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]

REQUESTS = 200
# One after the other, each started when the last is over, except where they go together.
KINDS = (
    "worker: SIGKILL after announce",
    "broker: connections closed",
    "network to redis: cut",
    "API: reset after accepted",
    "Redis: SIGKILL",
    "broker: channels closed",
    "API: HTML 502",
    "broker: consumers cancelled",
    "worker: SIGKILL",
    "network to broker: cut",
    "clock: one pod steps",
    "API: storm of 429",
)
TOGETHER = {3, 5, 8}


def plan(kinds: tuple[str, ...]) -> list[Planned]:
    return [
        Planned(number, kind, is_combined=number in TOGETHER, after_s=0.2, dice=number)
        for number, kind in enumerate(kinds, 1)
    ]


async def test_nothing_is_lost_and_nothing_sent_twice(tmp_path: Path) -> None:
    require_rabbitmq()
    require_redis()
    cast = Cast(workers=2, accounts=5, folder=tmp_path)
    sizes = Sizes(REQUESTS, seed=1, patience_s=150)
    told: list[str] = []
    found = await run(cast, sizes, plan(KINDS), catalogue("redis"), told.append)
    assert found.troubles == {}, f"{text(found, sizes)}\n" + "\n".join(told)
    assert found.books.requests == REQUESTS
    assert len({past.planned.kind for past in found.past if past.struck.happened}) >= 10
