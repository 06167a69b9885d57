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
