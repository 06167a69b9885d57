"""Scripts for Node: a copy in a folder of the test, with the packages they name installed there."""

import shutil
import subprocess
from pathlib import Path

import pytest

_INSTALL_WITHIN_S = 120


def with_packages(script: Path, folder: Path) -> Path:
    """Copy the folder `script` into `folder` and install what its package.json pins.

    Skips the test, with the reason, without Node or when the packages cannot be had.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed: this check needs both")
    shutil.copytree(
        script, folder, ignore=shutil.ignore_patterns("node_modules"), dirs_exist_ok=True
    )
    try:
        installed = subprocess.run(
            ["npm", "install", "--ignore-scripts"],
            cwd=folder,
            capture_output=True,
            timeout=_INSTALL_WITHIN_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm install took more than {_INSTALL_WITHIN_S} s: is its registry reachable?")
    if installed.returncode != 0:
        pytest.skip(f"npm install failed with exit code {installed.returncode}")
    return folder
