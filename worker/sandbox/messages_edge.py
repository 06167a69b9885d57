"""POST /{version}/{account_id}/messages: one call from its headers to its answer.

Order: path, token, body, shape, world, then scripted faults. What the rules refuse uses up no
fault, so a script strikes only calls that Instagram would have taken.
"""

import asyncio
import time
from dataclasses import dataclass

from aiohttp import web

from worker.sandbox.account_files import SandboxAccount
from worker.sandbox.answers import Answer, new_message_id, refused, success
from worker.sandbox.call_body import read_body
from worker.sandbox.credentials import caller_of, version_of
from worker.sandbox.fault_book import ScriptedFault
from worker.sandbox.faults import Fault
from worker.sandbox.ledger import AcceptedMessage, Call
from worker.sandbox.refusal import GraphRefusal
from worker.sandbox.replying import reply
from worker.sandbox.scripted_ending import end_by_reset, end_by_script
from worker.sandbox.send_call import SendCall, read_call
from worker.sandbox.state import SandboxState
from worker.sandbox.threads import ThreadMessage

_RECORDED_HEADERS = ("content-type", "user-agent", "host", "traceparent")


@dataclass(frozen=True, slots=True)
class _Received:
    """A call that was read and judged, with what is needed to accept it."""

    record: Call
    account: SandboxAccount
    call: SendCall
    raw: bytes
    version: str
    headers: dict[str, str]


class MessagesEdge:
    """Handles calls that send."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Take one call through every check, and the script's fault if one is meant for it."""
        record = await self._state.ledger.open_call(request.method, request.path)
        try:
            return await self._handle(request, record)
        except GraphRefusal as refusal:
            answer = refused(refusal, self._state.settings)
            return await reply(self._state, request, record, answer)
        except (ConnectionError, web.RequestPayloadError):
            await self._state.ledger.decided(record, "aborted", status=None)
            return web.Response(status=400)

    async def _handle(self, request: web.Request, record: Call) -> web.StreamResponse:
        version = version_of(request)
        account = await caller_of(request, self._state.accounts)
        record.account_id = account.account_id
        unread = self._state.faults.strike_unread(account.account_id)
        if unread is not None:
            record.fault_id = unread.fault_id
            return await end_by_reset(self._state, request, record)
        received = await self._receive(request, record, account, version=version)
        fault = self._state.faults.strike(received.call)
        if fault is None:
            answer = self._accept(received)
            return await reply(self._state, request, record, answer)
        return await self._carry_out(request, received, fault)

    async def _receive(
        self, request: web.Request, record: Call, account: SandboxAccount, *, version: str
    ) -> _Received:
        """Read and check everything; raises GraphRefusal."""
        if request.query_string:
            raise GraphRefusal(100, detail="the call takes no query parameters")
        try:
            raw = await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise GraphRefusal(100, detail="the body is too large") from None
        body = read_body(raw, content_type=request.content_type)
        call = read_call(body, account_id=account.account_id)
        record.kind, record.recipient_id = call.kind, self._state.world.recipient_of(call)
        headers = {
            name: request.headers[name] for name in _RECORDED_HEADERS if name in request.headers
        }
        received = _Received(record, account, call, raw, version, headers)
        self._judge(received)
        return received

    def _judge(self, received: _Received) -> None:
        self._state.world.judge(
            received.call,
            now=time.time(),
            strict=self._state.settings.strict,
            human_agent=received.account.human_agent,
        )

    def _accept(self, received: _Received) -> Answer:
        """Count the message as carried out; without an await, so judging just before holds."""
        call, record, ledger = received.call, received.record, self._state.ledger
        recipient_id = self._state.world.recipient_of(call)
        message_id = new_message_id() if call.makes_message else None
        now = time.time()
        self._state.world.accept(call, message_id=message_id, now=now)
        if message_id is not None:
            listed = ThreadMessage(message_id, now, now, raw=received.raw)
            self._state.threads.add(call.account_id, recipient_id, listed)
        message = AcceptedMessage(
            seq=ledger.next_seq,
            account_id=call.account_id,
            recipient=call.recipient,
            recipient_id=recipient_id,
            kind=call.kind,
            message_id=message_id,
            raw=received.raw,
            api_version=received.version,
            received_at=record.received_at,
            accepted_at=now,
            headers=received.headers,
        )
        ledger.accept(message)
        record.accepted, record.message_seq = True, message.seq
        return success(recipient_id, message_id)

    async def _carry_out(
        self, request: web.Request, received: _Received, struck: ScriptedFault
    ) -> web.StreamResponse:
        """Do what the script says; Fault documents the order."""
        fault, record = struck.fault, received.record
        record.fault_id = struck.fault_id
        usual = await self._accept_in_time(received, fault)
        return await end_by_script(
            self._state, request, record, fault, usual=usual, call=received.call
        )

    async def _accept_in_time(self, received: _Received, fault: Fault) -> Answer:
        """Wait and accept in the order the script has; give the answer of a success."""
        if fault.latency_at == "before_accepting" and fault.latency_s:
            await asyncio.sleep(fault.latency_s)
            # The world went on meanwhile: the comment may be answered, the window closed.
            self._judge(received)
        call = received.call
        if fault.accepts():
            usual = self._accept(received)
            await self._state.ledger.tell()
        else:
            message_id = new_message_id() if call.makes_message else None
            usual = success(self._state.world.recipient_of(call), message_id)
        if fault.latency_at == "after_accepting" and fault.latency_s:
            await asyncio.sleep(fault.latency_s)
        if fault.omit_message_id:
            return success(self._state.world.recipient_of(call), None)
        return usual
