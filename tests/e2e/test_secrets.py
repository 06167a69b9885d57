"""No token and no message text leaves the system but towards the API and in a dead letter's body.

Everything is marked, led through every kind of ending at the most talkative log level, and then
looked for in all that the system says.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from tests.support.builders import a_document
from tests.support.collector import a_collector
from tests.support.commands import igsend, run
from tests.support.nodes import Broker, RabbitServer, broker_for_one_test
from tests.support.producer import DeadLetter, Producer, a_producer
from tests.support.redis_contents import everything_in
from tests.support.spellings import is_in
from tests.support.system import System, running_system
from tests.support.waiting import eventually

pytestmark = pytest.mark.broker

MARK = token_hex(8)
# One token that looks like Instagram's and one that does not: no pattern can hide the second.
TOKENS = {
    "17841400000000601": "IGAA" + f"Tok{MARK}" * 3,
    "17841400000000602": f"plain-tok{MARK}",
    "17841400000000603": f"revoked-tok{MARK}",
}
FIRST, SECOND, REVOKED = TOKENS
UNKNOWN = "17841400000000699"
TOKEN, TEXT, METADATA, PASSWORD = f"ok{MARK}", f"txt{MARK}", f"meta{MARK}", f"pass{MARK}"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
REASONS = ("invalid", "rejected", "expired", "account", "exhausted", "unconfirmed", "suspect")
MARKED_BUTTON = {"content_type": "text", "title": TEXT, "payload": TEXT}
MARKED_IMAGE = {"type": "image", "payload": {"url": f"https://shop.example/{TEXT}.png"}}


@dataclass(slots=True)
class Evidence:
    """All that was said, by where; `outcomes` by the name of the request."""

    said: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    letters: list[DeadLetter] = field(default_factory=list)
    arrived: str = ""


def marked(account_id: str = FIRST, **fields: Any) -> dict[str, Any]:
    body = {} if "messages" in fields else {"message": {"text": TEXT}}
    document = a_document(account_id=account_id, metadata={"note": METADATA}, **body | fields)
    return document | {"id": fields.get("id", token_hex(6))}


def requests() -> Mapping[str, dict[str, Any] | bytes]:
    """Give requests that end in every way; people from 500 on are scripted."""
    taken = marked(id="taken")
    return {
        "sent": marked(),
        "sent, other token": marked(SECOND),
        "sent in parts": marked(messages=[{"text": TEXT}, {"attachment": MARKED_IMAGE}]),
        "split": marked(
            message={"text": f"{TEXT} " * 60, "quick_replies": [MARKED_BUTTON]}, split=True
        ),
        "private reply": marked(recipient={"comment_id": f"1790{int(MARK, 16)}"}),
        "taken": taken,
        "taken again": taken,
        "taken with another body": marked(id="taken", message={"text": f"{TEXT} other"}),
        "refused": marked(recipient={"id": "501"}),
        "unknown": marked(recipient={"id": "502"}, on_unknown="hold"),
        "throttled": marked(SECOND, recipient={"id": "503"}),
        "refused again and again": marked(
            message={"attachment": MARKED_IMAGE}, recipient={"id": "504"}
        ),
        "answered with the token": marked(SECOND, recipient={"id": "505"}),
        "garbage answered": marked(recipient={"id": "506"}, on_unknown="hold"),
        "expired": marked(expires_at="2025-01-01T00:00:00Z"),
        "unknown account": marked(UNKNOWN),
        "revoked": marked(REVOKED),
        "not JSON": b'{"id": "x", "message": {"text": "' + TEXT.encode(),
        "not UTF-8": TEXT.encode() + b"\xff",
        "not an object": json.dumps([TEXT, METADATA]).encode(),
        "twice the same name": f'{{"message": {{"text": "{TEXT}", "text": "{TEXT}"}}}}'.encode(),
        "text too long": marked(message={"text": TEXT * 100}),
        "too many buttons": marked(message={"text": TEXT, "quick_replies": [MARKED_BUTTON] * 14}),
        "text is a list": marked(message={"text": [TEXT]}),
        "author wrong": marked(author=TEXT),
        "url with a password": marked(
            message={"attachment": {"type": "image", "payload": {"url": f"https://a:{TEXT}@b/"}}}
        ),
        "type wrong": marked(message={"attachment": {"type": TEXT, "payload": {"url": TEXT}}}),
        "date wrong": marked(expires_at=TEXT),
        "template wrong": marked(
            message={
                "attachment": {
                    "type": "template",
                    "payload": {"template_type": "button", "text": TEXT * 100, "buttons": [TEXT]},
                }
            }
        ),
    }


async def script_faults(system: System) -> None:
    leaking = {"code": 100, "message": f"no such person: {TEXT} {TOKENS[SECOND]}"}
    scripts: dict[str, dict[str, Any]] = {
        "501": {"scenario": "person_unavailable"},
        "502": {"scenario": "reset_after_accept"},
        "503": {"scenario": "throttled_retry_after"},
        "504": {"scenario": "media_not_fetched", "times": None},
        "505": {"status": 400, "error": {**leaking, "error_user_msg": leaking["message"]}},
        "506": {"status": 502, "body": f"<html>{TEXT} {TOKENS[FIRST]}</html>"},
    }
    for person, script in scripts.items():
        await system.sandbox.admin("POST", "faults", {"match": {"recipient_id": person}, **script})
    await system.sandbox.admin("DELETE", f"accounts/{REVOKED}")


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["memory", "redis"])
async def evidence(
    request: pytest.FixtureRequest,
    rabbitmq: RabbitServer,
    redis: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Evidence]:
    """Lead everything through a system whose every secret is marked, and collect what it says."""
    folder = tmp_path_factory.mktemp("secrets")
    async with broker_for_one_test(rabbitmq) as broker, a_collector() as collector:
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "IGSEND_LOG_LEVEL": "debug",
            "IGSEND_MAX_ATTEMPTS": "2",
            "IGSEND_GATE_URL": redis if request.param == "redis" else "memory://",
            "IGSEND_AMQP_URL": await with_marked_password(broker),
        }
        found = await found_in(broker, folder, settings)
        assert collector.spans
        found.said["spans"] = "".join(collector.raw)
        yield found


async def found_in(broker: Broker, folder: Path, settings: Mapping[str, str]) -> Evidence:
    """Run it, from start to a graceful end."""
    async with running_system(broker, folder, TOKENS, settings=settings) as system:
        await script_faults(system)
        found = Evidence()
        async with a_producer(broker) as producer:
            await lead_through(system, producer, found)
            await spoil_accounts(system)
            await look_at_letters(system, found)
            for reason in REASONS:
                found.letters += await producer.dead_letters(reason)
        await listen(system, found)
        if (gate_url := settings["IGSEND_GATE_URL"]) != "memory://":
            async with Redis.from_url(gate_url) as client:
                found.said["Redis"] = repr(await everything_in(client, broker.prefix))
    found.said["log of the worker"] = system.worker.process.log.read_text()
    return found


async def spoil_accounts(system: System) -> None:
    """Put tokens where none belongs; the worker is to complain without a word of them."""
    (system.accounts / TOKENS[FIRST]).write_text("a token as a name")
    (system.accounts / "17841400000000604").write_text(f"{TOKENS[FIRST]} twice {TOKEN}")

    async def complains() -> bool:
        return (await system.worker.get("/status")).json["accounts"]["last_error"] is not None

    await eventually(complains)


async def look_at_letters(system: System, found: Evidence) -> None:
    """List dead letters; their bodies are the producer's own, so only the rest is searched."""
    done = await igsend("dead", "ls", "--json", settings=system.settings)
    found.said["dead ls"] = done.out + done.err
    for reason in REASONS:
        done = await igsend("dead", "show", reason, "--json", settings=system.settings)
        rows = [json.loads(line) for line in done.out.splitlines()]
        found.said[f"dead show {reason}"] = done.err + json.dumps(
            [
                {name: value for name, value in row.items() if not name.startswith("body")}
                for row in rows
            ]
        )
        done = await igsend("dead", "show", reason, settings=system.settings)
        found.said[f"dead show {reason}, as a table"] = done.out + done.err


async def with_marked_password(broker: Broker) -> str:
    """Make a user whose password is marked; a broker that is not ours keeps its own."""
    node = broker.server.node
    if node is None:
        return broker.amqp_url
    user = user_of(broker)
    await node.control("add_user", user, PASSWORD)
    await node.control("set_permissions", "--vhost", broker.vhost, user, ".*", ".*", ".*")
    return broker.amqp_url.replace("guest:guest", f"{user}:{PASSWORD}")


def user_of(broker: Broker) -> str:
    """Name the user of a part of the broker."""
    return f"marked-{broker.prefix}"


async def lead_through(system: System, producer: Producer, found: Evidence) -> None:
    keys = {}
    for name, request in requests().items():
        keys[name] = await producer.publish(request, headers={"traceparent": TRACE})
        if name == "taken":
            await producer.outcome(keys[name])
    for name, key in keys.items():
        found.outcomes[name] = await producer.outcome(key)
    # A connection that is lost while a call hangs makes the library log its channels and frames.
    await system.sandbox.admin(
        "POST", "faults", {"match": {"recipient_id": "507"}, "latency_s": 3.0}
    )
    late = await producer.publish(marked(recipient={"id": "507"}))

    async def hangs() -> bool:
        return any(call["recipient_id"] == "507" for call in await system.sandbox.calls(FIRST))

    await eventually(hangs)
    if (node := system.broker.server.node) is not None:
        user = user_of(system.broker)
        await node.control("close_all_user_connections", user, "closed by a test")
    found.outcomes["connection lost"] = await producer.outcome(late)
    found.arrived = json.dumps(await system.sandbox.admin("GET", "messages"))


async def listen(system: System, found: Evidence) -> None:
    """Collect every output but the dead letters' bodies."""
    paths = ("/livez", "/readyz", "/status", "/metrics", "/nothing")
    for path, answer in zip(
        paths, await asyncio.gather(*(system.worker.get(path) for path in paths)), strict=True
    ):
        found.said[path] = answer.text
    pid = system.worker.process.pid
    found.said["command line"] = (await run("cat", f"/proc/{pid}/cmdline")).out
    assert "worker" in found.said["command line"]
    # The password is where the test itself gave it: in IGSEND_AMQP_URL.
    variables = (await run("cat", f"/proc/{pid}/environ")).out.split("\0")
    others = [each for each in variables if not each.startswith("IGSEND_AMQP_URL=")]
    found.said["environment"] = "\n".join(others)
    assert "IGSEND_LOG_LEVEL=debug" in found.said["environment"]
    found.said["all command lines"] = (await run("ps", "-eww", "-o", "args")).out
    lines = b"\n".join(
        request if isinstance(request, bytes) else json.dumps(request).encode()
        for request in requests().values()
    )
    commands = {
        "doctor": ("doctor",),
        "doctor --json": ("doctor", "--json"),
        "validate": ("validate", "-"),
        "validate --json": ("validate", "-", "--json"),
        "accounts ls": ("accounts", "ls"),
        "accounts ls --json": ("accounts", "ls", "--json"),
        "accounts show": ("accounts", "show", REVOKED),
        "accounts check": ("accounts", "check"),
        "accounts check --json": ("accounts", "check", "--json"),
        "accounts refresh": ("accounts", "refresh", FIRST, REVOKED),
        "accounts refresh --json": ("accounts", "refresh", SECOND, REVOKED, "--json"),
        "why": ("why", "taken"),
        "why --json": ("why", "taken", "--json"),
        "topology show": ("topology", "show"),
        "topology check": ("topology", "check"),
    }
    # What memory:// knows, the worker is asked for.
    settings = {**system.settings, "IGSEND_HTTP_PORT": system.worker.url.rpartition(":")[2]}
    for name, command in commands.items():
        done = await igsend(*command, settings=settings, given=lines)
        found.said[name] = done.out + done.err
        assert "Traceback" not in done.err, done.err
    for number, letter in enumerate(found.letters):
        found.said[f"headers of letter {number}"] = repr(letter.headers)
    for name, outcome in found.outcomes.items():
        found.said[f"outcome {name}"] = json.dumps(outcome | {"metadata": None})
    closed = found.said["accounts show"]
    assert "closed" in closed, "the account is closed, and its token is still not shown"
    for name in ("accounts check", "accounts check --json"):
        assert FIRST in found.said[name], "the API was asked about the token"
    for name in ("accounts refresh", "accounts refresh --json"):
        assert REVOKED in found.said[name], "what became of the refused token is told"


# Everything else is invalid.
ENDINGS: Mapping[str, tuple[str, str | None]] = {
    "sent": ("sent", None),
    "sent, other token": ("sent", None),
    "sent in parts": ("sent", None),
    "split": ("sent", None),
    "private reply": ("sent", None),
    "taken": ("sent", None),
    "taken again": ("sent", None),
    "taken with another body": ("failed", "invalid"),
    "refused": ("failed", "rejected"),
    "unknown": ("held", "unconfirmed"),
    "throttled": ("sent", None),
    "refused again and again": ("failed", "rejected"),
    "connection lost": ("sent", None),
    "answered with the token": ("failed", "rejected"),
    "garbage answered": ("held", "unconfirmed"),
    "expired": ("failed", "expired"),
    "unknown account": ("failed", "account"),
    "revoked": ("failed", "account"),
}


def test_everything_ended_as_meant_so_that_the_search_is_worth_something(
    evidence: Evidence,
) -> None:
    endings = {name: (o["status"], o["reason"]) for name, o in evidence.outcomes.items()}
    invalid = {name: ("failed", "invalid") for name in endings if name not in ENDINGS}
    assert endings == {**invalid, **ENDINGS}
    assert TEXT in evidence.arrived, "the API got the marked text"
    assert sum(TEXT.encode() in letter.body for letter in evidence.letters) >= 15
    assert evidence.outcomes["refused"]["metadata"] == {"note": METADATA}
    assert evidence.said["log of the worker"].count('"event":"request"') >= len(endings)
    assert '"level":"debug"' in evidence.said["log of the worker"]


@pytest.mark.parametrize(
    "secret", [TOKEN, TEXT, METADATA, PASSWORD], ids=["token", "text", "metadata", "password"]
)
def test_nothing_the_system_says_holds_a_secret(secret: str, evidence: Evidence) -> None:
    leaking = {
        where: text[max(0, text.find(secret) - 200) : max(0, text.find(secret)) + 40]
        for where, text in evidence.said.items()
        if is_in(secret, text)
    }
    assert leaking == {}


def test_dead_letters_carry_no_token_even_in_their_bodies(evidence: Evidence) -> None:
    assert not [letter for letter in evidence.letters if is_in(TOKEN, letter.body)]
