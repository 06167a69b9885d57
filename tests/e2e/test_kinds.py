"""Every documented kind of request reaches the API as the producer wrote it, and nothing more.

The sandbox is strict: people, comments, posts and messages are registered before they are named.
"""

import copy
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import randbelow, token_hex
from typing import Any

import pytest
import pytest_asyncio

from tests.support.nodes import Broker
from tests.support.producer import a_producer
from tests.support.recording_api import RecordedCall, RecordingApi, recording_api
from tests.support.system import Sandbox, running_sandbox, running_worker, settings_for

# The recorder serves in the event loop of the fixtures, so the tests run in that loop too.
pytestmark = [pytest.mark.broker, pytest.mark.asyncio(loop_scope="module")]

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "valid"
# What is split arrives in parts of our own making: test_parts.py.
NAMES = sorted(
    path.stem for path in EXAMPLES.glob("*.json") if not json.loads(path.read_text()).get("split")
)
ACCOUNT, TOKEN = "17841405822304914", "IGAAkinds"
HUMAN_ACCOUNT, HUMAN_TOKEN = "17841405822304915", "IGAAhuman"
ACCOUNTS = f"""
[accounts.{ACCOUNT}]
token = "{TOKEN}"
[accounts.{HUMAN_ACCOUNT}]
token_env = "TOKEN_OF_HUMAN_ACCOUNT"
human_agent = true
"""
TAG = {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}


@dataclass(frozen=True, slots=True)
class Scene:
    """A worker whose calls are written down on their way to a strict sandbox."""

    broker: Broker
    sandbox: Sandbox
    api: RecordingApi
    settings: dict[str, str]

    def calls_to(self, recipient: dict[str, Any]) -> list[RecordedCall]:
        return [call for call in self.api.calls if call.body["recipient"] == recipient]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(
    module_broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("kinds")
    accounts = folder / "accounts.toml"
    accounts.write_text(ACCOUNTS)
    async with running_sandbox(folder, "--strict") as sandbox, recording_api(sandbox.url) as api:
        await sandbox.admin("PUT", f"accounts/{ACCOUNT}", {"token": TOKEN})
        human = {"token": HUMAN_TOKEN, "human_agent": True}
        await sandbox.admin("PUT", f"accounts/{HUMAN_ACCOUNT}", human)
        settings = settings_for(module_broker, graph_url=api.url, accounts=accounts)
        settings["TOKEN_OF_HUMAN_ACCOUNT"] = HUMAN_TOKEN
        async with running_worker(folder, settings):
            yield Scene(module_broker, sandbox, api, settings)


def hours_ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat()


def new_id() -> str:
    return str(10**15 + randbelow(10**15))


async def a_real(request: dict[str, Any], sandbox: Sandbox) -> dict[str, Any]:
    """Make an example true: a fresh person or comment, and posts and messages that exist."""
    real = copy.deepcopy(request)
    account_id, recipient, person = real["account_id"], real["recipient"], new_id()
    real["id"] = f"{real['id']}-{token_hex(4)}"
    wrote = {"account_id": account_id, "user_id": person}
    heard = await sandbox.admin("POST", "inbound", wrote)
    if "comment_id" in recipient:
        recipient["comment_id"] = new_id()
        comment = {"comment_id": recipient["comment_id"], "live": recipient.get("live", False)}
        await sandbox.admin("POST", "comments", {**wrote, **comment})
    else:
        recipient["id"] = person
    if "payload" in real:
        real["payload"]["message_id"] = heard["message_id"]
    for post_id in posts_in(real):
        await sandbox.admin("POST", "posts", {"account_id": account_id, "post_id": post_id})
    times = {
        "last_inbound_at": hours_ago(1),
        "not_before": hours_ago(0.5),
        "expires_at": hours_ago(-1),
    }
    return real | {name: value for name, value in times.items() if name in real}


def posts_in(request: dict[str, Any]) -> list[str]:
    attachments = [message.get("attachment", {}) for message in messages_of(request)]
    return [each["payload"]["id"] for each in attachments if each.get("type") == "MEDIA_SHARE"]


def messages_of(request: dict[str, Any]) -> list[dict[str, Any]]:
    return [request["message"]] if "message" in request else request.get("messages", [])


def graph_bodies(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Give what Meta documents for this request: `live` is ours, not Meta's."""
    recipient = {name: value for name, value in request["recipient"].items() if name != "live"}
    action: dict[str, Any] = {
        name: request[name] for name in ("sender_action", "payload") if name in request
    }
    parts: list[dict[str, Any]] = [{"message": message} for message in messages_of(request)]
    parts = parts or [action]
    return [{"recipient": recipient, **part} for part in parts]


async def test_the_examples_hold_every_kind_of_metas_guide() -> None:
    kinds = {
        *("text", "link", "image", "image-gif", "images", "audio", "video", "file", "sticker"),
        *("published-post", "react", "unreact", "quick-replies", "generic-template"),
        *("button-template", "private-reply", "private-reply-live", "typing-on", "typing-off"),
        *("mark-seen", "messages"),
    }
    assert kinds <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
async def test_the_body_that_arrives_is_the_graph_part_of_the_request(
    name: str, scene: Scene
) -> None:
    request = await a_real(json.loads((EXAMPLES / f"{name}.json").read_text()), scene.sandbox)
    bodies = graph_bodies(request)
    async with a_producer(scene.broker) as producer:
        outcome = await producer.outcome_of(request)
    assert (outcome["status"], outcome["error"]) == ("sent", None)
    calls = scene.calls_to(bodies[0]["recipient"])
    assert [call.body for call in calls] == bodies
    accepted = await scene.sandbox.messages(ACCOUNT)
    ids = [m["message_id"] for m in accepted if m["recipient"] == bodies[0]["recipient"]]
    assert outcome["message_ids"] == ids
    assert outcome["metadata"] == request.get("metadata")


async def test_path_and_headers_are_those_meta_documents_and_the_token_is_nowhere_else(
    scene: Scene,
) -> None:
    request: dict[str, Any] = {
        "id": token_hex(6),
        "account_id": ACCOUNT,
        "recipient": {"id": new_id()},
        "message": {"text": "Grüße, שלום, 👋"},
        "metadata": {"secret": "of ours"},
    }
    wrote = {"account_id": ACCOUNT, "user_id": request["recipient"]["id"]}
    await scene.sandbox.admin("POST", "inbound", wrote)
    async with a_producer(scene.broker) as producer:
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        await producer.outcome_of(request, headers={"traceparent": trace}, app_id="crm")
    (call,) = scene.calls_to(request["recipient"])
    assert (call.method, call.target) == ("POST", f"/v23.0/{ACCOUNT}/messages")
    headers = dict(call.headers)
    assert len(headers) == len(call.headers), "no header comes twice"
    assert headers.pop("user-agent", "igsend/").startswith("igsend/")
    assert headers == {
        "accept": "application/json",
        "accept-encoding": "identity",
        "authorization": f"Bearer {TOKEN}",
        "content-length": str(len(call.raw)),
        "content-type": "application/json",
        "host": scene.api.url.removeprefix("http://"),
    }
    assert TOKEN.encode() not in call.raw


async def test_the_version_in_the_path_is_a_setting(scene: Scene, tmp_path: Path) -> None:
    person = new_id()
    await scene.sandbox.admin("POST", "inbound", {"account_id": ACCOUNT, "user_id": person})
    request: dict[str, Any] = {
        "id": token_hex(6),
        "account_id": ACCOUNT,
        "recipient": {"id": person},
        "message": {"text": "Hello"},
    }
    broker = Broker(scene.broker.amqp_url, f"{scene.broker.prefix}.v24", "", scene.broker.server)
    settings = {
        **scene.settings,
        "IGSEND_GRAPH_VERSION": "v24.1",
        "IGSEND_PREFIX": broker.prefix,
        "IGSEND_PARTITIONS": "1",
    }
    async with running_worker(tmp_path, settings), a_producer(broker) as producer:
        outcome = await producer.outcome_of(request)
    assert outcome["status"] == "sent"
    (call,) = scene.calls_to({"id": person})
    assert call.target == f"/v24.1/{ACCOUNT}/messages"


@dataclass(frozen=True, slots=True)
class TagRow:
    """Who writes from where, how long after the person wrote, and what must come of it."""

    author: str
    account_id: str
    hours: float | None
    status: str
    is_tagged: bool = False
    has_action: bool = False


TAG_ROWS = {
    "inside 24 h a person needs no tag": TagRow("human", HUMAN_ACCOUNT, 23, "sent"),
    "after 24 h a person gets the tag": TagRow("human", HUMAN_ACCOUNT, 25, "sent", is_tagged=True),
    "until 7 days": TagRow("human", HUMAN_ACCOUNT, 167, "sent", is_tagged=True),
    "after 7 days nobody may": TagRow("human", HUMAN_ACCOUNT, 169, "failed"),
    "an automation never has the tag": TagRow("automation", HUMAN_ACCOUNT, 25, "failed"),
    "nor an account without it": TagRow("human", ACCOUNT, 25, "failed"),
    "nor an action": TagRow("human", HUMAN_ACCOUNT, 25, "failed", has_action=True),
    "nobody is asked without a time": TagRow("human", HUMAN_ACCOUNT, None, "sent"),
}


@pytest.mark.parametrize("row", TAG_ROWS.values(), ids=TAG_ROWS)
async def test_the_human_agent_tag_is_added_by_the_rules_alone(row: TagRow, scene: Scene) -> None:
    person = new_id()
    wrote = {"account_id": row.account_id, "user_id": person}
    await scene.sandbox.admin("POST", "inbound", {**wrote, "at": hours_ago(row.hours or 0)})
    action = {"sender_action": "mark_seen"}
    parts = {"messages": [{"text": "First"}, {"text": "Second"}]}
    request: dict[str, Any] = {
        "id": token_hex(6),
        "account_id": row.account_id,
        "recipient": {"id": person},
        "author": row.author,
        **(action if row.has_action else parts),
        **({} if row.hours is None else {"last_inbound_at": hours_ago(row.hours)}),
    }
    async with a_producer(scene.broker) as producer:
        outcome = await producer.outcome_of(request)
    bodies = [call.body for call in scene.calls_to(request["recipient"])]
    assert outcome["status"] == row.status
    if row.status == "failed":
        assert outcome["reason"] == "expired"
        assert bodies == [], "what is certain to be refused is not sent"
        return
    tag = TAG if row.is_tagged else {}
    assert bodies == [{**body, **tag} for body in graph_bodies(request)]
