"""Where and with what it was measured."""

import os
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

from tests.bench.contenders import ROOT
from tests.bench.ground import Ground
from tests.support.commands import run

_OURS = ("aio-pika", "aiormq", "aiohttp", "uvloop", "orjson")
_THEIRS = ("celery", "dramatiq", "faststream", "taskiq", "taskiq-aio-pika", "urllib3")
_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True, slots=True)
class Facts:
    """Date, machine and versions; `sink_per_s` is what the sink takes by itself."""

    date: str
    machine: str
    versions: Mapping[str, str]
    sink_per_s: float

    def __str__(self) -> str:
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        sink = f"the sink alone takes {self.sink_per_s:,.0f} POST/s"
        return f"{self.date}; {self.machine}; {versions}; {sink}"


async def facts(ground: Ground, *, sink_per_s: float) -> Facts:
    """Ask everything for its version."""
    versions = {
        "Python": platform.python_version(),
        "RabbitMQ": await ground.rabbit.control("version"),
        "Redis": await _version("redis-server", "--version"),
        "nginx": await _version("/usr/sbin/nginx", "-v"),
        **_packages(_OURS, None),
        **_packages(_THEIRS, ROOT / ".venv-bench"),
    }
    machine = f"{os.cpu_count()} cores of {_model()}, Linux {platform.release().split('-')[0]}"
    return Facts(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", machine, versions, sink_per_s)


async def _version(*command: str) -> str:
    finished = await run(*command)
    found = _VERSION.search(finished.out + finished.err)
    assert found is not None, command
    return found[0]


def _packages(names: tuple[str, ...], venv: Path | None) -> dict[str, str]:
    places = sys.path if venv is None else [*map(str, venv.glob("lib/*/site-packages"))]
    known = {found.name.lower(): found.version for found in distributions(path=places)}
    return {name: known[name] for name in names if name in known}


def _model() -> str:
    found = re.search(r"^model name\s*: *(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
