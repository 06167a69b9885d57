"""Scripted faults: which calls they strike, how often, and what happens then.

Read from JSON strictly: a script with a mistake must not pass for a run without faults.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from worker.sandbox.send_call import SendCall

Digits = Annotated[str, Field(pattern=r"^[0-9]{1,32}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


# The kind of a call to the Conversations API; only faults that name it strike such calls.
READS = "conversations"

Kind = Literal[
    "text", "quick_replies", "image", "images", "audio", "video", "file", "sticker",
    "published_post", "generic_template", "button_template", "react", "unreact",
    "typing_on", "typing_off", "mark_seen", "conversations",
]  # fmt: skip


class Match(_Strict):
    """Every given field must fit; an empty match fits every call that sends."""

    account_id: Digits | None = None
    recipient_id: Digits | None = None
    comment_id: Digits | None = None
    kind: Kind | None = None
    text_contains: Annotated[str, Field(min_length=1)] | None = None

    def fits(self, call: SendCall) -> bool:
        """Tell whether a call is meant."""
        return (
            self.account_id in (None, call.account_id)
            and self.recipient_id in (None, call.recipient_id)
            and self.comment_id in (None, call.comment_id)
            and (self.kind == call.kind or (self.kind is None and call.kind != READS))
            and (self.text_contains is None or self.text_contains in (call.text or ""))
        )

    def needs_the_body(self) -> bool:
        """True when the path and the token alone cannot tell whether a call is meant."""
        return not self.model_dump(exclude_none=True).keys() <= {"account_id"}


class ErrorScript(_Strict):
    """The `error` object to answer; type, message and fbtrace_id are filled in when left out."""

    code: int
    error_subcode: int | None = None
    message: str | None = None
    type: str | None = None
    is_transient: bool | None = None
    error_user_title: str | None = None
    error_user_msg: str | None = None
    error_data: dict[str, Any] | None = None


class Fault(_Strict):
    """One scripted fault. Without an answer of its own, the call is answered as a success.

    `accept` says whether the message counts as carried out; left out, it does exactly when the
    answer is that of a success. Order: latency (before accepting), acceptance, latency (after
    accepting), then hang, reset, cut or the answer.
    """

    match: Match = Match()
    times: Annotated[int, Field(ge=1)] | None = Field(1, description="null: always")
    skip: Annotated[int, Field(ge=0)] = 0
    accept: bool | None = None

    status: Annotated[int, Field(ge=200, le=599)] | None = None
    error: ErrorScript | None = None
    body: str | None = None
    content_type: Annotated[str, Field(pattern=r"^[a-zA-Z0-9!#$&^_.+/;= -]+$")] | None = None
    headers: dict[str, str] = {}
    regain_access_minutes: Annotated[int, Field(ge=0)] | None = None
    omit_message_id: bool = False

    latency_s: Annotated[float, Field(ge=0, le=3600, strict=False)] = 0.0
    latency_at: Literal["before_accepting", "after_accepting"] = "before_accepting"
    hang: bool = False
    reset: Literal["before_reading", "before_accepting", "after_accepting"] | None = None
    cut: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        self._check_ending()
        self._check_answer()
        if not self.does_anything():
            raise ValueError("nothing happens: give an answer, latency_s, hang, reset or cut")
        return self

    def _check_ending(self) -> None:
        endings = sum((self.hang, self.reset is not None, self.cut))
        if endings > 1:
            raise ValueError("hang, reset and cut exclude each other")
        if self.reset is not None and self.accept is not None:
            raise ValueError("reset says itself whether the message counts; leave accept out")
        if (self.hang or self.reset is not None) and self.has_own_answer():
            raise ValueError("hang and reset answer nothing; leave status, error and body out")
        if self.reset == "before_reading" and self.match.needs_the_body():
            raise ValueError("reset before_reading can match on account_id only")
        if self.cut and self.status is not None and self.error is None and not self.body:
            raise ValueError("cut needs something to cut; give error or body")

    def _check_answer(self) -> None:
        if self.error is not None and self.body is not None:
            raise ValueError("error and body exclude each other")
        if self.omit_message_id and self.has_own_answer():
            raise ValueError("omit_message_id changes a success; leave status, error and body out")
        if self.content_type is not None and self.body is None:
            raise ValueError("content_type goes with body")
        _check_headers(self.headers)

    def has_own_answer(self) -> bool:
        """True when the answer is not that of a success."""
        return not (self.status is None and self.error is None and self.body is None)

    def does_anything(self) -> bool:
        """False for a fault that would leave no trace."""
        has_ending = self.hang or self.cut or self.reset is not None
        has_extra = bool(self.headers) or self.omit_message_id
        has_usage = self.regain_access_minutes is not None
        is_late = self.latency_s > 0
        return self.has_own_answer() or has_ending or has_extra or has_usage or is_late

    def accepts(self) -> bool:
        """Tell whether the message counts as carried out."""
        if self.reset is not None:
            return self.reset == "after_accepting"
        if self.accept is not None:
            return self.accept
        return not self.has_own_answer() and not self.hang


def _check_headers(headers: dict[str, str]) -> None:
    for name, value in headers.items():
        is_plain = name.isascii() and name.replace("-", "").isalnum()
        if not is_plain or any(sign in value for sign in "\r\n\0"):
            raise ValueError("headers must be plain names with values of one line")
        if name.lower() in ("content-length", "transfer-encoding", "connection", "content-type"):
            raise ValueError(f"headers cannot set {name}; see content_type, cut and reset")
