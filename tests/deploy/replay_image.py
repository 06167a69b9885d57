"""Follows the Dockerfile without an engine, in a directory of its own: `make image-replay`.

It needs the package index, and takes a minute or two. The base image is this machine's Python.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.deploy.dockerfile import Instruction, Stage, stages_of
from tests.deploy.tools import ROOT

# What the image has at absolute places, and the replay below its directory.
_PLACES = ("/src", "/build", "/opt/igsend")
_UNWANTED = ("pip", "pytest", "mypy", "hatchling", "hypothesis")


def main() -> None:
    """Replay, then try what was made; raises with what went wrong."""
    with TemporaryDirectory(prefix="igsend-image-") as folder:
        build, final = stages_of()
        home = Path(folder)
        _replay(build, home)
        _try(home / "opt" / "igsend", final)
    sys.stdout.write("the steps of deploy/Dockerfile work, and what they make does too\n")


def _replay(stage: Stage, home: Path) -> None:
    environment, directory = dict(os.environ), home
    for step in stage.instructions:
        sys.stdout.write(f"{step.name} {step.text[:100]}\n")
        if step.name == "ENV":
            environment |= dict(word.split("=", 1) for word in step.words)
        elif step.name == "WORKDIR":
            directory = Path(_moved(step.text, home))
            directory.mkdir(parents=True)
        elif step.name == "COPY":
            _copy(step, directory)
        elif step.name == "RUN":
            command = [_moved(word, home) for word in step.words]
            command[0] = sys.executable if command[0] == "python" else command[0]
            subprocess.run(command, cwd=directory, env=environment, check=True)
        else:
            raise ValueError(f"{step.name} is not expected in the stage that builds")


def _copy(step: Instruction, directory: Path) -> None:
    *sources, target = step.words
    for source in sources:
        place = directory / target
        if (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, place, ignore=ignored)
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, place)


def _moved(word: str, home: Path) -> str:
    is_ours = any(word == place or word.startswith(f"{place}/") for place in _PLACES)
    return f"{home}{word}" if is_ours else word


def _try(installed: Path, final: Stage) -> None:
    (entry,) = final.named("ENTRYPOINT")
    program = installed / "bin" / entry.words[0]
    for arguments in (["--version"], ["topology", "export"], ["worker", "--help"]):
        subprocess.run([program, *arguments], check=True, stdout=subprocess.DEVNULL)
    python = installed / "bin" / "python"
    subprocess.run([python, "-c", "import uvloop, hiredis, worker.app"], check=True)
    # Not from this checkout, which lies in the current directory.
    where = subprocess.run(
        [python, "-P", "-c", "import worker; print(worker.__file__)"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert where.startswith(str(installed)), where
    packages = {path.name.partition("-")[0] for path in installed.glob("lib/*/site-packages/*")}
    assert not packages & set(_UNWANTED), packages & set(_UNWANTED)


if __name__ == "__main__":
    main()
