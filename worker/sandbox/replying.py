"""Puts an answer on the wire and on record: what was decided first, then that it was answered."""

import time

from aiohttp import web

from worker.sandbox.answers import Answer
from worker.sandbox.ledger import Call, Verdict
from worker.sandbox.state import SandboxState
from worker.sandbox.wire import send_half, send_whole


async def reply(
    state: SandboxState,
    request: web.Request,
    record: Call,
    answer: Answer,
    *,
    is_cut: bool = False,
) -> web.StreamResponse:
    """Record the verdict, then answer. A client that is gone leaves `answered_at` empty."""
    record.code, record.subcode = answer.code, answer.subcode
    await state.ledger.decided(record, _verdict(record, answer), status=answer.status)
    response = answer.to_response(state.settings, version=request.match_info.get("version"))
    if is_cut:
        await send_half(request, response)
    elif await send_whole(request, response):
        record.answered_at = time.time()
    return response


def _verdict(record: Call, answer: Answer) -> Verdict:
    if record.fault_id is not None:
        return "fault"
    if record.accepted:
        return "accepted"
    return "read" if answer.status == 200 else "refused"
