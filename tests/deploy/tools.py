"""What checks deploy/ and is no Python package of ours: helm, kubernetes-validate, promtool."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).absolute().parents[2]
CHART = ROOT / "deploy" / "chart"
_TOOLS = ROOT / ".venv-deploy" / "bin"
_TO_JSON = "import json,sys,yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)"

Document = dict[str, Any]


def tool(name: str) -> Path:
    """Give the path of a tool; skips the test where it cannot be had."""
    path = _TOOLS / name
    if not path.exists():
        pytest.skip(f"{name} is not there; scripts/deploy-tools fetches it")
    return path


def run(name: str, *arguments: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [tool(name), *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


def rendered(*arguments: str | Path, release: str = "demo") -> str:
    """Render the chart with values as helm takes them; fails with what helm says."""
    done = run("helm", "template", release, CHART, "--namespace", "messaging", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def documents(text: str) -> list[Document]:
    """Read YAML documents, less empty ones."""
    done = run("python", "-c", _TO_JSON, given=text)
    assert done.returncode == 0, done.stderr
    return [each for each in json.loads(done.stdout) if each is not None]


def refusal(*arguments: str | Path) -> str:
    """Say why helm refuses these values; fails if it does not."""
    done = run("helm", "template", "demo", CHART, *arguments)
    assert done.returncode != 0, "helm took it"
    return done.stderr


def of_kind(found: Sequence[Document], kind: str) -> list[Document]:
    return [each for each in found if each["kind"] == kind]
