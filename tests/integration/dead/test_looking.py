"""Looking changes nothing: not the letters, not their order, not their number."""

import asyncio
import sys
from contextlib import aclosing, suppress

import aio_pika
import pytest

from tests.dead_letters.letters import Wanted
from tests.integration.dead.graveyard import ACCOUNTS, COUNT, Graveyard
from worker.core.reason import Reason
from worker.dead import Letter, Selection
from worker.dead.lock import Locked, QueueMissing
from worker.dead.rest import InUse, count_at_rest
from worker.dead.scan import a_scan
from worker.rabbit.link import CONNECT_TIMEOUT_S
from worker.rabbit.wire.connection import Wire, connect

pytestmark = pytest.mark.broker

# A scan of its own, which is killed while it holds everything.
_HOLDER = """
import asyncio, sys
from worker.dead.scan import a_scan
from worker.rabbit.wire.connection import connect

async def hold(url, queue, total, most):
    connection, wire = await connect(url, client_properties={}, timeout_s=15)
    async with a_scan(wire, queue, total=total, picks=lambda _: False, most_of_a_consumer=most):
        print("holds", flush=True)
        await asyncio.Event().wait()

asyncio.run(hold(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""


async def looked(graveyard: Graveyard, selection: Selection, limit: int | None = None) -> list[str]:
    async with (
        graveyard.tool() as tool,
        tool.at(Reason.ACCOUNT) as queue,
        aclosing(queue.letters(selection, limit=limit)) as letters,
    ):
        return [letter.id or "" async for letter in letters]


async def test_letters_are_shown_in_order_and_stay(graveyard: Graveyard) -> None:
    everything = list(graveyard.buried)
    for _ in range(5):
        assert await looked(graveyard, Selection()) == everything
        assert await looked(graveyard, Selection(), 7) == everything[:7]
        selection = Selection(accounts=frozenset({ACCOUNTS[1]}))
        assert await looked(graveyard, selection) == graveyard.of(ACCOUNTS[1])
        assert await looked(graveyard, selection, 4) == graveyard.of(ACCOUNTS[1])[:4]
    await graveyard.has_left()


@pytest.mark.parametrize("most", [3, 7, 89, COUNT])
async def test_any_number_of_consumers_keeps_the_order(graveyard: Graveyard, most: int) -> None:
    connection, wire = await _connected(graveyard)
    async with connection:
        for _ in range(3):
            async with a_scan(
                wire, graveyard.queue, total=COUNT, picks=lambda _: True, most_of_a_consumer=most
            ) as scan:
                found = [Letter(message, Reason.ACCOUNT).id for message in scan]
            assert found == list(graveyard.buried)
            assert await count_at_rest(wire.connection, graveyard.queue) == COUNT
    await graveyard.has_left()


async def test_letters_that_come_during_a_scan_are_behind_it(graveyard: Graveyard) -> None:
    connection, wire = await _connected(graveyard)
    async with connection:
        async with a_scan(
            wire, graveyard.queue, total=COUNT - 1, picks=lambda _: True, most_of_a_consumer=50
        ) as scan:
            # Two consumers of 45 hold one letter more than they were to take.
            await graveyard.bury(Wanted(COUNT + 1, ACCOUNTS[0], 5))
            assert len(scan) == COUNT - 1
        assert await count_at_rest(wire.connection, graveyard.queue) == COUNT + 1
    await graveyard.has_left()


@pytest.mark.parametrize("most", ["4", str(COUNT)])
async def test_what_a_killed_look_held_is_back_in_order_before_the_next_one(
    graveyard: Graveyard, most: str
) -> None:
    connection, wire = await _connected(graveyard)
    async with connection:
        for _ in range(3):
            holder = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _HOLDER, graveyard.url, graveyard.queue, str(COUNT), most,
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            try:
                assert holder.stdout is not None
                assert await holder.stdout.readline() == b"holds\n"
                with pytest.raises(InUse, match="somebody else reads"):
                    await count_at_rest(wire.connection, graveyard.queue, patience_s=0.0)
            finally:
                holder.kill()
                await holder.wait()
            assert await count_at_rest(wire.connection, graveyard.queue) == COUNT
    assert await looked(graveyard, Selection()) == list(graveyard.buried)
    await graveyard.has_left()


async def test_look_that_is_cancelled_leaves_everything(graveyard: Graveyard) -> None:
    # Each ends at another of its steps.
    for pause_s in (number * 0.003 for number in range(40)):
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await looked(graveyard, Selection())
    assert await looked(graveyard, Selection()) == list(graveyard.buried)
    await graveyard.has_left()


async def test_many_at_once_look_one_after_the_other(graveyard: Graveyard) -> None:
    async with asyncio.TaskGroup() as tasks:
        looks = [tasks.create_task(looked(graveyard, Selection())) for _ in range(4)]
    assert [look.result() for look in looks] == [list(graveyard.buried)] * 4
    await graveyard.has_left()


async def test_who_does_not_wait_is_told_that_somebody_is_there(graveyard: Graveyard) -> None:
    async with graveyard.tool() as first, first.at(Reason.ACCOUNT), graveyard.tool() as second:
        with pytest.raises(Locked):
            async with second.at(Reason.ACCOUNT, wait_s=0.0):
                pass
        async with second.at(Reason.EXPIRED, wait_s=0.0) as queue:
            assert queue.total == 0


async def test_scan_that_follows_another_one_at_once_sees_the_same(graveyard: Graveyard) -> None:
    async with graveyard.tool() as tool, tool.at(Reason.ACCOUNT) as queue:
        for _ in range(20):
            async with aclosing(queue.letters(Selection())) as letters:
                assert [letter.id async for letter in letters] == list(graveyard.buried)
    await graveyard.has_left()


async def test_queue_that_is_not_there_is_named(graveyard: Graveyard) -> None:
    async with await aio_pika.connect(graveyard.url) as connection:
        await (await connection.channel()).queue_delete(graveyard.queue)
    async with graveyard.tool() as tool:
        with pytest.raises(QueueMissing, match=graveyard.queue):
            async with tool.at(Reason.ACCOUNT):
                pass


async def _connected(graveyard: Graveyard) -> tuple[aio_pika.abc.AbstractConnection, Wire]:
    return await connect(graveyard.url, client_properties={}, timeout_s=CONNECT_TIMEOUT_S)
