"""How the Graph API says no: the refusal a check raises, and the JSON body it becomes.

Codes and subcodes are Meta's "Common Error Codes" (Messenger Platform, covers Instagram).
"""

import secrets
from dataclasses import dataclass
from typing import Any

from worker.sandbox.phrases import phrase

# The classes graph.instagram.com was seen to use; they say nothing about what went wrong.
_OAUTH_CODES = frozenset({4, 17, 32, 102, 104, 190, 341, 368, 613, 80002, 80006})


class GraphRefusal(Exception):
    """A call is refused before anything was accepted. `detail` names places, never contents."""

    def __init__(
        self, code: int, subcode: int | None = None, *, status: int = 400, detail: str = ""
    ) -> None:
        super().__init__(f"{code}/{subcode} {detail}")
        self.code = code
        self.subcode = subcode
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """What goes under `error`; optional parts are left out, as the API does."""

    code: int
    subcode: int | None
    message: str
    type: str
    trace_id: str
    extra: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """Give the whole answer body."""
        error: dict[str, Any] = {"message": self.message, "type": self.type, "code": self.code}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        return {"error": {**error, **self.extra, "fbtrace_id": self.trace_id}}


def error_body(
    code: int,
    subcode: int | None,
    *,
    locale: str,
    detail: str = "",
    **given: Any,
) -> ErrorBody:
    """Fill an error body; `given` (message, type, is_transient, …) overrides what is usual."""
    text = phrase(code, subcode, locale=locale)
    message = given.pop("message", None) or f"(#{code}) {text}" + (f" [{detail}]" if detail else "")
    kind = given.pop("type", None) or _usual_type(code)
    extra = {name: value for name, value in given.items() if value is not None}
    return ErrorBody(code, subcode, message, kind, new_trace_id(), extra)


def new_trace_id() -> str:
    """Give an id in the form of Meta's fbtrace_id: an A and 22 more signs."""
    return "A" + secrets.token_urlsafe(17)[:22]


def _usual_type(code: int) -> str:
    return "OAuthException" if code in _OAUTH_CODES or 200 <= code < 300 else "IGApiException"
