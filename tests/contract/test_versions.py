"""The promises of v1 (schemas/README.md, Versions): what was right once stays right for ever."""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.compatibility import narrowings, surprises
from tests.contract.corpus import EXAMPLES, SCHEMA_OF_FOLDER, example_documents, examples, variants
from worker.contract.schema_files import (
    DEAD_LETTER_HEADERS,
    OUTCOME,
    SEND_REQUEST,
    compiled,
    compiled_from,
    schemas,
)
from worker.contract.validator import RequestValidator
from worker.core.request_schema import REQUEST_SCHEMA

_SCHEMAS = EXAMPLES.parent
_LIST = (_SCHEMAS / "kept.sha256").read_text().splitlines()
_KEPT = {path: digest for digest, path in (line.split("  ") for line in _LIST)}
# The first lines of the list, as they were released: examples, and the digest of their lines.
_FIRST_RELEASE = (43, "95f12eef9835998bbd65e61b3cec15f77dbf8d278c130e6c51625b7230bad6ef")

_FIRST_SCHEMAS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "v1.0.schemas.json").read_text()
)


def _example(path: str) -> Any:
    return json.loads((_SCHEMAS / path).read_text())


def _schema_id(path: str) -> str:
    return SCHEMA_OF_FOLDER[Path(path).parent.name]


def test_no_example_was_taken_off_the_list() -> None:
    count, digest = _FIRST_RELEASE
    lines = "".join(f"{line}\n" for line in _LIST[:count])
    assert hashlib.sha256(lines.encode()).hexdigest() == digest
    assert len(_LIST) == len(_KEPT)


@pytest.mark.parametrize("path", _KEPT)
def test_a_kept_example_is_as_it_was(path: str) -> None:
    digest = hashlib.sha256((_SCHEMAS / path).read_bytes()).hexdigest()
    assert digest == _KEPT[path], "it is kept for ever: write a new example beside it"


@pytest.mark.parametrize("path", _KEPT)
def test_a_kept_example_is_valid_for_ever(path: str) -> None:
    document, schema_id = _example(path), _schema_id(path)
    if schema_id == SEND_REQUEST:
        assert RequestValidator().problems(document) == []
    assert compiled(schema_id).is_valid(document)


def test_every_valid_example_is_kept() -> None:
    present = {
        f"examples/{name}.json" for name, _, _ in example_documents() if "invalid/" not in name
    }
    assert present == set(_KEPT), "add it: cd schemas && sha256sum FILE >> kept.sha256"


def test_what_the_first_schemas_took_is_taken_now() -> None:
    first = compiled_from(_FIRST_SCHEMAS, SEND_REQUEST)
    taken = [
        variant
        for example in examples("valid").values()
        for variant in (example, *variants(example))
        if first.is_valid(variant)
    ]
    assert len(taken) >= 400
    assert [each for each in taken if not compiled(SEND_REQUEST).is_valid(each)] == []


def _requests(of: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in of.items() if name not in (OUTCOME, DEAD_LETTER_HEADERS)}


def test_no_rule_for_requests_is_narrower_than_it_was_at_first() -> None:
    assert list(narrowings(_requests(_FIRST_SCHEMAS), _requests(dict(schemas())))) == []


@pytest.mark.parametrize("schema_id", [OUTCOME, DEAD_LETTER_HEADERS])
def test_what_readers_of_events_rely_on_is_as_it_was_at_first(schema_id: str) -> None:
    assert list(surprises(_FIRST_SCHEMAS[schema_id], schemas()[schema_id])) == []


def test_events_say_the_version_of_their_schema_and_by_which_the_request_was_read() -> None:
    assert schemas()[OUTCOME]["properties"]["schema"]["const"] == "igsend.outcome.v1"
    read_by = {name: example["request_schema"] for name, example in examples("outcome").items()}
    assert read_by.pop("failed-invalid-unknown-version") is None
    assert set(read_by.values()) == {REQUEST_SCHEMA}


def _changed(path: str, value: Any) -> dict[str, Any]:
    """Give the schemas of now with one change, at a path like `<id> properties text`."""
    changed = copy.deepcopy(dict(schemas()))
    parent: Any = changed
    *way, last = path.split(" ")
    for step in way:
        parent = parent[step]
    if value is None:
        del parent[last]
    else:
        parent[last] = value
    return changed


_REQUEST = "urn:igsend:send-request:v1"
_VALUES = "urn:igsend:values:v1 $defs"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{_REQUEST} required", ["id", "account_id", "recipient", "author"]),
        (f"{_REQUEST} properties locale", None),
        (f"{_REQUEST} properties author enum", ["automation"]),
        (f"{_REQUEST} properties messages maxItems", 9),
        (f"{_REQUEST} properties messages minItems", 2),
        (f"{_REQUEST} properties metadata maxProperties", 50),
        (f"{_REQUEST} properties split type", "string"),
        (f"{_VALUES} text maxLength", 9999),
        (f"{_VALUES} text pattern", "^[a-z]+$"),
        (f"{_VALUES} media-url pattern", "^https://cdn$"),
        ("urn:igsend:template-buttons:v1 items additionalProperties", False),
    ],
)
def test_a_narrower_rule_for_requests_is_noticed(path: str, value: Any) -> None:
    assert len(list(narrowings(dict(schemas()), _changed(path, value)))) >= 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{_REQUEST} properties surprise", {"description": "New.", "type": "string"}),
        (f"{_REQUEST} properties author enum", ["automation", "human", "assistant"]),
        (f"{_REQUEST} properties messages maxItems", 11),
        (f"{_REQUEST} required", ["id", "account_id"]),
        (f"{_VALUES} text maxLength", None),
        (f"{_VALUES} media-url pattern", None),
    ],
)
def test_a_wider_rule_for_requests_is_no_breach(path: str, value: Any) -> None:
    assert list(narrowings(dict(schemas()), _changed(path, value))) == []


@pytest.mark.parametrize(
    ("path", "value", "is_breach"),
    [
        ("properties attempts", None, True),
        ("properties status enum", ["sent", "failed", "held", "lost"], True),
        ("properties schema const", "igsend.outcome.v2", True),
        ("properties attempts type", ["integer", "null"], True),
        ("properties error properties code type", ["integer", "string", "null"], True),
        ("required", ["schema", "id"], True),
        ("properties news", {"description": "New.", "type": "string"}, False),
        ("properties reason enum", ["invalid", "suspect", "blocked", None], False),
    ],
)
def test_what_would_surprise_a_reader_of_events_is_noticed(
    path: str, value: Any, is_breach: bool
) -> None:
    now = _changed(f"{OUTCOME} {path}", value)[OUTCOME]
    assert bool(list(surprises(schemas()[OUTCOME], now))) is is_breach
