"""What an answer looks like: status, body and the headers graph.instagram.com was seen to send."""

import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from worker.sandbox.faults import Fault
from worker.sandbox.refusal import GraphRefusal, error_body, new_trace_id
from worker.sandbox.send_call import SendCall
from worker.sandbox.settings import Settings

MESSAGE_ID_BEGIN = "aWdf"
_JSON = "application/json; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is not on the wire yet, and the error pair in it."""

    status: int
    body: bytes
    content_type: str = _JSON
    headers: dict[str, str] = field(default_factory=dict)
    code: int | None = None
    subcode: int | None = None

    def to_response(self, settings: Settings, *, version: str | None) -> web.Response:
        """Add the headers every answer of the API has."""
        response = web.Response(status=self.status, body=self.body)
        response.headers["Content-Type"] = self.content_type
        response.headers["x-fb-trace-id"] = new_trace_id()
        if settings.api_version or version:
            response.headers["instagram-api-version"] = settings.api_version or version or ""
        if settings.usage_spelling != "none":
            response.headers["X-App-Usage"] = _app_usage(settings)
        if 400 <= self.status < 500:
            response.headers["www-authenticate"] = _challenge(self.code)
        response.headers.update(self.headers)
        return response


def new_message_id() -> str:
    """Give an id as long and opaque as Instagram's, which also begin like this."""
    return message_like_id(secrets.token_bytes(75))


def message_like_id(content: bytes) -> str:
    """Write bytes as an id of the form that messages and conversations have."""
    return MESSAGE_ID_BEGIN + urlsafe_b64encode(content).decode().rstrip("=")


def json_answer(body: dict[str, Any]) -> Answer:
    """Answer 200 with JSON."""
    return Answer(200, orjson.dumps(body))


def success(recipient_id: str, message_id: str | None) -> Answer:
    """Answer as the API does for a message, or without message_id for reactions and presence."""
    if message_id is None:
        return json_answer({"recipient_id": recipient_id})
    return json_answer({"recipient_id": recipient_id, "message_id": message_id})


def refused(refusal: GraphRefusal, settings: Settings) -> Answer:
    """Answer with the error of a refusal."""
    error = error_body(refusal.code, refusal.subcode, locale=settings.locale, detail=refusal.detail)
    return Answer(
        refusal.status,
        orjson.dumps(error.to_json()),
        code=refusal.code,
        subcode=refusal.subcode,
    )


def scripted(fault: Fault, *, usual: Answer, call: SendCall, settings: Settings) -> Answer:
    """Answer as the fault says; `usual` is the success it may leave as it is."""
    headers = {**usual.headers, **fault.headers}
    if fault.regain_access_minutes is not None:
        headers["X-Business-Use-Case-Usage"] = _business_usage(
            call.account_id, fault.regain_access_minutes
        )
    if not fault.has_own_answer():
        return Answer(usual.status, usual.body, headers=headers)
    if fault.error is None:
        body = (fault.body or "").encode()
        return Answer(fault.status or 200, body, fault.content_type or _JSON, headers)
    given = fault.error.model_dump(exclude_none=True)
    code, subcode = given.pop("code"), given.pop("error_subcode", None)
    error = error_body(code, subcode, locale=settings.locale, **given)
    status = fault.status or (403 if code == 10 else 400)
    return Answer(
        status, orjson.dumps(error.to_json()), headers=headers, code=code, subcode=subcode
    )


def _app_usage(settings: Settings) -> str:
    percent = settings.usage_percent
    if settings.usage_spelling == "documented":
        usage = {"call_count": percent, "total_time": percent, "total_cputime": percent}
    else:
        usage = {"call_volume": percent, "cpu_time": percent}
    return orjson.dumps(usage).decode()


def _business_usage(account_id: str, minutes: int) -> str:
    usage = {
        "type": "instagram",
        "call_count": 100,
        "total_cputime": 25,
        "total_time": 25,
        "estimated_time_to_regain_access": minutes,
    }
    return orjson.dumps({account_id: [usage]}).decode()


def _challenge(code: int | None) -> str:
    what = "invalid_token" if code == 190 else "invalid_request"
    return f'OAuth "Facebook Platform" "{what}" "(#{code or 100})"'
