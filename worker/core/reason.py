"""Why a request was given up: the seven dead-letter queues and what to do about each."""

from enum import StrEnum


class Reason(StrEnum):
    """The last word of a dead-letter queue's name."""

    INVALID = "invalid"
    REJECTED = "rejected"
    EXPIRED = "expired"
    ACCOUNT = "account"
    EXHAUSTED = "exhausted"
    UNCONFIRMED = "unconfirmed"
    SUSPECT = "suspect"


ADVICE = {
    Reason.INVALID: "Fix the producer; the request can never be sent as it is.",
    Reason.REJECTED: "Usually nothing: the API refused this message or person for good.",
    Reason.EXPIRED: "Usually nothing: the time to send it has passed.",
    Reason.ACCOUNT: "Fix the account (token, permission, policy), then replay.",
    Reason.EXHAUSTED: "Replay later: it was never sent, every attempt failed on the way.",
    Reason.UNCONFIRMED: "Look whether it arrived, then replay or discard it.",
    Reason.SUSPECT: "Replay one at a time: it was in hand when workers died.",
}

# A replay of these cannot send anything twice: every part that went is in the sent parts.
SAFE_TO_REPLAY = frozenset({Reason.EXPIRED, Reason.ACCOUNT, Reason.EXHAUSTED, Reason.REJECTED})
