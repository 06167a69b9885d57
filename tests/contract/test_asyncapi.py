"""The AsyncAPI document: fresh, read by the official parser, complete, and true in its examples."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.corpus import EXAMPLES, examples
from tests.support.npm import with_packages
from worker.asyncapi.document import asyncapi_document
from worker.asyncapi.yaml import yaml_of
from worker.contract.schema_files import DEAD_LETTER_HEADERS, OUTCOME, compiled
from worker.contract.validator import RequestValidator
from worker.core.reason import Reason
from worker.rabbit.names import Names
from worker.rabbit.topology import topology_of
from worker.telemetry.trace_context import trace_headers

_FILE = EXAMPLES.parent / "asyncapi.yaml"
_SCRIPT = Path(__file__).parent / "asyncapi"
_NAMES = Names("ig", 8)
_DOCUMENT = asyncapi_document(_NAMES)
_MESSAGES: dict[str, Any] = _DOCUMENT["components"]["messages"]

Parse = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def parse(tmp_path_factory: pytest.TempPathFactory) -> Parse:
    """Give the official parser, as a function of a document's text."""
    folder = with_packages(_SCRIPT, tmp_path_factory.mktemp("asyncapi"))

    def parsed(text: str) -> dict[str, Any]:
        ran = subprocess.run(
            ["node", "parse.cjs"],
            cwd=folder,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        result: dict[str, Any] = json.loads(ran.stdout)
        return result

    return parsed


def test_the_file_is_what_the_command_prints() -> None:
    assert _FILE.read_text() == yaml_of(_DOCUMENT), "run: make reference"


def test_the_official_parser_has_nothing_to_say_but_that_there_is_a_later_version(
    parse: Parse,
) -> None:
    parsed = parse(_FILE.read_text())
    assert [each["code"] for each in parsed["diagnostics"]] == ["asyncapi-latest-version"]
    assert parsed["document"] == _DOCUMENT, "the YAML is read as it was meant"
    dead = {f"bury-{reason.value}" for reason in Reason}
    assert parsed["operations"].keys() == dead | {
        "receive-request",
        "receive-bulk-request",
        "send-outcome",
    }


def test_the_parser_finds_what_each_operation_refers_to(parse: Parse) -> None:
    operations = parse(_FILE.read_text())["operations"]
    received = operations["receive-request"]
    assert (received["action"], received["address"]) == ("receive", "{account_id}")
    (request,) = received["messages"]
    assert request["type"] == "igsend.request.v1"
    assert request["correlation"] == "$message.header#/correlation_id"
    assert request["required"] == ["id", "account_id", "recipient"]
    assert "traceparent" in request["headers"]
    assert request["examples"] == len(examples("valid"))
    assert received["reply"] == {"location": "$message.header#/reply_to", "channel": "replies"}

    sent = operations["send-outcome"]
    assert (sent["action"], sent["address"]) == ("send", "{status}.{account_id}")
    assert sent["messages"][0]["examples"] == len(examples("outcome"))
    for reason in Reason:
        assert operations[f"bury-{reason.value}"]["address"] == f"ig.dead.{reason.value}"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("#/components/messages/outcome", "#/components/messages/no"),
        ("maxItems: 10\n", 'maxItems: "ten"\n'),
        ("is: routingKey", "is: road"),
    ],
)
def test_the_parser_would_notice_a_mistake(parse: Parse, right: str, wrong: str) -> None:
    text = _FILE.read_text()
    assert right in text
    severities = [each["severity"] for each in parse(text.replace(right, wrong))["diagnostics"]]
    assert 0 in severities


def test_another_prefix_is_in_every_name_and_the_parser_reads_that_too(parse: Parse) -> None:
    text = yaml_of(asyncapi_document(Names("crm.ig", 1)))
    assert re.findall(r"(?<!crm\.)\big\.(?:requests|bulk|outcomes|dead|send)", text) == []
    assert "crm.crm" not in text
    assert text.count("crm.ig.") == len(re.findall(r"\big\.[a-z]", _FILE.read_text()))
    assert [each["code"] for each in parse(text)["diagnostics"]] == ["asyncapi-latest-version"]


def test_the_number_of_partitions_is_no_matter_of_producers() -> None:
    assert asyncapi_document(Names("ig", 1)) == _DOCUMENT


def _bindings() -> Iterator[dict[str, Any]]:
    for channel in _DOCUMENT["channels"].values():
        yield channel["bindings"]["amqp"]


def test_exchanges_and_queues_are_those_of_the_topology() -> None:
    topology = topology_of(_NAMES)
    exchanges = {exchange.name: exchange for exchange in topology.exchanges}
    queues = {queue.name: queue for queue in topology.queues}
    described = [each["exchange"] for each in _bindings() if each["is"] == "routingKey"]
    assert [each["name"] for each in described] == ["ig.requests", "ig.bulk", "ig.outcomes"]
    for each in described:
        assert each["type"] == exchanges[each["name"]].type
    letters = [each for each in _bindings() if "name" in each.get("queue", {})]
    assert {each["queue"]["name"] for each in letters} == {
        binding.destination for binding in topology.bindings if binding.source == "ig.dead"
    }
    for each in letters:
        assert each["x-arguments"] == queues[each["queue"]["name"]].arguments


@pytest.mark.parametrize("name", _MESSAGES)
def test_every_message_tells_all_of_itself(name: str) -> None:
    message = _MESSAGES[name]
    assert {"title", "summary", "payload", "headers", "correlationId"} <= message.keys()
    assert message["bindings"]["amqp"]["x-properties"]["properties"]["correlation_id"]
    assert message["examples"]


def test_the_document_stands_alone() -> None:
    references = re.findall(r'\$ref: "?([^"\n]*)', _FILE.read_text())
    assert len(references) > 50
    assert [each for each in references if not each.startswith("#/")] == []


def _of(message: str, part: str = "payload") -> dict[str, Any]:
    return {each["name"]: each[part] for each in _MESSAGES[message]["examples"] if part in each}


def test_every_example_of_the_schemas_is_in_the_document() -> None:
    assert _of("request") == examples("valid")
    assert _of("outcome") == examples("outcome")
    letters = _of("dead-letter", "headers") | _of("invalid-letter", "headers")
    assert letters == examples("dead-letter-headers")


@pytest.mark.parametrize("name", examples("valid"))
def test_the_worker_takes_the_example_of_a_request(name: str) -> None:
    assert RequestValidator().problems(_of("request")[name]) == []


def test_examples_of_what_the_worker_publishes_fit_their_schemas() -> None:
    for outcome in _of("outcome").values():
        assert compiled(OUTCOME).is_valid(outcome)
    for message in ("dead-letter", "invalid-letter"):
        for headers in _of(message, "headers").values():
            assert compiled(DEAD_LETTER_HEADERS).is_valid(headers)


def test_a_letter_of_the_examples_lies_beside_the_body_it_speaks_of() -> None:
    validator = RequestValidator()
    for message in ("dead-letter", "invalid-letter"):
        for name, headers in _of(message, "headers").items():
            body = _of(message)[name]
            assert body["id"] == headers["x-igsend-request-id"]
            assert body["account_id"] == headers["x-igsend-account-id"]
            told = json.loads(headers.get("x-igsend-problems", "[]"))
            found = [{"pointer": p.pointer, "message": p.message} for p in validator.problems(body)]
            assert found == told


def test_the_trace_of_the_example_is_one_that_the_worker_takes() -> None:
    for headers in _of("request", "headers").values():
        assert trace_headers(headers) == headers


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain words", "plain words"),
        ("true", '"true"'),
        ("No", '"No"'),
        ("12", '"12"'),
        ("", '""'),
        ("a: b", '"a: b"'),
        ("a #b", '"a #b"'),
        (" a", '" a"'),
        ('say "x"\\', '"say \\"x\\"\\\\"'),
        ("two\nlines", '"two\\nlines"'),
        ("❤️ 👋", '"❤️ 👋"'),
        ("\u2028\u200d\U000e0067", '"\\u2028\\u200d\\U000e0067"'),
    ],
)
def test_a_text_in_yaml_is_quoted_where_a_reader_could_take_it_for_something_else(
    text: str, written: str
) -> None:
    assert yaml_of({"key": text}) == f"key: {written}\n"


def test_empty_and_nested_values_in_yaml_keep_their_form() -> None:
    document = {"a": {}, "b": [], "c": [[1, {"d": None}], {"e": 1.5, "f": [True]}], "null": 0}
    assert yaml_of(document) == (
        'a: {}\nb: []\nc:\n  - - 1\n    - d: null\n  - e: 1.5\n    f:\n      - true\n"null": 0\n'
    )
