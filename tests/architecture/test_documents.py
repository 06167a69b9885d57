"""The documents name only commands, options, settings, endpoints, fields and files that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from worker.cli.main import app
from worker.config import Config, variable
from worker.core.outcome_event import Status
from worker.core.reason import Reason
from worker.telemetry.health import PATHS

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for folder in ("", "docs/", "docs/recipes/", "schemas/")
    for path in ROOT.glob(f"{folder}*.md")
)
README = (ROOT / "README.md").read_text()
by_document = pytest.mark.parametrize("document", DOCUMENTS)


def promised(document: str) -> str:
    """Give the text less the section on what is not built yet."""
    text = (ROOT / document).read_text()
    return re.sub(r"^## Not built yet$.*?(?=^## |\Z)", "", text, flags=re.MULTILINE | re.DOTALL)


def code_in(text: str) -> Iterator[str]:
    """Give every code span, and every line of the blocks that show commands."""
    without_fences = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", without_fences)
    yield from re.findall(r"^    (.+?)(?:  +#.*)?$", without_fences, flags=re.MULTILINE)


def rows_of(text: str, heading: str) -> list[str]:
    """Give the first cells of the first table below a heading."""
    section = text.partition(f"## {heading}\n")[2]
    table = re.search(r"(?:^\|.*\n)+", section, flags=re.MULTILINE)
    assert table, f"no table under {heading}"
    return [line.split("|")[1].strip() for line in table[0].splitlines()[2:]]


def test_the_documents_are_found_and_hold_commands() -> None:
    assert {"README.md", "docs/operations.md", "schemas/README.md"} <= set(DOCUMENTS)
    assert "igsend validate FILE" in set(code_in(README))


@by_document
def test_every_command_and_option_in_code_exists(document: str) -> None:
    root, context = typer.main.get_command(app), typer.Context(typer.main.get_command(app))
    for code in code_in(promised(document)):
        if not (called := re.search(r"(?:^|[ /])igsend ((?:[a-z-]+ ?)+.*)$", code)):
            continue
        command, words = root, called[1].split()
        while words and isinstance(command, TyperGroup) and not words[0].startswith("-"):
            found = command.get_command(context, words.pop(0))
            assert found is not None, f"{document}: igsend {called[1]}"
            command = found
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, f"{document}: {code}"


@by_document
def test_every_make_target_in_code_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for code in code_in(promised(document)):
        for target in re.findall(r"(?:^|[A-Z=1] |: )make ([a-z-]+)", code):
            assert target in targets, f"{document}: {code}"


@by_document
def test_every_setting_that_is_named_exists(document: str) -> None:
    settings = {variable(name) for name in Config.model_fields}
    names = set(re.findall(r"IGSEND_[A-Z_]*[A-Z]", promised(document)))
    assert {name for name in names if not name.startswith("IGSEND_TEST_")} <= settings


@by_document
def test_every_file_of_the_project_that_is_named_exists(document: str) -> None:
    folders = ("worker", "schemas", "docs", "deploy", "scripts", "tests")
    for code in code_in(promised(document)):
        named = code.split()[0].rstrip("/")
        if named.partition("/")[0] in folders and re.fullmatch(r"[\w./-]+", named):
            assert (ROOT / named).exists(), f"{document}: {named}"


@by_document
def test_every_link_leads_somewhere(document: str) -> None:
    folder = (ROOT / document).parent
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text()):
        assert (folder / target).exists(), f"{document}: {target}"


def test_the_readme_lists_the_fields_of_a_request() -> None:
    schema = json.loads((ROOT / "schemas" / "send-request.v1.json").read_text())
    listed = [
        name for row in rows_of(README, "The request") for name in re.findall(r"`(\w+)`", row)
    ]
    # `payload` stands beside the sender_action it belongs to.
    assert {*listed, "payload"} == set(schema["properties"])
    assert len(listed) == len(set(listed))


def test_the_readme_lists_every_way_a_request_can_end() -> None:
    section = README.partition("## How it ends\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([a-z]+)` \| (?:`([a-z]+)`)? ?\|", section, flags=re.MULTILINE)
    rows.remove(("status", "reason"))
    assert {status for status, _ in rows} == set(Status)
    # The broker itself puts requests there; no worker ends one so, and no event tells of it.
    assert {reason for _, reason in rows if reason} == set(Reason) - {Reason.SUSPECT}


def test_the_operators_page_has_every_endpoint_and_every_dead_letter_queue() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text()
    assert rows_of(operations, "Health") == [f"`{path}`" for path in PATHS]
    queues = [f"`ig.dead.{reason}`" for reason in Reason]
    assert rows_of(operations, "Dead letters") == queues


def test_every_dead_letter_header_that_is_named_exists() -> None:
    schema = json.loads((ROOT / "schemas" / "dead-letter-headers.v1.json").read_text())
    operations = (ROOT / "docs" / "operations.md").read_text()
    for span in re.findall(r"`(x-igsend-[a-z-]+)`((?:, `-[a-z-]+`)*)", operations):
        first, others = span
        names = [first, *(f"x-igsend{name}" for name in re.findall(r"`(-[a-z-]+)`", others))]
        assert set(names) <= set(schema["properties"])
