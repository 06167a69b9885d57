"""A stranger pastes what the demo prints, then what the README shows, and reads `sent`."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.commands import Finished, run, said, started
from tests.support.nodes import require_rabbitmq
from tests.support.npm import with_packages
from tests.support.recipes import RECIPES

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def pasted(section: str) -> list[str]:
    """Give what there is to paste into a shell in a section of the README."""
    text = README.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


PYTHON, NODE = pasted("Your first message")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def terminal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """What the demo prints for another terminal, while it runs."""
    require_rabbitmq()
    demo = started(
        "demo", settings={"KEEP": "1"}, folder=tmp_path_factory.mktemp("demo"), name="demo"
    )
    try:
        await said(demo, "Ctrl-C here ends it all")
        shown = demo.said().partition("Paste this into another terminal:")[2]
        yield "".join(re.findall(r"^    .*\n", shown, flags=re.MULTILINE))
    finally:
        await demo.end(patience_s=40)


async def in_a_shell(*pastes: str) -> Finished:
    # Anywhere but in the checkout: what the demo prints goes there by itself.
    return await run("bash", given="\n".join(pastes).encode(), folder=Path("/"))


async def test_what_the_demo_prints_sends_a_first_message(terminal: str) -> None:
    done = await in_a_shell(terminal)
    assert (done.code, done.err) == (0, "")
    assert re.match(r"sent +example-text ", done.out)


async def test_python_snippet_sends_and_hears_of_it(terminal: str) -> None:
    says_sent(await in_a_shell(terminal, PYTHON))


async def test_node_snippet_sends_and_hears_of_it(terminal: str, tmp_path: Path) -> None:
    with_packages(RECIPES / "node", tmp_path)  # skips where it could not be installed
    says_sent(await in_a_shell(terminal, NODE))


def says_sent(done: Finished) -> None:
    assert (done.code, done.err) == (0, "")
    *_, taken, ended = done.out.splitlines()
    assert re.fullmatch(r"RabbitMQ has it: \S{32,36}", taken)
    assert re.fullmatch(r"sent aWdf\S+", ended)


@pytest.mark.parametrize("snippet", [PYTHON, NODE], ids=["python", "node"])
async def test_snippet_survives_the_shells_history_expansion(snippet: str) -> None:
    """An interactive bash replaces `!`, in a here-document too."""
    assert "!" not in snippet
