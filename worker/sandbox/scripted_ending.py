"""Ends a call as a script says: reset, silence, half an answer, or another answer than usual."""

from aiohttp import web

from worker.sandbox.answers import Answer, scripted
from worker.sandbox.faults import Fault
from worker.sandbox.ledger import Call
from worker.sandbox.replying import reply
from worker.sandbox.send_call import SendCall
from worker.sandbox.state import SandboxState
from worker.sandbox.wire import reset, until_client_leaves


async def end_by_script(
    state: SandboxState,
    request: web.Request,
    record: Call,
    fault: Fault,
    *,
    usual: Answer,
    call: SendCall,
) -> web.StreamResponse:
    """Answer, or do not; `usual` is the answer without a script."""
    if fault.reset is not None:
        return await end_by_reset(state, request, record)
    if fault.hang:
        await state.ledger.decided(record, "fault", status=None)
        await until_client_leaves(request)
        return web.Response(status=500)
    answer = scripted(fault, usual=usual, call=call, settings=state.settings)
    return await reply(state, request, record, answer, is_cut=fault.cut)


async def end_by_reset(
    state: SandboxState, request: web.Request, record: Call
) -> web.StreamResponse:
    """Reset the connection instead of an answer."""
    await state.ledger.decided(record, "fault", status=None)
    reset(request)
    return web.Response(status=500)
