"""The seven ways a pass can end, as logs and metrics name them."""

from collections.abc import Mapping
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
    if isinstance(outcome, Dead):
        is_held = outcome.reason is Reason.UNCONFIRMED
        return OutcomeClass.HELD if is_held else OutcomeClass.FAILED
    return _CLASSES[type(outcome)]


_CLASSES: Mapping[type[Outcome], OutcomeClass] = {
    Completed: OutcomeClass.SENT,
    Postponed: OutcomeClass.POSTPONED,
    Retrying: OutcomeClass.RETRYING,
    Duplicate: OutcomeClass.DUPLICATE,
    HandedBack: OutcomeClass.HANDED_BACK,
}
