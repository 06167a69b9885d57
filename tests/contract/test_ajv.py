"""The schemas say the same to Ajv, a validator of another make, on a corpus of thousands.

Both as they stand in `schemas/` (draft 2020-12) and as the AsyncAPI document has them (draft 07).
"""

from pathlib import Path
from typing import Any

import pytest

from tests.contract.ajv_runs import SCRIPT, Document, ajv_results
from tests.contract.corpus import example_documents, examples, variants
from tests.support.npm import with_packages
from worker.asyncapi.bundle import reference_to
from worker.asyncapi.document import asyncapi_document
from worker.contract.schema_files import SEND_REQUEST, compiled, schemas
from worker.contract.sentences import problems_of
from worker.contract.validator import RequestValidator
from worker.rabbit.names import Names

GIVEN = {
    "schemas/": {"schemas": list(schemas().values())},
    "asyncapi.yaml": {"components": asyncapi_document(Names("ig", 8))["components"]},
}
BEYOND_THE_SCHEMA = {
    f"invalid/{name}"
    for name, example in examples("invalid").items()
    if not example["schema_rejects"]
}


@pytest.fixture(scope="module")
def ajv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder where the script runs, with Ajv installed into it."""
    return with_packages(SCRIPT, tmp_path_factory.mktemp("ajv"))


def _corpus() -> list[Document]:
    corpus = [
        {"name": name, "schema": schema_id, "document": document}
        for name, schema_id, document in example_documents()
    ]
    for name, document in examples("valid").items():
        for number, variant in enumerate(variants(document)):
            entry = {"name": f"{name}, variant {number}", "schema": SEND_REQUEST}
            corpus.append({**entry, "document": variant})
    return corpus


def _as_named_in(source: str, corpus: list[Document]) -> list[Document]:
    if source == "schemas/":
        return corpus
    return [{**entry, "schema": f"asyncapi{_reference(entry['schema'])}"} for entry in corpus]


def _reference(schema_id: str) -> str:
    return reference_to(schema_id)["$ref"]


def _our_result(entry: Document) -> dict[str, Any]:
    schema, document = compiled(entry["schema"]), entry["document"]
    errors = schema.iter_errors(document)
    pointers = {problem.pointer for error in errors for problem in problems_of(error, document)}
    return {
        "name": entry["name"],
        "valid": schema.is_valid(document),
        "pointers": sorted(pointers),
    }


@pytest.mark.parametrize("source", GIVEN)
def test_ajv_gives_the_same_verdict_and_the_same_places_on_every_document(
    ajv: Path, source: str
) -> None:
    corpus = _corpus()
    ours = [_our_result(entry) for entry in corpus]
    theirs = ajv_results(ajv, GIVEN[source], _as_named_in(source, corpus))

    differing = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    assert differing == []


@pytest.mark.parametrize("source", GIVEN)
def test_ajv_and_the_worker_agree_on_thousands_of_requests_good_and_bad(
    ajv: Path, source: str
) -> None:
    """A schema cannot say everything (schemas/README.md): there, and only there, Ajv is milder."""
    corpus = [entry for entry in _corpus() if entry["schema"] == SEND_REQUEST]
    validator = RequestValidator()
    ours = [not validator.problems(entry["document"]) for entry in corpus]
    theirs = [
        each["valid"] for each in ajv_results(ajv, GIVEN[source], _as_named_in(source, corpus))
    ]

    names = [entry["name"] for entry in corpus]
    both = list(zip(names, ours, theirs, strict=True))
    assert {name for name, worker, other in both if worker != other} == BEYOND_THE_SCHEMA
    assert {name for name, worker, _ in both if not worker} >= BEYOND_THE_SCHEMA
    assert len(both) >= 6000
    assert ours.count(True) >= 400
    assert theirs.count(False) >= 5000
