"""A success that says a limit is nearly used up: it counts, and the limit is left alone at once."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import pytest_asyncio

from tests.gate.world import World, a_request, memory_world, redis_world
from tests.support.pipeline import Pipeline, a_delivery
from tests.support.waiting import eventually
from worker.core.account import Account
from worker.core.admission import Go, NotYet
from worker.core.outcome import Postponed, Wait
from worker.core.outcome_event import Status
from worker.core.progress import Progress
from worker.core.secret import Secret
from worker.core.send_result import GraphError, Scope, Sent, Throttled

FULL = GraphError("nearly used up", http_status=200)
OTHER = "17841400000000002"
TWO_PARTS: dict[str, Any] = {"message": None, "messages": [{"text": "1"}, {"text": "2"}]}


def pressed(
    mid: str = "a", scope: Scope = Scope.ACCOUNT, *, retry_after_s: float | None = None
) -> Sent:
    return Sent(mid, None, Throttled(scope, FULL, retry_after_s))


def a_pipeline(*script: Sent) -> Pipeline:
    pipeline = Pipeline()
    pipeline.accounts.known[OTHER] = Account(OTHER, Secret("IGAAother"))
    pipeline.graph.script = [*script]
    return pipeline


def to(person: str, **fields: Any) -> Any:
    return a_delivery(id=f"to-{person}", recipient={"id": person}, **fields)


async def all_under_way_at_once(pipeline: Pipeline, count: int) -> None:
    """Send so many requests whose calls are all open before the first is answered."""
    hold = pipeline.graph.hold = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        # One by one: whoever waits for a slot moves the clock that they share.
        for number in range(count):
            tasks.create_task(pipeline(to(f"p{number}")))
            await eventually(partial(_is_under_way, pipeline, number + 1))
        hold.set()


def _is_under_way(pipeline: Pipeline, count: int) -> bool:
    return len(pipeline.graph.sent) == count


def last_wait_s(pipeline: Pipeline) -> float:
    return pipeline.publisher.parked[-1][2]


async def test_message_counts_as_sent_and_the_next_of_the_account_waits() -> None:
    pipeline = a_pipeline(pressed(retry_after_s=60.0))
    await pipeline(a_delivery())
    event, _ = pipeline.publisher.announced[0]
    assert (event.status, event.message_ids, event.attempts) == (Status.SENT, ("a",), 1)
    await pipeline(to("1"))
    assert len(pipeline.graph.sent) == 1
    assert last_wait_s(pipeline) == pytest.approx(60, abs=0.1)
    outcome = pipeline.observer.reports[-1].outcome
    assert isinstance(outcome, Postponed)
    assert (outcome.why, outcome.progress.attempts) == (Wait.COOLDOWN, 0)
    await pipeline(to("2", account_id=OTHER))
    assert len(pipeline.graph.sent) == 2
    assert not pipeline.mishaps


async def test_pressure_on_the_app_makes_every_account_wait() -> None:
    pipeline = a_pipeline(pressed(scope=Scope.APP))
    await pipeline(a_delivery())
    await pipeline(to("2", account_id=OTHER))
    assert len(pipeline.graph.sent) == 1
    assert last_wait_s(pipeline) == pytest.approx(5, abs=0.1)


async def test_rest_of_a_request_waits_and_goes_on_behind_the_part_that_went() -> None:
    pipeline = a_pipeline(pressed("a", retry_after_s=60.0))
    await pipeline(a_delivery(**TWO_PARTS))
    [(_, progress, delay_s)] = pipeline.publisher.parked
    assert (progress.sent, progress.attempts) == (("a",), 0)
    assert delay_s == pytest.approx(60, abs=0.1)
    await pipeline(pipeline.come_back())
    texts = [part.body["message"]["text"] for _, part, _ in pipeline.graph.sent]
    assert texts == ["1", "2"]
    event, _ = pipeline.publisher.announced[0]
    assert (event.status, event.message_ids) == (Status.SENT, ("a", "mid-2"))


async def test_part_that_went_is_on_record_before_the_gate_is_told() -> None:
    pipeline = a_pipeline(pressed())

    async def broken(*_: object) -> NotYet:
        raise ValueError("a bug")

    pipeline.gate.close = broken  # type: ignore[method-assign, assignment]  # the bug under test
    await pipeline(a_delivery(**TWO_PARTS))
    [(_, progress, _)] = pipeline.publisher.parked
    assert progress.sent == ("a",), "a bug must not send it twice"


async def test_one_request_asks_after_the_end_and_a_good_answer_opens_the_account() -> None:
    pipeline = a_pipeline(pressed())
    await pipeline(a_delivery())
    await pipeline(to("1"))
    await pipeline(pipeline.come_back())
    await pipeline(to("2"))
    assert len(pipeline.graph.sent) == 3


async def test_cooldown_grows_while_each_that_asks_is_told_the_same() -> None:
    pipeline = a_pipeline(*(pressed(f"m{n}") for n in range(9)))
    waits = []
    await pipeline(a_delivery())
    for number in range(8):
        await pipeline(to(str(number)))
        waits.append(round(last_wait_s(pipeline)))
        await pipeline(pipeline.come_back())
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]


async def test_calls_under_way_when_it_was_closed_do_not_make_the_cooldown_grow() -> None:
    pipeline = a_pipeline(*(pressed(f"m{n}") for n in range(8)))
    await all_under_way_at_once(pipeline, 8)
    await pipeline(a_delivery())
    assert last_wait_s(pipeline) == pytest.approx(5, abs=0.1)


async def test_estimate_that_comes_after_the_closing_still_counts() -> None:
    pipeline = a_pipeline(pressed("m0"), pressed("m1", retry_after_s=600.0))
    await all_under_way_at_once(pipeline, 2)
    await pipeline(a_delivery())
    assert last_wait_s(pipeline) == pytest.approx(600, abs=0.1)


@pytest_asyncio.fixture(params=["memory", "redis"], loop_scope="session")
async def gate(request: pytest.FixtureRequest, redis: str) -> AsyncIterator[World]:
    """A gate that nobody has used yet."""
    async with memory_world() if request.param == "memory" else redis_world(redis) as world:
        yield world


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("scope", [Scope.ACCOUNT, Scope.APP])
async def test_success_itself_does_not_open_what_it_closed(gate: World, scope: Scope) -> None:
    first = a_request()
    await gate.admit(first)
    opens_at = gate.clock.now() + 60
    await gate.close(first, Throttled(scope, FULL, 60.0))
    await gate.finish(first)
    others = [a_request(id=f"o{n}", recipient={"id": f"p{n}"}) for n in range(3)]
    back = Progress(is_republished=True)
    for moment in (gate.clock.now(), opens_at - 0.1):
        gate.clock.time = moment
        waiting = await gate.admit(others[0], progress=back)
        assert isinstance(waiting, NotYet)
        assert waiting.until >= opens_at
    gate.clock.time = opens_at + 0.01
    assert isinstance(await gate.admit(others[0], progress=back), Go), "one asks"
    assert isinstance(await gate.admit(others[1], progress=back), NotYet)
    await gate.finish(others[0])
    assert isinstance(await gate.admit(others[2], progress=back), Go)
