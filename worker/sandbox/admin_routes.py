"""The endpoints under `/_sandbox/`: set up the world, script faults, read the evidence.

They have no authentication: the sandbox is for machines of one's own.
"""

import time
from collections.abc import Mapping

from aiohttp import web

from worker.sandbox.account_files import AccountsError, SandboxAccount
from worker.sandbox.admin_answers import as_json, bad_request, not_found
from worker.sandbox.admin_bodies import (
    AccountBody,
    CommentBody,
    InboundBody,
    PostBody,
    as_model,
    read_json,
)
from worker.sandbox.answers import new_message_id
from worker.sandbox.faults import Fault
from worker.sandbox.scenarios import SCENARIOS, UnknownScenarioError, script_of
from worker.sandbox.settings import Settings
from worker.sandbox.state import SandboxState
from worker.sandbox.threads import ThreadMessage
from worker.sandbox.world import Comment

ENDPOINTS: Mapping[str, str] = {
    "GET /_sandbox/": "this list",
    "GET /_sandbox/messages": "accepted, in order; ?account_id= &recipient_id= &since_seq=",
    "DELETE /_sandbox/messages": "forget messages, calls and counters; numbers go on",
    "GET /_sandbox/calls": "every call with its verdict; ?account_id= &recipient_id= &since_seq=",
    "GET /_sandbox/stats": "counters, and how much is kept",
    "GET /_sandbox/wait": "?accepted=N &within_s=10: 200 once N messages are kept, else 408",
    "GET|PUT /_sandbox/settings": "how the sandbox behaves; GET shows all there is",
    "GET /_sandbox/accounts": "ids, without tokens",
    "PUT|DELETE /_sandbox/accounts/{id}": "token, human_agent, issued_at, expires_at; or revoke",
    "POST /_sandbox/inbound": "a person wrote: account_id, user_id, at?, text?",
    "POST /_sandbox/comments": "account_id, comment_id, user_id, at?, live?, live_until?",
    "POST /_sandbox/posts": "account_id, post_id",
    "DELETE /_sandbox/world": "forget people, comments, posts, message ids and conversations",
    "GET|POST|DELETE /_sandbox/faults": "scripted faults; POST a script or {scenario, match}",
    "DELETE /_sandbox/faults/{id}": "drop one fault",
    "GET /_sandbox/scenarios": "ready-made faults by name",
}


class AdminRoutes:
    """Handles what the people and tests around the sandbox ask of it."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def table(self) -> list[web.RouteDef]:
        """Give the routes that change the sandbox."""
        return [
            web.get("/_sandbox/", _index),
            web.get("/_sandbox/scenarios", _scenarios),
            web.get("/_sandbox/settings", self.show_settings),
            web.put("/_sandbox/settings", self.change_settings),
            web.get("/_sandbox/accounts", self.list_accounts),
            web.put("/_sandbox/accounts/{account_id:[0-9]{1,32}}", self.put_account),
            web.delete("/_sandbox/accounts/{account_id:[0-9]{1,32}}", self.revoke_account),
            web.post("/_sandbox/inbound", self.register_inbound),
            web.post("/_sandbox/comments", self.register_comment),
            web.post("/_sandbox/posts", self.register_post),
            web.delete("/_sandbox/world", self.forget_world),
            web.get("/_sandbox/faults", self.list_faults),
            web.post("/_sandbox/faults", self.add_fault),
            web.delete("/_sandbox/faults", self.clear_faults),
            web.delete("/_sandbox/faults/{fault_id:[0-9]{1,15}}", self.remove_fault),
        ]

    async def show_settings(self, _: web.Request) -> web.Response:
        return as_json(self._state.settings.model_dump())

    async def change_settings(self, request: web.Request) -> web.Response:
        given = await read_json(request)
        self._state.settings = as_model(Settings, {**self._state.settings.model_dump(), **given})
        return as_json(self._state.settings.model_dump())

    async def list_accounts(self, _: web.Request) -> web.Response:
        accounts = [_shown(account) for account in self._state.accounts.known()]
        return as_json({"accounts": accounts, "last_error": self._state.accounts.last_error})

    async def put_account(self, request: web.Request) -> web.Response:
        body = as_model(AccountBody, await read_json(request))
        account_id = request.match_info["account_id"]
        try:
            account = SandboxAccount(account_id, **body.model_dump())
            self._state.accounts.put(account)
        except AccountsError as error:
            raise bad_request(str(error)) from None
        return as_json(_shown(account))

    async def revoke_account(self, request: web.Request) -> web.Response:
        if not self._state.accounts.revoke(request.match_info["account_id"]):
            return not_found("there is no account of this id")
        return as_json({"revoked": request.match_info["account_id"]})

    async def register_inbound(self, request: web.Request) -> web.Response:
        body = as_model(InboundBody, await read_json(request))
        message_id = new_message_id()
        now = time.time()
        at = now if body.at is None else body.at
        self._state.world.person_wrote(body.account_id, body.user_id, message_id=message_id, at=at)
        message = ThreadMessage(message_id, at, now, text=body.text or "")
        self._state.threads.add(body.account_id, body.user_id, message)
        return as_json({"message_id": message_id})

    async def register_comment(self, request: web.Request) -> web.Response:
        body = as_model(CommentBody, await read_json(request))
        comment = Comment(
            body.account_id,
            body.user_id,
            _or_now(body.at),
            is_live=body.live,
            live_until=body.live_until,
        )
        self._state.world.comment_appeared(body.comment_id, comment)
        return as_json({"comment_id": body.comment_id})

    async def register_post(self, request: web.Request) -> web.Response:
        body = as_model(PostBody, await read_json(request))
        self._state.world.post_published(body.account_id, body.post_id)
        return as_json({"post_id": body.post_id})

    async def forget_world(self, _: web.Request) -> web.Response:
        self._state.world.forget()
        self._state.threads.forget()
        return as_json({"forgotten": True})

    async def list_faults(self, _: web.Request) -> web.Response:
        return as_json([scripted.to_json() for scripted in self._state.faults.listed()])

    async def add_fault(self, request: web.Request) -> web.Response:
        try:
            script = script_of(await read_json(request))
        except UnknownScenarioError as error:
            raise bad_request(str(error)) from None
        return as_json(self._state.faults.add(as_model(Fault, script)).to_json())

    async def clear_faults(self, _: web.Request) -> web.Response:
        self._state.faults.clear()
        return as_json([])

    async def remove_fault(self, request: web.Request) -> web.Response:
        fault_id = int(request.match_info["fault_id"])
        if not self._state.faults.remove(fault_id):
            return not_found("there is no fault of this id")
        return as_json({"removed": fault_id})


async def _index(_: web.Request) -> web.Response:
    return as_json({"endpoints": ENDPOINTS})


async def _scenarios(_: web.Request) -> web.Response:
    return as_json(
        {
            name: {"meaning": scenario.meaning, "script": scenario.script}
            for name, scenario in SCENARIOS.items()
        }
    )


def _shown(account: SandboxAccount) -> dict[str, object]:
    return {
        "id": account.account_id,
        "human_agent": account.human_agent,
        "issued_at": account.issued_at,
        "expires_at": account.expires_at,
    }


def _or_now(moment: float | None) -> float:
    return time.time() if moment is None else moment
