"""Asking a real HTTP server whether a doubtful message went."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.integration.graph.calls import a_client
from tests.support.builders import ACCOUNT_ID, PERSON_ID, TEXT, TOKEN, a_document, an_account
from tests.support.recording_api import recording_api
from worker.core.account import Account
from worker.core.request import Part, request_from
from worker.core.send_result import Refused, Scope, Throttled, Unknown
from worker.core.verification import Absent, Finding, Found, Listed, Listing, Unlisted, finding_of
from worker.graph.client import GraphClient
from worker.graph.conversations import FEWER, NEWEST, Conversations
from worker.sandbox.graph_server import RunningSandbox, running_sandbox
from worker.sandbox.settings import Settings

READS = {"kind": "conversations"}
FIELDS = "id,created_time,from,to,message,attachments"


@dataclass
class Asker:
    """Asks the sandbox; `permits` counts what was awaited before the calls."""

    sandbox: RunningSandbox
    client: GraphClient
    conversations: Conversations
    permits: int = 0
    calls_before: list[int] = field(default_factory=list)

    async def permit(self) -> None:
        self.permits += 1
        self.calls_before.append(len(self.reads))

    async def ask(self, user_id: str = PERSON_ID, *, account: Account | None = None) -> Listing:
        account = account or an_account()
        return await self.conversations.recent(account, user_id, permit=self.permit)

    async def listed(self, user_id: str = PERSON_ID) -> Listed:
        listing = await self.ask(user_id)
        assert isinstance(listing, Listed)
        return listing

    async def unlisted(self, account: Account | None = None) -> Unlisted:
        listing = await self.ask(account=account)
        assert isinstance(listing, Unlisted)
        assert listing.calls == len(self.reads) == self.permits
        shown = repr(listing)
        assert TOKEN not in shown
        assert TEXT not in shown
        return listing

    async def send(self, part: Part | None = None, *, times: int = 1) -> None:
        for _ in range(times):
            await self.client.send(an_account(), part or a_part(), tag={}, may_have_gone=False)

    @property
    def reads(self) -> list[str]:
        return [call.path for call in self.sandbox.calls if call.kind == "conversations"]


@pytest.fixture
async def asker() -> AsyncIterator[Asker]:
    async with (
        running_sandbox(accounts={ACCOUNT_ID: TOKEN}) as sandbox,
        a_client(sandbox.url) as client,
    ):
        sandbox.state.settings = Settings(reads_per_s=None)
        yield Asker(sandbox, client, Conversations(client))


def a_part(message: dict[str, Any] | None = None) -> Part:
    document = a_document(message=message or {"text": TEXT})
    return request_from(document, fingerprint=b"").parts[0]


def media(kind: str, extension: str) -> dict[str, Any]:
    url = f"https://example.com/a.{extension}"
    return {"attachment": {"type": kind, "payload": {"url": url}}}


def template(kind: str, **payload: Any) -> dict[str, Any]:
    return {"attachment": {"type": "template", "payload": {"template_type": kind, **payload}}}


A_BUTTON = {"type": "web_url", "url": "https://example.com/", "title": "Visit"}
A_REPLY = {"content_type": "text", "title": "Yes", "payload": "YES"}
KINDS: dict[str, dict[str, Any]] = {
    "text": {"text": "Olá 👋 <b>\n\n1"},
    "quick replies": {"text": TEXT, "quick_replies": [A_REPLY]},
    "image": media("image", "png"),
    "images": {"attachments": [media("image", "png")["attachment"]] * 3},
    "video": media("video", "mp4"),
    "audio": media("audio", "m4a"),
    "file": media("file", "pdf"),
    "sticker": {"attachment": {"type": "like_heart"}},
    "post": {"attachment": {"type": "MEDIA_SHARE", "payload": {"id": "9001"}}},
    "generic template": template("generic", elements=[{"title": "Hat", "subtitle": "Straw"}]),
    "button template": template("button", text=TEXT, buttons=[A_BUTTON]),
}


async def finding_after(asker: Asker, scenario: str, part: Part) -> Finding:
    asker.sandbox.add_fault(scenario=scenario)
    result = await asker.client.send(an_account(), part, tag={}, may_have_gone=False)
    assert isinstance(result, Unknown)
    call = asker.sandbox.calls[-1]
    listed = await asker.listed()
    return finding_of(part, listed, started_at=call.received_at, known_ids=frozenset())


@pytest.mark.parametrize("own_id", ["user_id", "app_scoped"])
@pytest.mark.parametrize("name", KINDS)
async def test_message_whose_answer_was_lost_is_found(name: str, own_id: str, asker: Asker) -> None:
    asker.sandbox.state.settings = Settings.model_validate({"reads_per_s": None, "own_id": own_id})
    finding = await finding_after(asker, "reset_after_accept", a_part(KINDS[name]))
    [accepted] = asker.sandbox.accepted
    assert finding == Found(accepted.message_id or "", PERSON_ID)


@pytest.mark.parametrize("scenario", ["reset_before_accept", "html_502", "temporary_error"])
async def test_message_that_was_not_taken_is_absent(scenario: str, asker: Asker) -> None:
    await asker.send(a_part({"text": "Hello"}))
    assert await finding_after(asker, scenario, a_part()) == Absent()


async def test_message_that_does_not_show_yet_is_absent(asker: Asker) -> None:
    asker.sandbox.state.settings = Settings(reads_per_s=None, read_delay_s=3600)
    assert await finding_after(asker, "reset_after_accept", a_part()) == Absent()


async def test_person_without_a_conversation_has_no_messages(asker: Asker) -> None:
    assert await asker.ask() == Listed((), calls=1)
    assert asker.permits == 1


async def test_conversation_is_looked_up_once_and_each_call_has_its_permit(asker: Asker) -> None:
    await asker.send()
    assert [(await asker.listed()).calls for _ in range(3)] == [2, 1, 1]
    assert asker.calls_before == [0, 1, 2, 3]


async def test_only_so_many_conversations_are_remembered(asker: Asker) -> None:
    asker.conversations = Conversations(asker.client, keep=2)
    for person in ("1", "2", "3"):
        document = a_document(recipient={"id": person})
        await asker.send(request_from(document, fingerprint=b"").parts[0])
    calls = [(await asker.listed(person)).calls for person in ("1", "2", "1", "3", "1", "2")]
    assert calls == [2, 2, 1, 2, 1, 2]


@pytest.mark.parametrize(("sent", "has_older"), [(NEWEST - 1, False), (NEWEST, True), (25, True)])
async def test_only_the_newest_are_asked_for(sent: int, has_older: bool, asker: Asker) -> None:
    await asker.send(times=sent)
    listed = await asker.listed()
    newest = [message.message_id for message in reversed(asker.sandbox.accepted)]
    assert [message.id for message in listed.messages] == newest[:NEWEST]
    assert listed.has_older is has_older
    assert all(message.text == TEXT for message in listed.messages)


async def test_question_is_asked_as_documented_and_with_the_token_in_its_header_alone(
    asker: Asker,
) -> None:
    await asker.send()
    async with recording_api(asker.sandbox.url) as api, a_client(api.url) as client:
        await Conversations(client).recent(an_account(), PERSON_ID, permit=asker.permit)
    targets = [call.target for call in api.calls]
    find, path = f"/v23.0/{ACCOUNT_ID}/conversations", asker.reads[-1]
    assert targets[0] == f"{find}?platform=instagram&user_id={PERSON_ID}"
    assert targets[1].replace("%7B", "{").replace("%7D", "}") == (
        f"{path}?fields=messages.limit({NEWEST}){{{FIELDS}}}"
    )
    for call in api.calls:
        headers = dict(call.headers)
        assert headers.pop("user-agent").startswith("igsend/")
        assert (call.method, call.raw) == ("GET", b"")
        assert headers.pop("authorization") == f"Bearer {TOKEN}"
        assert headers.keys() == {"host", "accept", "accept-encoding"}


async def test_too_large_a_page_is_asked_for_again_in_small(asker: Asker) -> None:
    asker.sandbox.state.settings = Settings(reads_per_s=None, most_listed=FEWER)
    await asker.send(times=8)
    listed = await asker.listed()
    assert (len(listed.messages), listed.calls, listed.has_older) == (FEWER, 3, True)
    assert asker.permits == 3


async def test_small_page_is_asked_for_once(asker: Asker) -> None:
    asker.sandbox.state.settings = Settings(reads_per_s=None, most_listed=1)
    await asker.send()
    unlisted = await asker.unlisted()
    assert (unlisted.error.code, unlisted.calls, unlisted.closes) == (1, 3, None)


async def test_dead_token_is_told_as_a_refusal_of_the_account(asker: Asker) -> None:
    unlisted = await asker.unlisted(an_account(token="IGAAwrong"))
    assert isinstance(unlisted.closes, Refused)
    assert unlisted.closes.scope is Scope.ACCOUNT
    assert (unlisted.closes.error, unlisted.error.code) == (unlisted.error, 190)


async def test_limit_of_the_conversations_api_is_told_as_a_throttle(asker: Asker) -> None:
    asker.sandbox.state.settings = Settings(reads_per_s=0)
    unlisted = await asker.unlisted()
    assert unlisted.closes == Throttled(Scope.ACCOUNT, unlisted.error)
    assert unlisted.error.code == 613


@pytest.mark.parametrize(
    ("script", "scope", "retry_after_s"),
    [
        ({"scenario": "throttled_1m"}, Scope.ACCOUNT, 60.0),
        ({"scenario": "throttled_bare"}, Scope.ACCOUNT, None),
        ({"scenario": "throttled_app"}, Scope.APP, None),
        (
            {"status": 429, "body": "<html>", "cut": True, "headers": {"Retry-After": "9"}},
            Scope.ACCOUNT,
            9.0,
        ),
    ],
)
async def test_throttle_is_told_with_its_reach_and_its_wait(
    script: dict[str, Any], scope: Scope, retry_after_s: float | None, asker: Asker
) -> None:
    asker.sandbox.add_fault(match=READS, **script)
    closes = (await asker.unlisted()).closes
    assert isinstance(closes, Throttled)
    assert (closes.scope, closes.retry_after_s) == (scope, retry_after_s)


@pytest.mark.parametrize(
    ("script", "code", "http_status"),
    [
        ({"scenario": "temporary_error"}, 2, 500),
        ({"scenario": "permission_revoked"}, 10, 403),
        ({"status": 400, "error": {"code": 230}}, 230, 400),
        ({"status": 400, "error": {"code": 100, "error_subcode": 33}}, 100, 400),
        ({"status": 200, "error": {"code": 2}}, 2, 200),
    ],
)
async def test_other_refusal_closes_nothing(
    script: dict[str, Any], code: int, http_status: int, asker: Asker
) -> None:
    await asker.send()
    asker.sandbox.add_fault(match=READS, skip=1, **script)
    unlisted = await asker.unlisted()
    assert (unlisted.error.code, unlisted.error.http_status) == (code, http_status)
    assert unlisted.closes is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, "<html>bad gateway</html>"),
        (500, ""),
        (302, ""),
        (404, "{}"),
        (201, '{"data": []}'),
        (200, "<html>all is well</html>"),
        (200, "[]"),
        (200, "{}"),
        (200, '{"error": "no"}'),
        (200, '{"data": {}}'),
        (200, '{"data": [{}]}'),
        (200, '{"data": ["t_1"]}'),
        (200, '{"data": [{"id": "../../me"}]}'),
        (200, '{"data": [{"id": "1?fields=x"}]}'),
        (200, '{"message_id": "m", "recipient_id": "1"}'),
    ],
)
@pytest.mark.parametrize("skip", [0, 1], ids=["conversation", "messages"])
async def test_answer_that_is_not_as_documented_is_told_as_such(
    status: int, body: str, skip: int, asker: Asker
) -> None:
    await asker.send()
    asker.sandbox.add_fault(match=READS, skip=skip, status=status, body=body)
    unlisted = await asker.unlisted()
    assert unlisted.calls == skip + 1
    assert unlisted.error.http_status == status
    assert "not one it documents" in unlisted.error.meaning
    assert "taken the message" not in unlisted.error.meaning
    assert unlisted.closes is None


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ({"reset": "before_accepting"}, "the connection to the API broke"),
        ({"cut": True}, "broke off"),
        ({"hang": True}, "did not answer in time"),
    ],
)
async def test_call_without_an_answer_is_not_repeated(
    script: dict[str, Any], says: str, asker: Asker
) -> None:
    await asker.send()
    asker.sandbox.add_fault(match=READS, times=None, **script)
    async with a_client(asker.sandbox.url, text_timeout_s="0.5") as client:
        asker.conversations = Conversations(client)
        unlisted = await asker.unlisted()
    assert says in unlisted.error.meaning
    assert len(asker.reads) == 1


async def test_reused_connection_that_breaks_is_not_tried_again(asker: Asker) -> None:
    await asker.send()
    await asker.listed()
    asker.sandbox.add_fault(match=READS, times=None, reset="before_accepting")
    unlisted = await asker.ask()
    assert isinstance(unlisted, Unlisted)
    assert len(asker.reads) == 3


async def test_api_that_cannot_be_reached_is_told_as_such(asker: Asker) -> None:
    async with a_client("http://127.0.0.1:1") as client:
        listing = await Conversations(client).recent(an_account(), PERSON_ID, permit=asker.permit)
    assert isinstance(listing, Unlisted)
    assert "could not be connected to" in listing.error.meaning


async def test_conversation_that_could_not_be_listed_is_looked_up_afresh(asker: Asker) -> None:
    await asker.send()
    asker.sandbox.add_fault(match=READS, skip=1, status=400, error={"code": 100})
    assert isinstance(await asker.ask(), Unlisted)
    assert (await asker.listed()).calls == 2


async def test_throttle_leaves_the_conversation_known(asker: Asker) -> None:
    await asker.send()
    asker.sandbox.add_fault(match=READS, skip=1, scenario="throttled_1m")
    assert isinstance(await asker.ask(), Unlisted)
    assert (await asker.listed()).calls == 1


async def test_what_the_permit_raises_comes_through_and_nothing_is_called(asker: Asker) -> None:
    async def no_permit() -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        await asker.conversations.recent(an_account(), PERSON_ID, permit=no_permit)
    assert asker.reads == []
