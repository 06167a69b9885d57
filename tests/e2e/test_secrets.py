"""No token and no message text leaves the system but towards the API and in a dead letter's body.

Everything is marked, led through every kind of ending at the most talkative log level, and then
looked for in all that the system says.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

import pytest
import pytest_asyncio

from tests.support.builders import a_document
from tests.support.commands import igsend, run
from tests.support.http_calls import call
from tests.support.nodes import Broker
from tests.support.producer import DeadLetter, Producer, a_producer
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def evidence(
    module_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Evidence]:
    """Lead everything through a system whose every secret is marked, and collect what it says."""
    folder = tmp_path_factory.mktemp("secrets")
    user = {"IGSEND_AMQP_URL": await with_marked_password(module_broker)}
    settings = {"IGSEND_LOG_LEVEL": "debug", "IGSEND_MAX_ATTEMPTS": "2", **user}
    async with running_system(module_broker, folder, TOKENS, settings=settings) as system:
        await script_faults(system)
        found = Evidence()
        async with a_producer(module_broker) as producer:
            await lead_through(system, producer, found)
            for reason in REASONS:
                found.letters += await producer.dead_letters(reason)
        await listen(system, found)
    log = system.worker.process.log.read_text()
    found.said["log of the worker"] = log
    yield found


async def with_marked_password(broker: Broker) -> str:
    """Make a user whose password is marked; a broker that is not ours keeps its own."""
    node = broker.server.node
    if node is None:
        return broker.amqp_url
    await node.control("add_user", "marked", PASSWORD)
    await node.control("set_permissions", "--vhost", broker.vhost, "marked", ".*", ".*", ".*")
    return broker.amqp_url.replace("guest:guest", f"marked:{PASSWORD}")


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
        await node.control("close_all_user_connections", "marked", "closed by a test")
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
    lines = b"\n".join(
        request if isinstance(request, bytes) else json.dumps(request).encode()
        for request in requests().values()
    )
    commands = {
        "doctor": ("doctor",),
        "doctor --json": ("doctor", "--json"),
        "validate": ("validate", "-"),
        "validate --json": ("validate", "-", "--json"),
    }
    for name, command in commands.items():
        done = await igsend(*command, settings=system.settings, given=lines)
        found.said[name] = done.out + done.err
    for number, letter in enumerate(found.letters):
        found.said[f"headers of letter {number}"] = repr(letter.headers)
    for name, outcome in found.outcomes.items():
        found.said[f"outcome {name}"] = json.dumps(outcome | {"metadata": None})
    closed = await call("GET", f"{system.worker.url}/status")
    assert REVOKED in closed.text, "the account is closed, and its token is still not shown"


# Everything else is invalid.
ENDINGS: Mapping[str, tuple[str, str | None]] = {
    "sent": ("sent", None),
    "sent, other token": ("sent", None),
    "sent in parts": ("sent", None),
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
        where: text[max(0, text.find(secret) - 200) : text.find(secret) + 40]
        for where, text in evidence.said.items()
        if is_in(secret, text)
    }
    assert leaking == {}


def test_dead_letters_carry_no_token_even_in_their_bodies(evidence: Evidence) -> None:
    assert not [letter for letter in evidence.letters if is_in(TOKEN, letter.body)]
