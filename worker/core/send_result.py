"""What one call to the Graph API came to, by wire evidence and the error table alone."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

# Meta's "Handle Errors": the access token has expired, was revoked, or is garbled.
TOKEN_CODE = 190


class Scope(StrEnum):
    """How far a refusal or a throttle reaches."""

    MESSAGE = "message"
    RECIPIENT = "recipient"
    WINDOW = "window"
    ACCOUNT = "account"
    APP = "app"
    CONVERSATION = "conversation"


@dataclass(frozen=True, slots=True)
class GraphError:
    """What the API answered, without its text: that is localised and may quote the message.

    `meaning` is our own sentence from the error table.
    """

    meaning: str
    code: int | None = None
    subcode: int | None = None
    http_status: int | None = None
    fbtrace_id: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The API certainly did not take it, and would not take it again as it is."""

    scope: Scope
    error: GraphError

    @property
    def is_for_the_token(self) -> bool:
        """True when another token may be all that it takes."""
        return self.error.code == TOKEN_CODE


@dataclass(frozen=True, slots=True)
class Throttled:
    """Too many calls; `retry_after_s` is the API's own estimate, None when it gave none."""

    scope: Scope
    error: GraphError
    retry_after_s: float | None = None


class Sent(NamedTuple):
    """The API took the message. Actions and reactions have no `message_id`, nor what a later
    call was told of.

    `pressure` is given when the answer says that a limit (of APP or ACCOUNT) is nearly used up:
    it should be left alone before the next call is refused.
    """

    message_id: str | None
    recipient_id: str | None
    pressure: Throttled | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """It certainly did not arrive and may go later; at most `max_attempts` times if given.

    `refused_as` says what it is after the last attempt: a refusal by the API, or, when None,
    only bad luck.
    """

    error: GraphError
    max_attempts: int | None = None
    refused_as: Scope | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have been taken. Never sent again blindly."""

    error: GraphError


CallResult = Sent | Refused | Throttled | NotSent | Unknown


@dataclass(frozen=True, slots=True)
class Missed:
    """The call could not leave in its slot, and no byte of it did. That is no attempt."""


SendResult = CallResult | Missed
