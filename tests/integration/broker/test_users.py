"""The shipped users on a real broker: each does its work, and is refused everything else."""

import json
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import aiohttp
import aiormq
import pytest
import pytest_asyncio
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused, InvalidFrameError

from tests.support.builders import a_document
from tests.support.commands import igsend
from tests.support.nodes import Broker, RabbitServer, installation, require_rabbitmq
from tests.support.system import running_system
from worker.core.progress import rfc3339
from worker.local.rabbitmq import RabbitNode, private_rabbitmq
from worker.rabbit.users import users_of

pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

SHIPPED = Path(__file__).parents[3] / "deploy" / "rabbitmq" / "users.json"
PASSWORD = "of-the-test"
ACCOUNT = "17841400000000002"


@dataclass(frozen=True, slots=True)
class Site:
    node: RabbitNode

    def url(self, user: str) -> str:
        return self.node.amqp_url.replace("guest:guest", f"igsend-{user}:{PASSWORD}")

    def settings(self, user: str) -> dict[str, str]:
        return {"IGSEND_AMQP_URL": self.url(user), "IGSEND_PARTITIONS": "2"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A node with the shipped users, their passwords set, and what the deployer declared."""
    require_rabbitmq()
    folder = tmp_path_factory.mktemp("users")
    file = Path(shutil.copy(SHIPPED, folder))
    async with private_rabbitmq(installation=installation(), management=True) as node:
        await node.control("import_definitions", str(file))
        for user in users_of("ig"):
            await node.control("change_password", user.login, PASSWORD)
        await node.control("add_vhost", "elsewhere")
        guest = await aio_pika.connect(node.amqp_url)
        async with guest:
            channel = await guest.channel()
            await channel.declare_queue("foreign", durable=True)
        site = Site(node)
        declared = await igsend("topology", "declare", settings=site.settings("deployer"))
        assert (declared.code, declared.err) == (0, "")
        yield site


Action = Callable[[AbstractChannel], Awaitable[object]]


def publish(exchange: str, key: str = "k") -> Action:
    return lambda channel: channel.basic_publish(b"{}", exchange=exchange, routing_key=key)


def get(queue: str) -> Action:
    return lambda channel: channel.basic_get(queue)


async def _ignore(_: object) -> None:
    raise AssertionError("nothing may arrive")


def consume(queue: str) -> Action:
    return lambda channel: channel.basic_consume(queue, _ignore)


def declare(queue: str) -> Action:
    return lambda channel: channel.queue_declare(queue, durable=True)


def declare_exchange(exchange: str) -> Action:
    return lambda channel: channel.exchange_declare(exchange, exchange_type="fanout")


def delete(queue: str) -> Action:
    return lambda channel: channel.queue_delete(queue)


def delete_exchange(exchange: str) -> Action:
    return lambda channel: channel.exchange_delete(exchange)


def purge(queue: str) -> Action:
    return lambda channel: channel.queue_purge(queue)


def bind(queue: str, exchange: str) -> Action:
    return lambda channel: channel.queue_bind(queue, exchange, routing_key="#")


QUEUE, DEAD, DELAY = "ig.send.v1.00", "ig.dead.rejected", "ig.delay.00"
CHANGES: dict[str, Action] = {
    "declare a queue": declare("ig.more"),
    "declare an exchange": declare_exchange("ig.more"),
    "delete a queue": delete(QUEUE),
    "delete an exchange": delete_exchange("ig.requests"),
    "bind": bind(QUEUE, "ig.spread"),
    "consume a foreign queue": consume("foreign"),
    "publish to a foreign exchange": publish("amq.topic"),
}
REFUSED: dict[str, dict[str, Action]] = {
    "producer": CHANGES
    | {
        "publish to a queue": publish("", QUEUE),
        "publish outcomes": publish("ig.outcomes"),
        "publish dead letters": publish("ig.dead"),
        "publish into a delay": publish(DELAY),
        "consume requests": consume(QUEUE),
        "get requests": get("ig.bulk.v1"),
        "read dead letters": consume(DEAD),
        "purge": purge(QUEUE),
        "bind to the requests": bind(QUEUE, "ig.requests"),
    },
    "worker": CHANGES
    | {
        "read dead letters": consume(DEAD),
        "read what is parked": get(DELAY),
        "purge dead letters": purge(DEAD),
        "publish requests": publish("ig.requests"),
        "publish to the spread": publish("ig.spread"),
    },
    "operator": CHANGES
    | {
        "consume requests": consume(QUEUE),
        "purge requests": purge(QUEUE),
        "read what is parked": get(DELAY),
        "publish outcomes": publish("ig.outcomes"),
        "publish dead letters": publish("ig.dead"),
        "delete dead letters": delete(DEAD),
    },
    "autoscaler": CHANGES
    | {
        "publish requests": publish("ig.requests"),
        "publish to a queue": publish("", QUEUE),
        "consume requests": consume(QUEUE),
        "read dead letters": get(DEAD),
        "purge": purge(QUEUE),
    },
    "deployer": {
        "declare a foreign queue": declare("other"),
        "declare a foreign exchange": declare_exchange("other"),
        "delete a foreign queue": delete("foreign"),
        "consume a foreign queue": consume("foreign"),
        "purge a foreign queue": purge("foreign"),
        "publish to a queue": publish("", QUEUE),
        "publish to a foreign exchange": publish("amq.topic"),
        "bind a foreign queue": bind("foreign", "ig.outcomes"),
    },
}


@pytest.mark.parametrize("user", REFUSED)
async def test_user_is_refused_what_is_not_its_work(site: Site, user: str) -> None:
    connection = await aiormq.connect(site.url(user))
    try:
        for what, action in REFUSED[user].items():
            channel = await connection.channel()
            try:
                await action(channel)
            except ChannelAccessRefused:
                continue
            raise AssertionError(f"the {user} may {what}")
    finally:
        await connection.close()


@pytest.mark.parametrize("user", REFUSED)
async def test_user_is_refused_another_vhost(site: Site, user: str) -> None:
    # With the right password, so it is the vhost that closes the connection.
    with pytest.raises(InvalidFrameError, match=r"Connection\.Close"):
        await aiormq.connect(site.url(user) + "elsewhere")


async def test_shipped_file_is_what_the_command_prints_and_lets_nobody_in() -> None:
    printed = await igsend("topology", "users")
    assert printed.code == 0
    assert printed.json == json.loads(SHIPPED.read_text())
    assert {user["password_hash"] for user in printed.json["users"]} == {""}


async def test_passwords_are_printed_as_hashes_that_let_in(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "passwords"
    folder.mkdir()
    (folder / "producer").write_text("another-one\n")
    settings = {"IGSEND_PREFIX": "ig.two"}
    await site.node.control("add_vhost", "two")
    arguments = ("topology", "users", "--vhost", "two", "--passwords", folder)
    printed = await igsend(*arguments, settings=settings)
    assert printed.code == 0
    assert "another-one" not in printed.out
    document = printed.json
    for each in document["users"]:
        each["name"] += "-two"
    for each in document["permissions"]:
        each["user"] += "-two"
    file = tmp_path / "two.json"
    file.write_text(json.dumps(document))
    await site.node.control("import_definitions", str(file))
    url = site.node.amqp_url.replace("guest:guest", "igsend-{}-two:{}") + "two"
    async with await aio_pika.connect(url.format("producer", "another-one")) as connection:
        assert not connection.is_closed
    for name, password in (("producer", "wrong"), ("worker", "another-one")):
        with pytest.raises(ConnectionError):
            await aio_pika.connect(url.format(name, password))


async def test_no_password_in_the_folder_is_said(tmp_path: Path) -> None:
    done = await igsend("topology", "users", "--passwords", tmp_path)
    assert (done.code, done.out) == (1, "")
    assert "none of the files producer, worker" in done.err


async def test_everybody_does_its_work(site: Site, tmp_path: Path) -> None:
    broker = Broker(site.url("worker"), "ig", "/", RabbitServer(site.node.amqp_url, site.node))
    settings = {"IGSEND_DECLARE": "false"}
    async with running_system(broker, tmp_path, {ACCOUNT: "IGAAtoken"}, settings=settings) as run:

        async def faulty(person: str, scenario: str) -> None:
            match = {"recipient_id": person}
            await run.sandbox.admin("POST", "faults", {"match": match, "scenario": scenario})

        await faulty("802", "throttled_retry_after")
        await faulty("803", "person_unavailable")
        requests = [
            a_document(id=f"r{person}", account_id=ACCOUNT, recipient={"id": person})
            for person in ("801", "802", "803")
        ]
        # Far enough away to be parked at the broker.
        later = rfc3339(time.time() + 5)
        parked = {"recipient": {"id": "804"}, "not_before": later}
        requests.append(a_document(id="r804", account_id=ACCOUNT, **parked))
        sent = await igsend(
            "send", "-", "--wait", "30", "--json",
            settings=site.settings("producer"), given=json.dumps(requests).encode(),
        )  # fmt: skip
        ended = {outcome["id"]: outcome["status"] for outcome in sent.json_lines}
        expected = {"r801": "sent", "r802": "sent", "r803": "failed", "r804": "sent"}
        assert ended == expected, sent.err
        operator = {**run.settings, **site.settings("operator")}
        letters = tmp_path / "letters.jsonl"
        for arguments in (
            ("ls",),
            ("show", "rejected"),
            ("export", "rejected", "--to", str(letters)),
            ("discard", "rejected", "--yes", "--to", str(tmp_path / "discarded.jsonl")),
            ("import", str(letters)),
            ("replay", "rejected", "--yes"),
        ):
            done = await igsend("dead", *arguments, settings=operator)
            assert done.code == 0, f"dead {arguments[0]}: {done.out}{done.err}"
        accepted = {each["recipient_id"] for each in await run.sandbox.messages(ACCOUNT)}
        assert "803" in accepted, "the replay was sent"


async def test_autoscaler_reads_the_queues_and_the_others_do_not(site: Site) -> None:
    url = f"{site.node.management_url}/api/queues/%2F"
    async with aiohttp.ClientSession() as session:
        answers = {}
        for user in users_of("ig"):
            credentials = {"Authorization": aiohttp.encode_basic_auth(user.login, PASSWORD)}
            async with session.get(url, headers=credentials) as answer:
                answers[user.name] = answer.status
        own = {"Authorization": aiohttp.encode_basic_auth("igsend-autoscaler", PASSWORD)}
        async with session.delete(f"{url}/{QUEUE}", headers=own) as answer:
            deleted = answer.status
    assert answers.pop("autoscaler") == 200
    assert set(answers.values()) == {401}
    assert deleted == 401
