"""The schemas say the same to Ajv, a validator of another make, on a corpus of thousands."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.contract.corpus import example_documents, examples, variants
from tests.support.npm import with_packages
from worker.contract.schema_files import SEND_REQUEST, compiled, schemas
from worker.contract.sentences import problems_of

_SCRIPT = Path(__file__).parent / "ajv"


@pytest.fixture(scope="module")
def ajv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder where the script runs, with Ajv installed into it."""
    return with_packages(_SCRIPT, tmp_path_factory.mktemp("ajv"))


def _corpus() -> list[dict[str, Any]]:
    corpus = [
        {"name": name, "schema": schema_id, "document": document}
        for name, schema_id, document in example_documents()
    ]
    for name, document in examples("valid").items():
        for number, variant in enumerate(variants(document)):
            entry = {"name": f"{name}, variant {number}", "schema": SEND_REQUEST}
            corpus.append({**entry, "document": variant})
    return corpus


def _ajv_results(folder: Path, corpus: list[dict[str, Any]]) -> list[dict[str, Any]]:
    ran = subprocess.run(
        ["node", "validate.cjs"],
        cwd=folder,
        input=json.dumps({"schemas": list(schemas().values()), "documents": corpus}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    results: list[dict[str, Any]] = json.loads(ran.stdout)
    return results


def _our_result(entry: dict[str, Any]) -> dict[str, Any]:
    schema, document = compiled(entry["schema"]), entry["document"]
    errors = schema.iter_errors(document)
    pointers = {problem.pointer for error in errors for problem in problems_of(error, document)}
    return {
        "name": entry["name"],
        "valid": schema.is_valid(document),
        "pointers": sorted(pointers),
    }


def test_ajv_gives_the_same_verdict_and_the_same_places_on_every_document(ajv: Path) -> None:
    corpus = _corpus()
    ours = [_our_result(entry) for entry in corpus]
    theirs = _ajv_results(ajv, corpus)

    differing = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    assert differing == []
    verdicts = [result["valid"] for result in theirs]
    assert len(verdicts) >= 300
    assert verdicts.count(True) >= 60
    assert verdicts.count(False) >= 60
