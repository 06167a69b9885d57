"""`igsend doctor`: each part that a worker needs, alone and together; secrets hidden."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aio_pika
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from tests.integration.gate.redis_servers import redis_cluster
from tests.support.commands import IGSEND, Finished, igsend, run
from tests.support.nodes import Broker, installation, require_redis
from tests.support.system import running_sandbox, settings_for, token_files
from tests.support.waiting import eventually
from worker.config import Config, variable
from worker.core.progress import rfc3339
from worker.local.rabbitmq import private_rabbitmq
from worker.local.redis import RedisNode, private_redis

pytestmark = pytest.mark.broker

PARTS = [
    "accounts", "tokens", "API", "broker", "plugin", "publishing", "permissions", "topology",
    "gate", "open files", "memory", "tracing",
]  # fmt: skip
TOKEN = "IGAAdoctorsToken"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def settings(
    module_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Mapping[str, str]]:
    """What a worker would be started with; everything it names is there."""
    folder = tmp_path_factory.mktemp("doctor")
    accounts = token_files(folder / "accounts", {"17841400000000001": TOKEN})
    async with running_sandbox(folder) as sandbox:
        yield settings_for(module_broker, graph_url=sandbox.url, accounts=accounts)


async def doctor(settings: Mapping[str, str], *arguments: str, **changes: str) -> Finished:
    """Examine with some settings changed, given by the end of their name, and 1000 open files."""
    changed = {f"IGSEND_{name}": value for name, value in changes.items()}
    limited = ("-c", 'ulimit -n 1000; exec "$@"', "sh")
    return await run("sh", *limited, IGSEND, "doctor", *arguments, settings={**settings, **changed})


def checks(done: Finished) -> dict[str, dict[str, Any]]:
    return {check["what"]: check for check in done.json["checks"]}


async def test_everything_is_ok_before_and_after_the_topology_is_declared(
    settings: Mapping[str, str],
) -> None:
    before = await doctor(settings, "--json")
    declared = await igsend("topology", "declare", settings=settings)
    after = await doctor(settings, "--json")
    assert (before.code, declared.code, after.code) == (0, 0, 0)
    assert before.err + after.err == ""
    assert "the worker declares them" in checks(before)["topology"]["found"]
    assert "exchanges and queues are there" in checks(after)["topology"]["found"]
    for done in (before, after):
        verdicts = {what: check["verdict"] for what, check in checks(done).items()}
        assert verdicts == {**dict.fromkeys(PARTS, "ok"), "gate": "warn"}


async def test_text_and_json_show_every_setting_and_every_check(
    settings: Mapping[str, str],
) -> None:
    text, machine = await asyncio.gather(doctor(settings), doctor(settings, "--json"))
    assert list(machine.json["settings"]) == [variable(name) for name in Config.model_fields]
    for name, value in machine.json["settings"].items():
        assert f"      {name}={value}\n" in text.out
    for check in checks(machine).values():
        assert check.keys() == {"verdict", "what", "found", "advice"}
        assert f"{check['verdict']:4}  {check['what']}: {check['found']}" in text.out


async def test_passwords_and_tokens_are_hidden(settings: Mapping[str, str]) -> None:
    url = "amqps://worker:ge:he@im@127.0.0.1:1/vhost"
    outputs = await asyncio.gather(
        doctor(settings, AMQP_URL=url), doctor(settings, "--json", AMQP_URL=url)
    )
    for done in outputs:
        assert "amqps://worker:********@127.0.0.1:1/vhost" in done.out
        shown = done.out + done.err
        assert not any(secret in shown for secret in ("ge:h", "he@im", TOKEN))


FAILING: tuple[tuple[str, dict[str, str], str], ...] = (
    ("broker", {"AMQP_URL": "amqp://guest:geheim@127.0.0.1:1/"}, "no connection to RabbitMQ"),
    ("API", {"GRAPH_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1: no answer"),
    ("accounts", {"ACCOUNTS": ""}, "no source is set"),
    ("accounts", {"ACCOUNTS": "/nowhere/accounts.toml"}, "No such file or directory"),
    ("topology", {"DECLARE": "false", "PREFIX": "elsewhere"}, "does not exist"),
    ("open files", {"CONCURRENCY": "901"}, "limit is 1000, IGSEND_CONCURRENCY=901 needs 1001"),
)


async def test_a_part_that_fails_is_named_with_advice(settings: Mapping[str, str]) -> None:
    ended = await asyncio.gather(
        *(doctor(settings, "--json", **changes) for _, changes, _ in FAILING)
    )
    for done, (part, _, said) in zip(ended, FAILING, strict=True):
        failed = {what: each for what, each in checks(done).items() if each["verdict"] == "fail"}
        assert (done.code, list(failed)) == (1, [part])
        assert said in failed[part]["found"]
        assert failed[part]["advice"]
        assert done.err == f"igsend: not fit to run: {part}\n"
        assert "geheim" not in done.out


GATE_PARTS = ["gate", "gate memory", "gate persistence", "gate latency", "gate clock"]


def gate_checks(done: Finished) -> dict[str, tuple[str, str]]:
    return {
        what: (check["verdict"], check["found"])
        for what, check in checks(done).items()
        if what in GATE_PARTS
    }


async def test_a_redis_that_keeps_what_it_is_told_is_ok(
    settings: Mapping[str, str], own_redis: RedisNode
) -> None:
    done = await doctor(settings, "--json", GATE_URL=own_redis.url)
    assert done.code == 0
    assert {what: verdict for what, (verdict, _) in gate_checks(done).items()} == dict.fromkeys(
        GATE_PARTS, "ok"
    )
    version, cluster = gate_checks(done)["gate"][1].split(", ")
    assert version.startswith(("Redis ", "Valkey "))
    assert cluster == "no cluster"


async def test_a_redis_that_may_forget_is_a_warning_with_what_that_means(
    settings: Mapping[str, str],
) -> None:
    require_redis()
    async with private_redis() as node:
        async with Redis.from_url(node.url) as client:
            await client.config_set("maxmemory-policy", "allkeys-lru")
        done = await doctor(settings, "--json", GATE_URL=node.url)
        found = gate_checks(done)
        assert (done.code, found["gate"][0]) == (0, "ok")
        assert found["gate memory"][0] == found["gate persistence"][0] == "warn"
        assert "allkeys-lru: it may drop what was sent already" in found["gate memory"][1]
        assert "after a restart it has forgotten what was sent" in found["gate persistence"][1]
        async with Redis.from_url(node.url) as client:
            await client.config_set("save", "60 1")
        kept = gate_checks(await doctor(settings, "--json", GATE_URL=node.url))
        assert kept["gate persistence"][0] == "ok"
        assert "snapshots only" in kept["gate persistence"][1]


async def test_every_node_of_a_cluster_is_looked_at(
    settings: Mapping[str, str], tmp_path: Path
) -> None:
    async with redis_cluster(tmp_path, appendonly="yes") as nodes:
        await nodes[2].do("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
        done = await doctor(settings, "--json", GATE_URL=nodes[0].url)
        found = gate_checks(done)
        assert found["gate"][1].endswith(", a cluster of 3")
        assert f"{nodes[2].port} has the maxmemory-policy volatile-ttl" in found["gate memory"][1]
        assert found["gate persistence"][0] == "ok"
        nodes[1].kill()
        done = await doctor(settings, "--json", GATE_URL=nodes[0].url)
        assert (done.code, gate_checks(done)["gate"][0]) == (1, "fail")
        assert f"Redis at 127.0.0.1:{nodes[1].port}: " in gate_checks(done)["gate"][1]


async def test_a_redis_that_is_away_or_refuses_fails_without_its_password(
    settings: Mapping[str, str], own_redis: RedisNode
) -> None:
    place = own_redis.url.removeprefix("redis://")
    async with Redis.from_url(own_redis.url) as client:
        await client.config_set("requirepass", "rightpw")
        away, wrong = await asyncio.gather(
            doctor(settings, "--json", GATE_URL="redis://:geheim@127.0.0.1:1"),
            doctor(settings, "--json", GATE_URL=f"redis://:geheim@{place}"),
        )
        await client.replicaof("127.0.0.1", "1")
        replica = await doctor(settings, "--json", GATE_URL=f"redis://:rightpw@{place}")
    said = ("Redis at 127.0.0.1:1: ", "refuses the user name or password", "read-only replica")
    for done, words in zip((away, wrong, replica), said, strict=True):
        assert (done.code, gate_checks(done)["gate"][0]) == (1, "fail")
        assert words in gate_checks(done)["gate"][1]
        assert checks(done)["gate"]["advice"]
        assert not any(secret in done.out + done.err for secret in ("geheim", "rightpw"))


async def test_everything_wrong_is_reported_at_once(settings: Mapping[str, str]) -> None:
    nowhere = {"AMQP_URL": "amqp://127.0.0.1:1/", "GRAPH_URL": "http://127.0.0.1:1"}
    done = await doctor(settings, ACCOUNTS="", **nowhere)
    assert done.code == 1
    assert done.err == "igsend: not fit to run: accounts, API, broker\n"


async def test_a_token_file_that_cannot_be_used_is_a_warning_that_does_not_show_it(
    settings: Mapping[str, str], tmp_path: Path
) -> None:
    accounts = token_files(tmp_path / "accounts", {"17841400000000001": TOKEN, "shop": TOKEN})
    done = await doctor(settings, "--json", ACCOUNTS=str(accounts))
    found = checks(done)["accounts"]
    assert (done.code, found["verdict"]) == (0, "warn")
    assert "1 read; " in found["found"]
    assert "must be the account's numeric id" in found["found"]
    assert TOKEN not in done.out


async def test_a_queue_with_other_arguments_fails_although_the_worker_declares(
    broker: Broker, settings: Mapping[str, str]
) -> None:
    async with await aio_pika.connect(broker.amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(f"{broker.prefix}.bulk.v1", durable=True)
    done = await doctor(settings, "--json", AMQP_URL=broker.amqp_url, PREFIX=broker.prefix)
    found = checks(done)["topology"]
    assert (done.code, found["verdict"]) == (1, "fail")
    assert found["found"].startswith(f"1 wrong: queue {broker.prefix}.bulk.v1: x-")
    assert "igsend topology check" in found["advice"]
    assert json.dumps(done.json).count('"fail"') == 1


async def test_tokens_that_end_are_told(settings: Mapping[str, str], tmp_path: Path) -> None:
    def accounts(*ends_in_days: float) -> str:
        path = tmp_path / f"{len(ends_in_days)}.json"
        now = time.time()
        entries = {
            str(number): {"token": TOKEN, "expires_at": rfc3339(now + days * 86_400)}
            for number, days in enumerate(ends_in_days)
        }
        path.write_text(json.dumps({"accounts": entries}))
        return str(path)

    near = await doctor(settings, "--json", ACCOUNTS=accounts(50, 5))
    assert (near.code, checks(near)["tokens"]["verdict"]) == (0, "warn")
    assert checks(near)["tokens"]["advice"] == "igsend accounts refresh"
    ended = await doctor(settings, "--json", ACCOUNTS=accounts(50, 5, -1))
    assert (ended.code, checks(ended)["tokens"]["verdict"]) == (1, "fail")
    assert "1 have ended, 2 first" in checks(ended)["tokens"]["found"]


async def test_a_broker_that_takes_nothing_is_told(settings: Mapping[str, str]) -> None:
    async with private_rabbitmq(installation=installation()) as node:
        own = {**settings, "IGSEND_AMQP_URL": node.amqp_url, "IGSEND_PREFIX": "ig"}
        assert (await igsend("topology", "declare", settings=own)).code == 0
        well = await doctor(own, "--json")
        assert checks(well)["publishing"]["found"] == "the broker confirms"
        await node.control("set_vm_memory_high_watermark", "absolute", "1")
        said: list[str] = []
        permissions: list[str] = []

        async def is_told() -> bool:
            found = checks(await doctor(own, "--json"))
            publishing = found["publishing"]
            said.append(publishing["found"])
            permissions.append(found["permissions"]["verdict"])
            return bool(publishing["verdict"] == "fail")

        # The broker looks at its memory every few seconds.
        await eventually(is_told)
        assert "an alarm of memory or disk" in said[-1]
        assert permissions[-1] == "warn", "not looked at: that would wait for ever"
