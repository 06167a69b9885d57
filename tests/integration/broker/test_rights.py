"""What the doctor says of a broker's user, vhost and plugin; asking changes nothing there."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiormq
import pytest
import pytest_asyncio

from tests.support.commands import igsend
from tests.support.nodes import installation, require_rabbitmq
from tests.support.system import token_files
from worker.local.rabbitmq import RabbitNode, private_rabbitmq
from worker.rabbit.declare import declare
from worker.rabbit.names import Names
from worker.rabbit.rights import (
    DEFAULT_EXCHANGE,
    knows_type,
    may_configure,
    may_consume,
    may_divert,
    may_publish,
)
from worker.rabbit.topology import SPREAD_TYPE, topology_of
from worker.rabbit.users import users_of

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

NAMES = Names("ig", 2)
PASSWORD = "of-the-test"
PROBED = ("plugin", "publishing", "permissions", "topology")


@dataclass(frozen=True, slots=True)
class Site:
    """A node with the shipped users and the topology."""

    node: RabbitNode
    accounts: Path

    def url(self, user: str, password: str = PASSWORD) -> str:
        return self.node.amqp_url.replace("guest:guest", f"{user}:{password}")

    async def checks(self, url: str, **changes: str) -> dict[str, dict[str, str]]:
        """Have the doctor look; give the verdicts and words by what was looked at."""
        settings = {
            "IGSEND_AMQP_URL": url,
            "IGSEND_PARTITIONS": "2",
            "IGSEND_DECLARE": "false",
            "IGSEND_ACCOUNTS": str(self.accounts),
            "IGSEND_GRAPH_URL": "http://127.0.0.1:1",
        } | {f"IGSEND_{name}": value for name, value in changes.items()}
        done = await igsend("doctor", "--json", settings=settings)
        assert PASSWORD not in done.out + done.err
        return {check["what"]: check for check in done.json["checks"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    require_rabbitmq()
    folder = tmp_path_factory.mktemp("rights")
    accounts = token_files(folder / "accounts", {"17841400000000001": "IGAAx"})
    (folder / "users.json").write_text((await igsend("topology", "users")).out)
    async with private_rabbitmq(installation=installation()) as node:
        await node.control("import_definitions", str(folder / "users.json"))
        for user in users_of("ig"):
            await node.control("change_password", user.login, PASSWORD)
        connection = await aiormq.connect(node.amqp_url)
        await declare(connection, topology_of(NAMES))
        await connection.close()
        yield Site(node, accounts)


async def test_asking_publishes_consumes_makes_and_binds_nothing(site: Site) -> None:
    connection = await aiormq.connect(site.node.amqp_url)
    channel = await connection.channel(publisher_confirms=True)
    everything = await channel.queue_declare(exclusive=True)
    assert everything.queue is not None
    await channel.queue_bind(everything.queue, NAMES.outcomes, routing_key="#")
    for exchange in (NAMES.requests, NAMES.bulk):
        await channel.basic_publish(b"waits", exchange=exchange, routing_key="k")
    bound = await site.node.control("list_bindings")

    for exchange in (NAMES.dead, NAMES.outcomes, NAMES.bulk, NAMES.delay(0), DEFAULT_EXCHANGE):
        assert await may_publish(connection, exchange)
    for queue in NAMES.intake:
        assert await may_consume(connection, queue)
    assert await may_configure(connection, NAMES.bulk_queue)
    assert await may_configure(connection, "ig.never")
    assert await may_divert(connection, NAMES)
    assert await knows_type(connection, SPREAD_TYPE)

    ready = {}
    for queue in (everything.queue, *NAMES.intake):
        found = await channel.queue_declare(queue, passive=True)
        ready[queue] = found.message_count
        assert found.consumer_count == 0
    assert sum(count or 0 for count in ready.values()) == 2, ready
    assert await site.node.control("list_bindings") == bound
    for queue in NAMES.intake:
        while (message := await channel.basic_get(queue, no_ack=True)).body:
            headers: dict[str, Any] = dict(message.header.properties.headers or {})
            assert headers.get("x-delivery-count", 0) == 0, "nobody has had it"
    assert not await knows_type(connection, "x-unheard-of"), "which may end the connection"


async def test_user_without_rights_is_told_apart_from_one_with_them(site: Site) -> None:
    connection = await aiormq.connect(site.url("igsend-autoscaler"))
    for exchange in (NAMES.dead, NAMES.outcomes, DEFAULT_EXCHANGE):
        assert not await may_publish(connection, exchange)
    assert not await may_consume(connection, NAMES.bulk_queue)
    assert not await may_configure(connection, NAMES.bulk_queue)
    assert not await may_divert(connection, NAMES)
    await connection.close()


async def test_shipped_worker_is_fit_to_run_and_may_not_declare(site: Site) -> None:
    checks = await site.checks(site.url("igsend-worker"))
    assert {what: checks[what]["verdict"] for what in PROBED} == dict.fromkeys(PROBED, "ok")
    declaring = await site.checks(site.url("igsend-worker"), DECLARE="true")
    assert declaring["permissions"]["verdict"] == "fail"
    assert "may not configure ig.*" in declaring["permissions"]["found"]
    assert "IGSEND_DECLARE=false" in declaring["permissions"]["advice"]


async def test_user_that_is_no_worker_is_told_what_it_lacks(site: Site) -> None:
    checks = await site.checks(site.url("igsend-producer"))
    assert (checks["publishing"]["verdict"], checks["permissions"]["verdict"]) == ("warn", "fail")
    found = checks["permissions"]["found"]
    assert "write to ig.dead, ig.outcomes, ig.delay.00 and 16 more" in found
    assert "read ig.send.v1.00, ig.send.v1.01, ig.bulk.v1" in found
    assert "igsend topology users" in checks["permissions"]["advice"]


async def test_rights_that_a_worker_does_without_are_a_warning(site: Site) -> None:
    (worker,) = [user for user in users_of("ig") if user.name == "worker"]
    less = worker.write.replace(r"|amq\.default", "").replace("bulk|", "")
    await site.node.control("set_permissions", worker.login, worker.configure, less, worker.read)
    try:
        told = (await site.checks(site.url(worker.login)))["permissions"]
        quiet = (await site.checks(site.url(worker.login), DIVERT="false"))["permissions"]
    finally:
        whole = (worker.configure, worker.write, worker.read)
        await site.node.control("set_permissions", worker.login, *whole)
    assert told["verdict"] == "warn"
    assert "reply_to" in told["found"]
    assert "no account is diverted" in told["found"]
    assert "diverted" not in quiet["found"]


@pytest.mark.parametrize(
    ("user", "password", "vhost", "found", "advice"),
    [
        ("guest", "wrong", "", "ACCESS_REFUSED", "user and the password"),
        ("guest", "guest", "nowhere", "no such vhost", "rabbitmqctl add_vhost"),
        ("igsend-worker", PASSWORD, "elsewhere", "may not use it", "vhost in IGSEND_AMQP_URL"),
    ],
)
async def test_refused_connection_is_told_with_what_to_mend(
    site: Site, user: str, password: str, vhost: str, found: str, advice: str
) -> None:
    if vhost == "elsewhere":
        await site.node.control("add_vhost", vhost)
    checks = await site.checks(site.url(user, password) + vhost)
    assert checks["broker"]["verdict"] == "fail"
    assert found in checks["broker"]["found"]
    assert advice in checks["broker"]["advice"]
    assert not set(PROBED) & checks.keys()


async def test_plugin_that_is_missing_is_named_unless_it_is_not_needed(site: Site) -> None:
    forget = '<<"x-consistent-hash">>'
    await site.node.control("eval", f"rabbit_registry:unregister(exchange, {forget}).")
    checks = await site.checks(site.node.amqp_url, DECLARE="true", PREFIX="fresh")
    assert (checks["plugin"]["verdict"], "topology" in checks) == ("fail", False)
    assert "rabbitmq-plugins enable rabbitmq_consistent_hash" in checks["plugin"]["advice"]
    settings = {"IGSEND_AMQP_URL": site.node.amqp_url, "IGSEND_PREFIX": "fresh"}
    declared = await igsend("topology", "declare", settings=settings)
    assert (declared.code, "rabbitmq-plugins enable" in declared.err) == (1, True), declared.err
    alone = await site.checks(site.node.amqp_url, DECLARE="true", PREFIX="fresh", PARTITIONS="1")
    assert (alone["plugin"]["verdict"], alone["topology"]["verdict"]) == ("ok", "ok")
