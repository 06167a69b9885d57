"""The outbox of docs/recipes: what is committed is sent once, in order, however its relay dies."""

import asyncio
import contextlib
import importlib.util
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from types import ModuleType

import aio_pika
import orjson
import pytest
import pytest_asyncio

from tests.support.builders import ACCOUNT_ID
from tests.support.commands import environment
from tests.support.nodes import Broker
from tests.support.recipes import RECIPES, recipes_system
from tests.support.system import System
from tests.support.waiting import eventually
from worker.client import request, text

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

PROGRAM = RECIPES / "python" / "outbox.py"
ROOT = Path(__file__).parents[2]
NEVER = 0
# What the relay comes to only when RabbitMQ does not take a request, or something is broken.
UNREACHED = {"print(result, file=sys.stderr)", "continue", "raise result"}


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("outbox", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


outbox = loaded()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recipes(
    module_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    async with recipes_system(module_broker, tmp_path_factory.mktemp("system")) as system:
        yield system


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(outbox.TABLE)
    return path


def source(line: int) -> str:
    return PROGRAM.read_text().splitlines()[line - 1].strip()


def put(database: Path, person: str, *messages: str) -> None:
    """Commit messages to a person, as a producer does."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for message in messages:
            outbox.put(connection, request(ACCOUNT_ID, person, text(message), id=message))


def put_empty_text(database: Path, *, id: str) -> None:
    """Commit a request that breaks the contract."""
    with closing(sqlite3.connect(database)) as connection, connection:
        outbox.put(connection, request(ACCOUNT_ID, "70004", text(""), id=id))


def left(database: Path) -> int:
    """Count the rows that are still to do."""
    with closing(sqlite3.connect(database)) as connection:
        found: tuple[int] = connection.execute(
            "SELECT count(*) FROM igsend_outbox WHERE done_at IS NULL"
        ).fetchone()
    return found[0]


@asynccontextmanager
async def relay(
    system: System, database: Path, *, killed_at: int = NEVER
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the recipe's relay; it is killed at the end of the block, if not at its line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.killed_at", str(killed_at)),
        *(str(PROGRAM), str(database)),
        env=environment({"IGSEND_AMQP_URL": system.broker.amqp_url}),
        cwd=ROOT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def all_done(system: System, database: Path) -> None:
    """Let a relay that nobody kills do the rest."""
    async with relay(system, database):
        await eventually(lambda: left(database) == 0)


async def texts_to(system: System, person: str, *, wanted: int) -> list[str]:
    """Give what arrived, once as many have as are wanted."""

    async def texts() -> list[str]:
        return [
            message["body"]["message"]["text"]
            for message in await system.sandbox.messages(ACCOUNT_ID)
            if message["recipient_id"] == person
        ]

    async def are_there() -> bool:
        return len(await texts()) >= wanted

    await eventually(are_there)
    return await texts()


async def test_killed_at_each_of_its_lines_it_sends_every_row_once_and_in_order(
    recipes: System, database: Path
) -> None:
    lines = sorted({line for *_, line in outbox.relay_once.__code__.co_lines() if line})
    people = {"70001": list[str](), "70002": list[str]()}
    killed = []
    async with await aio_pika.connect(recipes.broker.amqp_url) as connection:
        events = await (await connection.channel()).declare_queue(exclusive=True)
        await events.bind("ig.outcomes", "#")
        for line in lines:
            for person, messages in people.items():
                new = [f"{person}-line-{line}-{number}" for number in (1, 2)]
                put(database, person, *new)
                messages.extend(new)
            put_empty_text(database, id=f"empty-{line}")
            if await was_killed(recipes, database, line):
                killed.append(line)
        await all_done(recipes, database)
        arrived = {
            person: await texts_to(recipes, person, wanted=len(messages))
            for person, messages in people.items()
        }
        outcomes = [orjson.loads(event.body) async for event in all_of(events)]
    assert {source(line) for line in set(lines) - set(killed)} == UNREACHED
    assert arrived == people
    # Without a duplicate, no kill was between the publish and its mark.
    assert any(outcome["duplicate"] for outcome in outcomes)
    assert {outcome["status"] for outcome in outcomes} == {"sent"}


async def was_killed(system: System, database: Path, line: int) -> bool:
    """Run a relay until it dies at the line, or has done all without coming to it."""
    async with relay(system, database, killed_at=line) as process:
        await eventually(lambda: process.returncode is not None or left(database) == 0)
        # It comes to its last lines when the last row is done, at the latest in an idle round.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 4 * outbox.IDLE_S)
        return process.returncode is not None


async def all_of(
    queue: aio_pika.abc.AbstractQueue,
) -> AsyncIterator[aio_pika.abc.AbstractIncomingMessage]:
    while (message := await queue.get(fail=False, no_ack=True)) is not None:
        yield message


async def test_what_is_rolled_back_is_not_sent(recipes: System, database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        outbox.put(connection, request(ACCOUNT_ID, "70003", text("rolled back")))
        connection.rollback()
    put(database, "70003", "committed")
    await all_done(recipes, database)
    assert await texts_to(recipes, "70003", wanted=1) == ["committed"]


async def test_row_that_is_invalid_says_why_and_holds_nothing_up(
    recipes: System, database: Path
) -> None:
    put_empty_text(database, id="empty")
    put(database, "70004", "after-it")
    await all_done(recipes, database)
    assert await texts_to(recipes, "70004", wanted=1) == ["after-it"]
    with closing(sqlite3.connect(database)) as connection:
        problems = connection.execute("SELECT problem FROM igsend_outbox ORDER BY position")
        first, second = [problem for (problem,) in problems]
    assert "/message/text" in first
    assert second is None
