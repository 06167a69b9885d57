"""Runs Ajv, a validator of another make, on schemas and documents."""

import json
import subprocess
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parent / "ajv"

Document = dict[str, Any]


def ajv_results(folder: Path, given: dict[str, Any], corpus: list[Document]) -> list[Document]:
    """Give for each `{name, schema, document}` its name, whether it is valid, and pointers.

    `given` is {"schemas": [...]}, or {"components": ...} of an AsyncAPI document.
    """
    ran = subprocess.run(
        ["node", "validate.cjs"],
        cwd=folder,
        input=json.dumps({**given, "documents": corpus}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    results: list[Document] = json.loads(ran.stdout)
    return results
