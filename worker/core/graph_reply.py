"""From an HTTP answer of the Graph API to a CallResult."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from worker.core.graph_errors import REFUSAL_SCOPES, THROTTLE_SCOPES, UNLISTED, Verdict, row_for
from worker.core.send_result import (
    CallResult,
    GraphError,
    NotSent,
    Refused,
    Scope,
    Sent,
    Throttled,
    Unknown,
)

# Media errors are refusals before acceptance that may be a hiccup of the file's host.
MEDIA_ATTEMPTS = 3


class Reply(NamedTuple):
    """An answer as it came: the status, the parsed body (None if not JSON), the wait it asks for.

    `retry_after_s` is already the best of Retry-After and the usage headers, in seconds.
    `pressure` is what a success says of a limit that is nearly used up.
    """

    http_status: int
    body: object
    retry_after_s: float | None = None
    pressure: Throttled | None = None


def result_of(reply: Reply, *, needs_message_id: bool, may_have_gone: bool = False) -> CallResult:
    """Classify an answer by (code, subcode); by status only for 429, 5xx and unreadable bodies.

    Meta documents no HTTP status for messaging errors, and an error object may come with a 200.
    """
    if not isinstance(reply.body, dict):
        return _unreadable(reply)
    error = reply.body.get("error")
    if isinstance(error, dict):
        return _result_of_error(error, reply, may_have_gone=may_have_gone)
    if error is not None:
        return _unreadable(reply)
    if 200 <= reply.http_status < 300:
        return _success(reply.body, reply, needs_message_id=needs_message_id)
    return _unreadable(reply)


def _success(body: Mapping[str, Any], reply: Reply, *, needs_message_id: bool) -> CallResult:
    message_id, recipient_id = _text(body.get("message_id")), _text(body.get("recipient_id"))
    if message_id is None and (needs_message_id or recipient_id is None):
        meaning = "the API answered with success but without a message id"
        return Unknown(GraphError(meaning, http_status=reply.http_status))
    return Sent(message_id, recipient_id, reply.pressure)


def _unreadable(reply: Reply) -> CallResult:
    if reply.http_status == 429:
        error = GraphError("the API answered 429: too many calls", http_status=429)
        return Throttled(Scope.ACCOUNT, error, reply.retry_after_s)
    meaning = "the API's answer is not one it documents, so it may have taken the message"
    return Unknown(GraphError(meaning, http_status=reply.http_status))


def _result_of_error(error: Mapping[str, Any], reply: Reply, *, may_have_gone: bool) -> CallResult:
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    row = None if code is None else row_for(code, subcode)
    is_said_by_status = reply.http_status == 429 and (row is None or row.verdict is Verdict.UNKNOWN)
    if row is None and 400 <= reply.http_status < 500:
        row = UNLISTED
    if row is None:
        return _unreadable(reply)
    found = GraphError(
        row.meaning, code, subcode, reply.http_status, fbtrace_id=_text(error.get("fbtrace_id"))
    )
    if row.verdict in THROTTLE_SCOPES:
        return Throttled(THROTTLE_SCOPES[row.verdict], found, reply.retry_after_s)
    if is_said_by_status:
        return Throttled(Scope.ACCOUNT, found, reply.retry_after_s)
    return _verdict(row.verdict, found, may_have_gone=may_have_gone)


def _verdict(verdict: Verdict, error: GraphError, *, may_have_gone: bool) -> CallResult:
    if verdict is Verdict.MEDIA:
        return NotSent(error, max_attempts=MEDIA_ATTEMPTS, refused_as=Scope.MESSAGE)
    if verdict is Verdict.ALREADY_REPLIED:
        # A comment takes one reply: what may have gone before has gone (instagram-api 4.3).
        return Sent(None, None) if may_have_gone else Refused(Scope.MESSAGE, error)
    if verdict is Verdict.UNKNOWN:
        return Unknown(error)
    return Refused(REFUSAL_SCOPES[verdict], error)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    # Message headers and JSON writers carry 64 bits.
    return value if abs(value) < 2**63 else None
