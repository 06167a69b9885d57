"""GET /{version}/{account_id}, /me: who am I, for token checks; and what Graph does not know."""

from aiohttp import web

from worker.sandbox.account_files import SandboxAccount
from worker.sandbox.answers import json_answer, refused
from worker.sandbox.credentials import UNKNOWN_PATH, caller_of, holder_of, version_of
from worker.sandbox.refusal import GraphRefusal
from worker.sandbox.replying import reply
from worker.sandbox.state import SandboxState
from worker.sandbox.thread_view import app_scoped_id


class NodesEdge:
    """Handles calls that read an account."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def read_account(self, request: web.Request) -> web.StreamResponse:
        """Answer the fields asked for; without any, the id alone."""
        record = await self._state.ledger.open_call(request.method, request.path)
        try:
            if "version" in request.match_info:
                version_of(request)
                account = await caller_of(request, self._state.accounts)
            else:
                account = await holder_of(request, self._state.accounts)
            record.account_id = account.account_id
            answer = json_answer(_fields_of(account, request))
        except GraphRefusal as refusal:
            answer = refused(refusal, self._state.settings)
        return await reply(self._state, request, record, answer)

    async def unknown(self, request: web.Request) -> web.StreamResponse:
        """Answer in Graph's way to what is no endpoint of the sandbox."""
        record = await self._state.ledger.open_call(request.method, request.path)
        refusal = GraphRefusal(UNKNOWN_PATH, detail=f"no {request.method} endpoint at this path")
        return await reply(self._state, request, record, refused(refusal, self._state.settings))


def _fields_of(account: SandboxAccount, request: web.Request) -> dict[str, str]:
    known = {
        "id": app_scoped_id(account.account_id),
        "user_id": account.account_id,
        "username": f"sandbox.{account.account_id[-6:]}",
    }
    if request.query.keys() - {"fields"}:
        raise GraphRefusal(100, detail="fields is the only query parameter")
    wanted = [name for name in request.query.get("fields", "").split(",") if name]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise GraphRefusal(100, detail="a field asked for does not exist on this node")
    return {name: known[name] for name in wanted or ["id"]} | {"id": known["id"]}
