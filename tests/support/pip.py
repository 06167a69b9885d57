"""Python packages that only a test of a recipe needs: in a folder of the test, not in .venv."""

import subprocess
import sys
from pathlib import Path

import pytest

_INSTALL_WITHIN_S = 180


def with_requirements(requirements: Path, folder: Path) -> Path:
    """Install into `folder`, for PYTHONPATH. Skips the test when the packages cannot be had."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    try:
        installed = subprocess.run(
            [*command, "--target", str(folder), "--requirement", str(requirements)],
            capture_output=True,
            timeout=_INSTALL_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"pip took more than {_INSTALL_WITHIN_S} s: is its index reachable?")
    if installed.returncode != 0:
        pytest.skip(f"pip failed with exit code {installed.returncode}: is its index reachable?")
    return folder
