"""Imports point one way: the contracts in pyproject.toml hold."""

import subprocess
import sys

from tests.architecture.source_files import ROOT, source_files

RUN = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"


def test_import_contracts_are_kept() -> None:
    # In a process of its own: the linter imports the package it looks at.
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_production_code_imports_nothing_from_tests() -> None:
    importing = [
        file.path
        for file in source_files("worker")
        if "from tests" in file.text or "import tests" in file.text
    ]
    assert importing == []
