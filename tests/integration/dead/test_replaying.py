"""A replay takes what was selected, and nothing else; whatever ends it, nothing is lost."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.dead_letters.letters import Wanted
from tests.dead_letters.queues import emptied
from tests.integration.dead.graveyard import ACCOUNTS, COUNT, Graveyard
from worker.core.reason import Reason
from worker.dead import Order, Selection
from worker.dead.replay import Tally
from worker.dead.scan import ScanBroken
from worker.rabbit.link import CONNECTION_ERRORS

pytestmark = pytest.mark.broker

BATCH = "20261123T101500-7f3a"
CHOSEN = Selection(accounts=frozenset({ACCOUNTS[1]}))


def an_order(**fields: Any) -> Order:
    return Order(BATCH, "ada", **fields)


class Killed(Exception):
    """Ends a replay where a crash would."""


async def replay(graveyard: Graveyard, selection: Selection, order: Order | None = None) -> Tally:
    async with graveyard.tool() as tool, tool.at(Reason.ACCOUNT) as queue:
        return await queue.replay(selection, order or an_order())


async def test_selected_letters_go_once_and_the_rest_is_as_it_was(graveyard: Graveyard) -> None:
    tally = await replay(graveyard, CHOSEN)
    assert (tally.replayed, tally.left, tally.stopped) == (30, COUNT - 30, None)
    went = await graveyard.replayed()
    assert [taken.id for taken in went] == graveyard.of(ACCOUNTS[1])
    for taken in went:
        assert taken.message.plain_headers["x-igsend-replay-batch"] == BATCH
        assert taken.message.short("app_id") == b"crm"
    await graveyard.has_left(*graveyard.of(ACCOUNTS[1]))


async def test_limit_takes_the_oldest(graveyard: Graveyard) -> None:
    tally = await replay(graveyard, CHOSEN, an_order(limit=5))
    assert tally.replayed == 5
    first = graveyard.of(ACCOUNTS[1])[:5]
    assert [taken.id for taken in await graveyard.replayed()] == first
    await graveyard.has_left(*first)


async def test_plan_says_what_would_go_and_changes_nothing(graveyard: Graveyard) -> None:
    async with graveyard.tool() as tool, tool.at(Reason.ACCOUNT) as queue:
        plan = await queue.plan(CHOSEN, an_order())
    assert (plan.selected, plan.going, list(plan.accounts)) == (30, 30, [ACCOUNTS[1]])
    assert await graveyard.replayed() == []
    await graveyard.has_left()


@pytest.mark.parametrize("after", [1, 7, 29])
async def test_replay_that_dies_between_publish_and_ack_is_finished_by_the_next(
    graveyard: Graveyard, after: int
) -> None:
    calls = 0

    def die(_: Tally) -> None:
        nonlocal calls
        calls += 1
        if calls == after:
            raise Killed

    async with graveyard.tool() as tool:
        with pytest.raises(Killed):
            async with tool.at(Reason.ACCOUNT) as queue:
                await queue.replay(CHOSEN, an_order(), on_progress=die)
    chosen = graveyard.of(ACCOUNTS[1])
    assert await graveyard.ready() == COUNT, "nothing was acked"
    again = await replay(graveyard, CHOSEN)
    assert again.replayed == 30
    went = [taken.id for taken in await graveyard.replayed()]
    # The copies of the first run that still arrived have the ids of those of the second: workers
    # send one of both.
    copies = len(went) - len(chosen)
    assert 0 <= copies <= after
    assert went == chosen[:copies] + chosen
    await graveyard.has_left(*chosen)


async def test_letter_that_dies_again_meanwhile_does_not_join(graveyard: Graveyard) -> None:
    newer = Wanted(COUNT + 1, ACCOUNTS[1], 5)
    async with graveyard.tool() as tool, tool.at(Reason.ACCOUNT) as queue:
        await graveyard.bury(newer)
        tally = await queue.replay(CHOSEN, an_order())
    assert tally.replayed == 30
    went = [taken.id for taken in await graveyard.replayed()]
    assert newer.name not in went
    await graveyard.has_left(*went)


async def test_two_operators_at_once_replay_each_letter_once(graveyard: Graveyard) -> None:
    async with asyncio.TaskGroup() as tasks:
        replays = [tasks.create_task(replay(graveyard, CHOSEN)) for _ in range(2)]
    assert sorted(each.result().replayed for each in replays) == [0, 30]
    went = [taken.id for taken in await graveyard.replayed()]
    assert went == graveyard.of(ACCOUNTS[1])
    await graveyard.has_left(*went)


async def test_passes_after_passes_replay_each_letter_once(
    graveyard: Graveyard, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the broker took everything back after each letter.
    monkeypatch.setattr("worker.dead.queue.LONGEST_HOLD_S", -1.0)
    tally = await replay(graveyard, CHOSEN)
    assert tally.replayed == 30
    went = [taken.id for taken in await graveyard.replayed()]
    assert went == graveyard.of(ACCOUNTS[1])
    await graveyard.has_left(*went)


async def test_connection_that_is_lost_in_between_is_no_success_and_loses_nothing(
    graveyard: Graveyard,
) -> None:
    gone = asyncio.Event()

    def note(_: Tally) -> None:
        gone.set()

    async def lose() -> None:
        await gone.wait()
        await graveyard.broker.close_connections()

    async with asyncio.TaskGroup() as tasks:
        losing = tasks.create_task(lose())
        failure = await _failure_of(graveyard, note)
        await losing
    assert isinstance(failure, (*CONNECTION_ERRORS, asyncio.CancelledError, ScanBroken)), failure
    went = {taken.id for taken in await graveyard.replayed()}
    left = [taken.id for taken in await emptied(graveyard.url, graveyard.queue)]
    assert went | set(left) == graveyard.buried.keys()
    assert left == [name for name in graveyard.buried if name in left], "in order"


async def _failure_of(
    graveyard: Graveyard, on_progress: Callable[[Tally], None]
) -> BaseException | None:
    try:
        async with graveyard.tool() as tool, tool.at(Reason.ACCOUNT) as queue:
            await queue.replay(CHOSEN, an_order(rate_per_s=2.0), on_progress=on_progress)
    except BaseException as failure:
        return failure
    return None
