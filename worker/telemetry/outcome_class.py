"""The seven ways a pass can end, as logs and metrics name them."""

from enum import StrEnum

from worker.core.outcome import (
    Completed,
    Dead,
    Duplicate,
    HandedBack,
    Outcome,
    Postponed,
    Retrying,
)
from worker.core.reason import Reason


class OutcomeClass(StrEnum):
    """The first three end a request; the others only end this pass of it."""

    SENT = "sent"
    FAILED = "failed"
    HELD = "held"
    POSTPONED = "postponed"
    RETRYING = "retrying"
    DUPLICATE = "duplicate"
    HANDED_BACK = "handed_back"


def class_of(outcome: Outcome) -> OutcomeClass:
    """Name how the pass ended."""
    match outcome:
        case Completed():
            return OutcomeClass.SENT
        case Dead(reason=Reason.UNCONFIRMED):
            return OutcomeClass.HELD
        case Dead():
            return OutcomeClass.FAILED
        case Postponed():
            return OutcomeClass.POSTPONED
        case Retrying():
            return OutcomeClass.RETRYING
        case Duplicate():
            return OutcomeClass.DUPLICATE
        case HandedBack():  # pragma: no branch  # mypy checks that no case is missing
            return OutcomeClass.HANDED_BACK
