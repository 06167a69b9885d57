"""`igsend topology`: show, declare, check and export, on a broker that starts empty."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from tests.support.commands import Finished, igsend
from tests.support.nodes import AMQP_URL_VARIABLE, Broker

pytestmark = pytest.mark.broker

SCHEMAS = Path(__file__).parents[2] / "schemas"
EXCHANGES = {"requests", "spread", "bulk", "dead", "outcomes", "delay.deliver"} | {
    f"delay.{level:02d}" for level in range(17)
}
QUEUES = (
    {"send.v1.00", "send.v1.01", "bulk.v1"}
    | {f"delay.{level:02d}" for level in range(17)}
    | {
        f"dead.{reason}"
        for reason in (
            "invalid",
            "rejected",
            "expired",
            "account",
            "exhausted",
            "unconfirmed",
            "suspect",
        )
    }
)


def settings_of(broker: Broker) -> dict[str, str]:
    return {
        "IGSEND_AMQP_URL": broker.amqp_url,
        "IGSEND_PREFIX": broker.prefix,
        "IGSEND_PARTITIONS": "2",
    }


async def topology(broker: Broker, *arguments: str) -> Finished:
    return await igsend("topology", *arguments, settings=settings_of(broker))


def states(done: Finished) -> Mapping[tuple[str, str], Any]:
    return {(found["kind"], found["name"]): found for found in done.json}


async def test_show_lists_every_exchange_queue_and_binding_without_a_broker() -> None:
    settings = {"IGSEND_AMQP_URL": "amqp://127.0.0.1:1/", "IGSEND_PARTITIONS": "2"}
    shown, table = await asyncio.gather(
        igsend("topology", "show", "--json", settings=settings),
        igsend("topology", "show", settings=settings),
    )
    assert (shown.code, shown.err, table.code, table.err) == (0, "", 0, "")
    names = {
        kind: {row["name"].removeprefix("ig.") for row in shown.json if row["kind"] == kind}
        for kind in ("exchange", "queue")
    }
    assert names == {"exchange": EXCHANGES, "queue": QUEUES}
    queues = [row for row in shown.json if row["kind"] == "queue"]
    assert {row["arguments"]["x-queue-type"] for row in queues} == {"quorum"}
    assert all("x-delivery-limit" in row["arguments"] for row in queues)
    assert all(row["name"] in table.out for row in shown.json)


async def test_asyncapi_prints_the_contract_of_the_prefix_without_a_broker() -> None:
    settings = {"IGSEND_AMQP_URL": "amqp://127.0.0.1:1/", "IGSEND_PARTITIONS": "2"}
    usual, named, machine = await asyncio.gather(
        igsend("topology", "asyncapi", settings=settings),
        igsend("topology", "asyncapi", settings={**settings, "IGSEND_PREFIX": "crm"}),
        igsend("topology", "asyncapi", "--json", settings={**settings, "IGSEND_PREFIX": "crm"}),
    )
    assert (usual.code, usual.err, named.code, machine.code) == (0, "", 0, 0)
    assert usual.out == (SCHEMAS / "asyncapi.yaml").read_text()
    assert "name: crm.dead.unconfirmed\n" in named.out
    assert "ig.requests" not in named.out
    requests = machine.json["channels"]["requests"]
    assert requests["bindings"]["amqp"]["exchange"]["name"] == "crm.requests"


async def test_declare_brings_about_what_check_then_finds(broker: Broker) -> None:
    before = await topology(broker, "check", "--json")
    assert before.code == 1
    assert {found["state"] for found in before.json} == {"missing"}
    assert {name.removeprefix(f"{broker.prefix}.") for _, name in states(before)} == (
        EXCHANGES | QUEUES
    )
    assert "`igsend topology declare`" in before.err

    for _ in ("first", "again"):
        declared = await topology(broker, "declare")
        assert (declared.code, declared.err) == (0, "")
        assert f"{len(EXCHANGES)} exchanges, {len(QUEUES)} queues" in declared.out

    machine, person = await asyncio.gather(
        topology(broker, "check", "--json"), topology(broker, "check")
    )
    assert (machine.code, person.code) == (0, 0)
    assert {found["state"] for found in machine.json} == {"ok"}
    total = len(EXCHANGES) + len(QUEUES)
    assert person.out == f"{total} of {total} exchanges and queues are as needed\n"


async def test_check_says_exactly_which_argument_differs_and_changes_nothing(
    broker: Broker,
) -> None:
    queue = f"{broker.prefix}.dead.invalid"
    async with await aio_pika.connect(broker.amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(
            queue, durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 7}
        )
    for _ in ("first", "again"):
        done = await topology(broker, "check", "--json")
        found = states(done)["queue", queue]
        assert (done.code, found["state"]) == (1, "different")
        assert found["detail"].startswith("x-delivery-limit is 7, it should be 1000000; ")
    declared = await topology(broker, "declare")
    assert (declared.code, declared.out) == (1, "")
    assert f"igsend: queue {queue}: x-delivery-limit is 7, it should be 1000000" in declared.err


async def test_what_export_prints_can_be_imported_and_is_then_complete(
    broker: Broker, tmp_path: Path
) -> None:
    if broker.server.node is None:
        pytest.skip(f"only on a private node: unset {AMQP_URL_VARIABLE}")
    exported = await topology(broker, "export", "--vhost", broker.vhost)
    assert (exported.code, exported.err) == (0, "")
    assert json.loads(exported.out).keys() >= {"exchanges", "queues", "bindings"}
    file = tmp_path / "definitions.json"
    file.write_text(exported.out)
    await broker.server.node.control("import_definitions", str(file))
    checked = await topology(broker, "check", "--json")
    assert checked.code == 0, checked.out
    bound = await bindings(broker)
    declared = await topology(broker, "declare")
    assert declared.code == 0
    assert await bindings(broker) == bound, "declare adds no binding to those imported"


async def bindings(broker: Broker) -> set[str]:
    assert broker.server.node is not None
    columns = ("source_name", "destination_name", "destination_kind", "routing_key")
    listed = await broker.server.node.control("list_bindings", "--vhost", broker.vhost, *columns)
    return set(listed.splitlines())
