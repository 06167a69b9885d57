"""The Conversations API: conversations of an account, messages of a conversation, one message.

Order: path, token, rate, the answer, then scripted faults that name this API as their kind.
"""

import asyncio
import time
from collections.abc import Callable

from aiohttp import web

from worker.sandbox.account_files import SandboxAccount
from worker.sandbox.answers import MESSAGE_ID_BEGIN, Answer, json_answer, refused
from worker.sandbox.credentials import caller_of, holder_of, version_of
from worker.sandbox.faults import READS
from worker.sandbox.ledger import Call
from worker.sandbox.refusal import GraphRefusal
from worker.sandbox.replying import reply
from worker.sandbox.scripted_ending import end_by_script
from worker.sandbox.send_call import SendCall
from worker.sandbox.state import SandboxState
from worker.sandbox.thread_view import View, spelled, wanted_in
from worker.sandbox.threads import DETAILED, Thread

_MOST_CONVERSATIONS = 25

# What was asked, answered for an account: with the person it is about, None for all of them.
_Read = Callable[[web.Request, SandboxAccount], tuple[Answer, str | None]]


class ConversationsEdge:
    """Handles calls that read messages; `/{version}/{account_id}` itself is NodesEdge's."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def list_conversations(self, request: web.Request) -> web.StreamResponse:
        """Answer the conversation with one person, or the latest ones."""
        return await self._answer(request, self._conversations)

    async def read_node(self, request: web.Request) -> web.StreamResponse:
        """Answer a conversation or a message by its id."""
        return await self._answer(request, self._node)

    async def _answer(self, request: web.Request, read: _Read) -> web.StreamResponse:
        state = self._state
        record = await state.ledger.open_call(request.method, request.path)
        record.kind = READS
        try:
            version_of(request)
            account = await self._caller(request, record)
            usual, user_id = read(request, account)
        except GraphRefusal as refusal:
            return await reply(state, request, record, refused(refusal, state.settings))
        call = SendCall(account.account_id, READS, user_id, None)
        struck = state.faults.strike(call)
        if struck is None:
            return await reply(state, request, record, usual)
        record.fault_id, fault = struck.fault_id, struck.fault
        await asyncio.sleep(fault.latency_s)
        return await end_by_script(state, request, record, fault, usual=usual, call=call)

    async def _caller(self, request: web.Request, record: Call) -> SandboxAccount:
        find = caller_of if "account_id" in request.match_info else holder_of
        account = await find(request, self._state.accounts)
        record.account_id = account.account_id
        most = self._state.settings.reads_per_s
        self._state.reads.count(account.account_id, at=record.received_at, most=most)
        return account

    def _conversations(
        self, request: web.Request, account: SandboxAccount
    ) -> tuple[Answer, str | None]:
        _only(request, "platform", "user_id")
        if request.query.get("platform", "instagram") != "instagram":
            raise GraphRefusal(100, detail="platform must be instagram")
        user_id = request.query.get("user_id")
        if user_id is None:
            views = map(self._view, self._state.threads.of_account(account.account_id))
            rows = [
                {"id": view.thread.conversation_id, "updated_time": spelled(view.shown[0].at)}
                for view in views
                if view.shown
            ]
            return json_answer({"data": rows[:_MOST_CONVERSATIONS]}), None
        thread = self._state.threads.with_person(account.account_id, user_id)
        is_shown = thread is not None and bool(self._view(thread).shown)
        rows = [{"id": thread.conversation_id}] if thread is not None and is_shown else []
        return json_answer({"data": rows}), user_id

    def _node(self, request: web.Request, account: SandboxAccount) -> tuple[Answer, str | None]:
        _only(request, "fields")
        node, fields = request.match_info["node_id"], request.query.get("fields", "")
        view = self._view_of(self._state.threads.by_id(node), account)
        if view is not None:
            return json_answer(view.conversation(fields)), view.thread.user_id
        view = self._view_of(self._state.threads.holding(node), account)
        shown = [each.message_id for each in view.shown[:DETAILED]] if view is not None else []
        if view is not None and node in shown:
            document = view.message(shown.index(node), wanted_in(fields))
            return json_answer(document), view.thread.user_id
        if node.startswith(MESSAGE_ID_BEGIN):
            # As Meta documents for a message that is not among the newest: as if deleted.
            raise GraphRefusal(9000001)
        raise GraphRefusal(100, 33, detail="no such object, or another account's")

    def _view_of(self, thread: Thread | None, account: SandboxAccount) -> View | None:
        """Show a conversation to its own account, once there is something to see."""
        if thread is None or thread.account_id != account.account_id:
            return None
        view = self._view(thread)
        return view if view.shown else None

    def _view(self, thread: Thread) -> View:
        settings = self._state.settings
        shown = thread.shown(now=time.time(), delay_s=settings.read_delay_s)
        return View(thread, shown, settings)


def _only(request: web.Request, *allowed: str) -> None:
    if request.query.keys() - set(allowed):
        raise GraphRefusal(100, detail=f"the query may only hold {', '.join(allowed)}")
