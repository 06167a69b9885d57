"""A wheel, installed without the checkout, is complete: its commands run in an empty folder."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.builders import a_document
from tests.support.commands import Finished, run

ROOT = Path(__file__).parents[2]
BUILT_FROM = ("pyproject.toml", "README.md", "CHANGELOG.md", "worker", "schemas")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, so that the checkout stays as it is."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    done = asyncio.run(
        pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    )
    assert done.code == 0, done.err
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the `bin` of a virtual environment that has the wheel and this one's other packages."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    asyncio.run(_install(wheel, home))
    # After the wheel: among the other packages is igsend itself, from the checkout.
    (packages,) = home.glob("lib/python*/site-packages")
    others = [folder for folder in sys.path if Path(folder).name == "site-packages"]
    (packages / "others.pth").write_text("\n".join(others) + "\n")
    return home / "bin"


async def _install(wheel: Path, home: Path) -> None:
    made = await run(sys.executable, "-m", "venv", "--without-pip", home)
    assert made.code == 0, made.err
    done = await pip("--python", str(home / "bin" / "python"), "install", "--no-index", str(wheel))
    assert done.code == 0, done.err


async def pip(*arguments: str) -> Finished:
    options = ("--disable-pip-version-check", "--no-input")
    command = next(word for word in ("wheel", "install") if word in arguments)
    at = arguments.index(command) + 1
    return await run(
        sys.executable, "-m", "pip", *options, *arguments[:at], "--no-deps", *arguments[at:]
    )


async def test_it_is_the_installed_package_that_runs(installed: Path, tmp_path: Path) -> None:
    program = "import worker, worker.contract.schema_files as f; print(worker.__file__); " + (
        "print(f.schema_directory())"
    )
    done = await run(installed / "python", "-c", program, folder=tmp_path)
    places = [Path(line) for line in done.out.splitlines()]
    assert len(places) == 2, done.err
    assert all(place.is_relative_to(installed.parent) for place in places)


async def test_its_commands_work_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    igsend = installed / "igsend"
    lines = [a_document(id="good"), a_document(id="wrong", message={"text": ""})]
    given = "\n".join(map(json.dumps, lines)).encode()
    validated, shown, described, version = await asyncio.gather(
        run(igsend, "validate", "-", "--json", given=given, folder=tmp_path),
        run(igsend, "topology", "show", "--json", folder=tmp_path),
        run(igsend, "topology", "asyncapi", folder=tmp_path),
        run(installed / "python", "-m", "worker", "--version", folder=tmp_path),
    )
    assert (validated.code, validated.err) == (1, "")
    assert [(r["id"], r["valid"]) for r in validated.json_lines] == [
        ("good", True),
        ("wrong", False),
    ]
    assert validated.json_lines[1]["errors"] == [
        {"pointer": "/message/text", "message": "must not be empty"}
    ]
    assert (shown.code, shown.err) == (0, "")
    assert {row["kind"] for row in shown.json} == {"exchange", "queue", "binding"}
    assert described.out == (ROOT / "schemas" / "asyncapi.yaml").read_text()
    assert (version.code, version.err) == (0, "")
    assert os.listdir(tmp_path) == []


async def test_it_holds_every_schema_and_no_test(wheel: Path, tmp_path: Path) -> None:
    done = await run(sys.executable, "-m", "zipfile", "-e", wheel, tmp_path)
    assert done.code == 0, done.err
    schemas = tmp_path / "worker" / "contract" / "schemas"

    def files(folder: Path) -> dict[str, bytes]:
        found = folder.rglob("*.json")
        return {str(path.relative_to(folder)): path.read_bytes() for path in found}

    assert files(schemas) == files(ROOT / "schemas")
    assert {name for name in os.listdir(tmp_path) if not name.endswith(".dist-info")} == {"worker"}


PRODUCER = {
    "conftest.py": """
import socket
import pytest

pytest_plugins = ["worker.client.testing"]

@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_): raise AssertionError("a test of ours reached for the network")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
""",
    "shop.py": """
from worker.client import Client, NotTaken, Outcome, SyncClient, request, text

ACCOUNT = "17841405822304914"

async def tell(igsend: Client, order: int, person: str) -> Outcome | None:
    said = request(ACCOUNT, person, text(f"Order {order} is on its way."), id=f"order-{order}")
    try:
        receipt = await igsend.send(said)
    except NotTaken:
        return None
    return await receipt.outcome(timeout=30)

def tell_all(igsend: SyncClient, people: list[str]) -> int:
    requests = (request(ACCOUNT, each, text("Open again!"), id=f"open-{each}") for each in people)
    return sum(1 for _ in igsend.send_all(requests, lane="bulk"))
""",
    "test_shop.py": """
import asyncio
import pytest
from shop import tell, tell_all
from worker.client import InvalidRequest, NotTaken

def test_person_is_told(igsend):
    outcome = asyncio.run(tell(igsend, 7, "4711"))
    assert outcome.is_sent
    assert [each["id"] for each in igsend.requests] == ["order-7"]

def test_person_who_left_is_noticed(igsend):
    igsend.ends("rejected", when=lambda sent: sent["recipient"]["id"] == "4711")
    assert asyncio.run(tell(igsend, 7, "4711")).reason == "rejected"

def test_broker_that_is_not_set_up_is_survived(igsend):
    igsend.refuses(NotTaken("no exchange", request_id=None, account_id=None))
    assert asyncio.run(tell(igsend, 7, "4711")) is None

def test_mistake_is_caught_here(igsend):
    with pytest.raises(InvalidRequest, match="/recipient/id"):
        asyncio.run(tell(igsend, 7, "not a number!"))

def test_campaign_takes_its_lane(igsend_sync):
    assert tell_all(igsend_sync, ["1", "2"]) == 2
    assert {each.lane for each in igsend_sync.recorded} == {"bulk"}
""",
}


async def test_producers_tests_run_with_the_fake_and_without_a_broker(
    installed: Path, tmp_path: Path
) -> None:
    for name, text in PRODUCER.items():
        (tmp_path / name).write_text(text)
    # Only pytest itself and what is installed with the wheel: no plugin of this project's tests.
    plugins = ("asyncio", "cov", "timeout", "hypothesispytest", "cacheprovider")
    options = [word for each in plugins for word in ("-p", f"no:{each}")]
    done = await run(installed / "python", "-m", "pytest", "-q", *options, folder=tmp_path)
    assert done.code == 0, done.out
    assert "5 passed" in done.out
    typed = await run(
        installed / "python", "-m", "mypy", "--strict", "--no-incremental", "shop.py",
        folder=tmp_path,
    )  # fmt: skip
    assert typed.code == 0, typed.out
