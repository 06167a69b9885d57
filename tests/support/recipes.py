"""The recipes as their readers run them: the very files, on a system with the names of the demo."""

import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.builders import ACCOUNT_ID
from tests.support.nodes import AMQP_URL_VARIABLE, Broker
from tests.support.npm import with_packages
from tests.support.system import System, running_system

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"

# Where Debian's packages put the libraries.
GO_LIBRARY = Path("/usr/share/gocode/src/github.com/rabbitmq/amqp091-go")
JARS = [
    Path(f"/usr/share/java/{name}.jar")
    for name in (
        "amqp-client",
        "jackson-annotations",
        "jackson-core",
        "jackson-databind",
        "slf4j-api",
        "slf4j-nop",
    )
]
_COMPILED_WITHIN_S = 300


@dataclass(frozen=True, slots=True)
class Producer:
    """A recipe that is ready to run, in `folder`."""

    command: tuple[str, ...]
    folder: Path


def with_the_recipes_names(broker: Broker) -> Broker:
    """Give the same part of the broker with the names that the recipes use: `ig.…`."""
    if broker.server.node is None:
        pytest.skip(f"the recipes use `ig.…`: only on a private node, unset {AMQP_URL_VARIABLE}")
    return replace(broker, prefix="ig")


@asynccontextmanager
async def recipes_system(broker: Broker, folder: Path) -> AsyncIterator[System]:
    """Start what `make demo` starts: the account of the recipes, and the demo's names."""
    tokens = {ACCOUNT_ID: "IGAArecipes"}
    async with running_system(with_the_recipes_names(broker), folder, tokens) as system:
        yield system


def node_producer(folder: Path) -> Producer:
    """Install what the Node recipe needs; skips without Node, npm or its registry."""
    return Producer(("node", "producer.mjs"), with_packages(RECIPES / "node", folder))


def go_producer(folder: Path) -> Producer:
    """Compile the Go recipe; skips without Go and its AMQP library."""
    if shutil.which("go") is None or not GO_LIBRARY.is_dir():
        pytest.skip(
            "needs Debian's golang-go and golang-github-rabbitmq-amqp091-go-dev to compile it"
        )
    environment = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode"}
    environment["GOCACHE"] = str(folder / "cache")
    program = folder / "producer"
    _compiled(["go", "vet", "producer.go"], RECIPES / "go", environment)
    _compiled(["go", "build", "-o", str(program), "producer.go"], RECIPES / "go", environment)
    return Producer((str(program),), folder)


def java_producer(folder: Path) -> Producer:
    """Compile the Java recipe; skips without a JDK and its libraries."""
    if shutil.which("javac") is None or not all(jar.exists() for jar in JARS):
        pytest.skip(
            "needs a JDK and Debian's librabbitmq-client-java, libjackson2-databind-java and "
            "libslf4j-java to compile it"
        )
    path = ":".join([str(folder), *map(str, JARS)])
    source = str(RECIPES / "java" / "Producer.java")
    strict = ["-Xlint:all,-options", "-Werror", "--release", "11"]
    _compiled(["javac", *strict, "-cp", path, "-d", str(folder), source], folder, {})
    return Producer(("java", "-cp", path, "Producer"), folder)


PRODUCERS: dict[str, Callable[[Path], Producer]] = {
    "node": node_producer,
    "go": go_producer,
    "java": java_producer,
}


def _compiled(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["env", *(f"{name}={value}" for name, value in environment.items()), *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_COMPILED_WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
