"""A producer in another language needs an AMQP library and the schemas, nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import a_document
from tests.support.commands import run
from tests.support.npm import with_packages
from tests.support.system import System
from worker.contract.schema_files import OUTCOME, compiled

pytestmark = pytest.mark.broker

ACCOUNT = "17841400000000003"


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the script's folder, with amqplib in it."""
    return with_packages(Path(__file__).parent / "node", tmp_path_factory.mktemp("node"))


async def produced(script: Path, system: System, request: dict[str, Any]) -> dict[str, Any]:
    done = await run(
        "node",
        "produce.cjs",
        system.broker.amqp_url,
        system.broker.prefix,
        given=json.dumps(request).encode(),
        folder=script,
    )
    assert done.code == 0, done.err
    arrived: dict[str, Any] = done.json
    return arrived


async def test_a_node_producer_gets_it_sent_and_hears_of_it_both_ways(
    script: Path, system: System
) -> None:
    request = a_document(
        id="from-node",
        account_id=ACCOUNT,
        message={"text": "Grüße aus Node 👋"},
        metadata={"ticket": 42},
    )
    arrived = await produced(script, system, request)

    (message,) = await system.sandbox.messages(ACCOUNT)
    assert message["body"] == {"recipient": request["recipient"], "message": request["message"]}
    event, reply = arrived["bound"], arrived["reply"]
    outcome = event["outcome"]
    assert compiled(OUTCOME).is_valid(outcome)
    assert (outcome["id"], outcome["status"]) == ("from-node", "sent")
    assert outcome["message_ids"] == [message["message_id"]]
    assert outcome["metadata"] == request["metadata"]
    assert reply["outcome"] == outcome
    assert event["exchange"] == f"{system.broker.prefix}.outcomes"
    assert event["routingKey"] == f"sent.{ACCOUNT}"
    assert reply["exchange"] == ""
    for each in (event, reply):
        assert each["correlationId"] == "from-node-1"
        assert each["contentType"] == "application/json"
        assert each["type"] == "igsend.outcome.v1"


async def test_a_node_producer_learns_what_is_wrong_with_its_request(
    script: Path, system: System
) -> None:
    request = a_document(id="wrong-from-node", account_id=ACCOUNT, message={"txet": "Hello"})
    arrived = await produced(script, system, request)
    outcome = arrived["bound"]["outcome"]
    assert arrived["reply"]["outcome"] == outcome
    assert arrived["bound"]["routingKey"] == f"failed.{ACCOUNT}"
    assert (outcome["status"], outcome["reason"]) == ("failed", "invalid")
    assert "/message/txet" in {problem["pointer"] for problem in outcome["error"]["problems"]}
