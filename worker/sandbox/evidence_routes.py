"""The endpoints under `/_sandbox/` that only read: messages, calls, counters, and waiting."""

from typing import Any

from aiohttp import web

from worker.sandbox.admin_answers import as_json, bad_request, not_found
from worker.sandbox.state import SandboxState

_LONGEST_WAIT_S = 600.0


class EvidenceRoutes:
    """Shows what was accepted and called."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def table(self) -> list[web.RouteDef]:
        """Give the routes; the last one answers what nobody knows."""
        return [
            web.get("/_sandbox/messages", self.list_messages),
            web.delete("/_sandbox/messages", self.clear),
            web.get("/_sandbox/calls", self.list_calls),
            web.get("/_sandbox/stats", self.show_stats),
            web.get("/_sandbox/wait", self.wait),
            web.route("*", "/_sandbox/{tail:.*}", _unknown),
        ]

    async def list_messages(self, request: web.Request) -> web.Response:
        query = _Query(request)
        found = self._state.ledger.messages_since(query.since_seq)
        return as_json([message.to_json() for message in found if query.fits(message)])

    async def list_calls(self, request: web.Request) -> web.Response:
        query = _Query(request)
        calls = [call for call in self._state.ledger.calls if call.seq > query.since_seq]
        return as_json([call.to_json() for call in calls if query.fits(call)])

    async def clear(self, _: web.Request) -> web.Response:
        self._state.ledger.clear()
        return as_json([])

    async def show_stats(self, _: web.Request) -> web.Response:
        ledger = self._state.ledger
        return as_json(
            {
                "counters": dict(sorted(ledger.counters.items())),
                "messages_kept": len(ledger.accepted),
                "calls_kept": len(ledger.calls),
                "keep": ledger.accepted.maxlen,
                "last_message_seq": ledger.accepted_count,
                "last_call_seq": ledger.calls_count,
                "world": self._state.world.sizes(),
            }
        )

    async def wait(self, request: web.Request) -> web.Response:
        count = _number(request, "accepted", default=1)
        within_s = min(_LONGEST_WAIT_S, float(_number(request, "within_s", default=10)))
        try:
            await self._state.ledger.wait_for_accepted(count, deadline_s=within_s)
        except TimeoutError as error:
            body = as_json({"error": str(error)})
            body.set_status(408)
            return body
        return as_json({"accepted": len(self._state.ledger.accepted)})


class _Query:
    """The filters both lists take."""

    def __init__(self, request: web.Request) -> None:
        stray = request.query.keys() - {"account_id", "recipient_id", "since_seq"}
        if stray:
            raise bad_request(f"unknown filter {', '.join(sorted(stray))}")
        self.since_seq = _number(request, "since_seq", default=0)
        self._account_id = request.query.get("account_id")
        self._recipient_id = request.query.get("recipient_id")

    def fits(self, entry: Any) -> bool:
        return self._account_id in (None, entry.account_id) and self._recipient_id in (
            None,
            entry.recipient_id,
        )


def _number(request: web.Request, name: str, *, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise bad_request(f"{name} must be a whole number")
    return int(text)


async def _unknown(_: web.Request) -> web.Response:
    return not_found("no such endpoint or method")
