"""What docs/python.md shows runs as it stands, by copy and paste."""

import re
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.commands import run, said
from tests.support.nodes import Broker
from tests.support.system import System, running_system
from worker.local.child import Child

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
ACCOUNT = "17841405822304914"
URL = "amqp://guest:guest@localhost:5672/"


def block(heading: str, number: int = 0) -> str:
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return blocks[number]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(
    module_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[System]:
    """A worker with the names that the page has; the broker's part is this module's own."""
    if module_broker.server.node is None:
        pytest.skip("the page's names may be in use on a foreign broker")
    broker = replace(module_broker, prefix="ig")
    folder = tmp_path_factory.mktemp("shop")
    async with running_system(broker, folder, {ACCOUNT: "IGAAshop"}) as system:
        yield system


def script(shop: System, heading: str, folder: Path) -> Path:
    text = block(heading)
    assert URL in text
    file = folder / "it.py"
    file.write_text(text.replace(URL, shop.broker.amqp_url))
    return file


async def test_first_message(shop: System, tmp_path: Path) -> None:
    done = await run(sys.executable, script(shop, "First message", tmp_path))
    assert done.code == 0, done.err
    assert done.out.startswith("sent None (")


async def test_many(shop: System, tmp_path: Path) -> None:
    done = await run(sys.executable, script(shop, "Many", tmp_path))
    assert done.code == 0, done.err
    assert done.out.splitlines() == [f"published open-678901234{n}" for n in (5, 6, 7)]


async def test_outcomes_of_a_service(shop: System, tmp_path: Path) -> None:
    command = [sys.executable, str(script(shop, "Outcomes of a whole service", tmp_path))]
    listener = Child("listener", command, environment={}, log=tmp_path / "listener.log")
    (tmp_path / "sender").mkdir()
    sender = script(shop, "Without an event loop", tmp_path / "sender")
    listener.start()
    try:
        # Until the queue is bound nothing is heard; the same request again is answered again.
        while "order-4712 sent None None" not in listener.said():
            done = await run(sys.executable, sender)
            assert (done.code, done.out) == (0, "sent\n"), done.err
            assert listener.is_running, listener.said()
        await said(listener, "order-4712 sent None None")
    finally:
        listener.kill()


async def test_tests_of_a_producer(tmp_path: Path) -> None:
    for number, name in enumerate(("conftest.py", "test_shop.py")):
        text = block("In your tests", number)
        assert text.startswith(f"# {name}\n")
        (tmp_path / name).write_text(text)
    done = await run(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder=tmp_path
    )
    assert done.code == 0, done.out
    assert "3 passed" in done.out
