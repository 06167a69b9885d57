"""`igsend accounts ls|show` beside a running worker, whose gate is its memory or a Redis."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import pytest_asyncio

from tests.support.builders import a_document
from tests.support.commands import Finished, igsend
from tests.support.nodes import RabbitServer, broker_for_one_test
from tests.support.producer import a_producer
from tests.support.system import System, running_system, token_files
from tests.support.waiting import eventually

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

QUIET, THROTTLED, REFUSED = "17841400000000071", "17841400000000072", "17841400000000073"
TOKENS = {account: f"IGAA{account[-2:]}secret" for account in (QUIET, THROTTLED, REFUSED)}
ACCOUNT_FIELDS = {
    "account_id", "now", "state", "closure", "app", "parked", "next_slot", "margin", "buckets",
    "conversations", "bulk_share", "settings",
}  # fmt: skip
BUCKETS = {"text", "media", "private_reply", "live_reply", "conversations"}
NOWHERE = {"IGSEND_HTTP_HOST": "127.0.0.1", "IGSEND_HTTP_PORT": "1"}


@asynccontextmanager
async def gated_system(
    server: RabbitServer, folder: Path, gate_url: str, **settings: str
) -> AsyncIterator[System]:
    """Run a worker with this gate; the settings of the result find it, whatever its port is."""
    chosen = {"IGSEND_GATE_URL": gate_url, **settings}
    async with (
        broker_for_one_test(server) as broker,
        running_system(broker, folder, TOKENS, settings=chosen) as running,
    ):
        port = running.worker.url.rpartition(":")[2]
        found = {**running.settings, "IGSEND_HTTP_PORT": port}
        yield System(running.broker, running.sandbox, running.worker, running.accounts, found)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["memory", "redis"])
async def scene(
    request: pytest.FixtureRequest,
    rabbitmq: RabbitServer,
    redis: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[System]:
    """One account throttled, one refused, one quiet."""
    folder = tmp_path_factory.mktemp("accounts")
    gate_url = redis if request.param == "redis" else "memory://"
    async with gated_system(rabbitmq, folder, gate_url) as system:
        await strike(system, THROTTLED, "throttled_1m")
        await strike(system, REFUSED, "expired_token")
        async with a_producer(system.broker) as producer:
            await producer.publish(a_document(id=token_hex(6), account_id=THROTTLED))
            refused = a_document(id=token_hex(6), account_id=REFUSED)
            assert (await producer.outcome_of(refused))["reason"] == "account"
        await eventually(lambda: is_closed(system, THROTTLED))
        yield system


async def strike(system: System, account_id: str, scenario: str) -> None:
    fault = {"match": {"account_id": account_id}, "scenario": scenario}
    await system.sandbox.admin("POST", "faults", fault)


async def is_closed(system: System, account_id: str) -> bool:
    shown = await accounts(system, "show", account_id, "--json")
    return bool(shown.json["state"] == "closed")


async def accounts(system: System, *arguments: str, **changes: str) -> Finished:
    return await igsend("accounts", *arguments, settings={**system.settings, **changes})


def listed(done: Finished) -> Mapping[str, Any]:
    assert (done.code, done.err) == (0, "")
    return {account["account_id"]: account for account in done.json_lines}


async def test_ls_tells_of_every_account_on_a_line_of_its_own(scene: System) -> None:
    found = listed(await accounts(scene, "ls", "--json"))
    assert found.keys() == TOKENS.keys()
    states = {account_id: account["state"] for account_id, account in found.items()}
    assert states == {QUIET: "open", THROTTLED: "closed", REFUSED: "closed"}
    for account in found.values():
        assert account.keys() == ACCOUNT_FIELDS
        assert account["buckets"].keys() == BUCKETS
    assert found[QUIET]["buckets"]["text"]["left"] == 1
    assert found[THROTTLED]["buckets"]["text"]["left"] == 0
    assert found[THROTTLED]["closure"]["code"] == 613
    assert found[REFUSED]["closure"] == found[REFUSED]["closure"] | {
        "code": 190, "subcode": 463, "is_final": True, "is_asking": False,
    }  # fmt: skip


async def test_ls_chooses_and_stops_where_asked(scene: System) -> None:
    closed, busy, first = await asyncio.gather(
        accounts(scene, "ls", "--json", "--closed"),
        accounts(scene, "ls", "--json", "--busy"),
        accounts(scene, "ls", "--json", "--limit", "1"),
    )
    assert listed(closed).keys() == {THROTTLED, REFUSED}
    assert listed(busy).keys() == {THROTTLED}
    assert len(listed(first)) == 1


async def test_tables_say_the_same_to_people(scene: System) -> None:
    table, short, account = await asyncio.gather(
        accounts(scene, "ls"),
        accounts(scene, "ls", "--limit", "2"),
        accounts(scene, "show", REFUSED),
    )
    assert (table.code, table.err) == (0, "")
    rows = {account_id: line for line in table.out.splitlines() for account_id in TOKENS
            if account_id in line}  # fmt: skip
    assert rows.keys() == TOKENS.keys()
    assert " open " in rows[QUIET]
    assert "(613/2534040)" in rows[THROTTLED]
    assert "these are the first 2;" in short.out
    assert f"{REFUSED}: closed\n" in account.out
    assert "(190/463)" in account.out
    assert "opens at once with a new token" in account.out
    assert all(bucket in account.out for bucket in BUCKETS)


async def test_show_counts_the_conversations_that_wait(scene: System) -> None:
    shown = await accounts(scene, "show", THROTTLED, "--json")
    assert (shown.code, shown.err) == (0, "")
    assert shown.json.keys() == ACCOUNT_FIELDS
    assert shown.json["conversations"] == 1
    assert shown.json["parked"] == {"interactive": 1, "bulk": 0}


async def test_an_account_that_is_not_there_is_a_failure_and_a_name_a_usage_error(
    scene: System,
) -> None:
    unknown, name = await asyncio.gather(
        accounts(scene, "show", "4711"), accounts(scene, "show", "shop")
    )
    assert (unknown.code, unknown.out) == (1, "")
    assert "4711 is not among the accounts of IGSEND_ACCOUNTS" in unknown.err
    assert (name.code, name.out) == (2, "")
    assert "numeric id" in name.err


async def test_check_tells_what_closed_an_account_last(scene: System) -> None:
    done = await accounts(scene, "check", "--json", REFUSED, QUIET)
    found = {line["account_id"]: line for line in done.json_lines}
    assert found[QUIET]["last_error"] is None
    last = found[REFUSED]["last_error"]
    assert (last["code"], last["subcode"]) == (190, 463)
    assert last["why"] == "the access token has expired"
    assert last["at"] is not None
    told = await accounts(scene, "check", REFUSED)
    assert f"closed since {last['at']}: the access token has expired (190/463)" in told.out


async def test_no_token_is_shown(scene: System) -> None:
    outputs = await asyncio.gather(
        accounts(scene, "ls", "--json"),
        accounts(scene, "ls"),
        *(accounts(scene, "show", account) for account in TOKENS),
    )
    assert all(account in outputs[0].out for account in TOKENS)
    assert all("IGAA" not in done.out + done.err for done in outputs)


async def test_a_gate_that_does_not_answer_is_named(tmp_path: Path) -> None:
    known = {"IGSEND_ACCOUNTS": str(token_files(tmp_path / "accounts", TOKENS))}
    port_unknown = {**known, "IGSEND_HTTP_PORT": "0"}
    redis_away = {**known, "IGSEND_GATE_URL": "redis://user:geheim@127.0.0.1:1"}
    memory, port, redis, none = await asyncio.gather(
        igsend("accounts", "ls", settings={**known, **NOWHERE}),
        igsend("accounts", "ls", settings=port_unknown),
        igsend("accounts", "ls", settings=redis_away),
        igsend("accounts", "ls", settings={"IGSEND_GATE_URL": "redis://127.0.0.1:1"}),
    )
    assert memory.code == 1
    assert "no worker answers at http://127.0.0.1:1" in memory.err
    assert port.code == 2
    assert "IGSEND_HTTP_PORT=0" in port.err
    assert redis.code == 1
    assert "Redis at 127.0.0.1:1" in redis.err
    assert "geheim" not in redis.err
    assert none.code == 2
    assert "IGSEND_ACCOUNTS is not set" in none.err
    assert all("Traceback" not in done.err for done in (memory, port, redis, none))


async def test_worker_on_redis_does_not_tell_what_is_not_its_own(
    rabbitmq: RabbitServer, redis: str, tmp_path: Path
) -> None:
    async with gated_system(rabbitmq, tmp_path, redis) as system:
        assert (await system.worker.get("/accounts")).status == 404
        asked = await accounts(system, "ls", IGSEND_GATE_URL="memory://")
    assert asked.code == 1
    assert "is no worker with IGSEND_GATE_URL=memory://" in asked.err


async def test_show_tells_what_the_source_says_of_an_account(tmp_path: Path, redis: str) -> None:
    source = tmp_path / "accounts.json"
    disclosure = {"text": "You are talking to our bot.", "texts": {"de": "…"}, "after_s": 60}
    own = {"token": "IGAAshown", "check_media": True, "disclosure": disclosure}
    source.write_text(json.dumps({"accounts": {"4711": own, "4712": {"token": "IGAAplain"}}}))
    settings = {"IGSEND_ACCOUNTS": str(source), "IGSEND_GATE_URL": redis}
    shown, told, plain = await asyncio.gather(
        igsend("accounts", "show", "4711", "--json", settings=settings),
        igsend("accounts", "show", "4711", settings=settings),
        igsend("accounts", "show", "4712", settings=settings),
    )
    assert shown.json["settings"] == {
        "human_agent": False,
        "check_media": True,
        "graph_version": None,
        "expires_at": None,
        "disclosure_after_s": 60.0,
        "disclosure_locales": ["de"],
    }
    assert "preceded by a disclosure, again after 60 s without a message; texts for de" in told.out
    assert "looked at before the API is called (check_media)" in told.out
    assert "disclosure" not in plain.out
    assert "IGAA" not in shown.out + told.out
