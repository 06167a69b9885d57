"""How one pass of a request through the worker can end."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from worker.core.outcome_event import OutcomeEvent
from worker.core.problem import Problem
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.send_result import GraphError


class Wait(StrEnum):
    """Why a request waits without being tried.

    VERIFY: until the Conversations API can tell whether it went. ELSEWHERE: another worker has
    the same request in hand. GATE: limits and ledger are out of reach.
    ACCOUNTS: so is the source of accounts, and the account is not known from before.
    """

    NOT_BEFORE = "not_before"
    RATE = "rate"
    COOLDOWN = "cooldown"
    TURN = "turn"
    VERIFY = "verify"
    ELSEWHERE = "elsewhere"
    GATE = "gate"
    ACCOUNTS = "accounts"


class Completed(NamedTuple):
    """Every part was accepted, the last one at `accepted_at` (unix seconds)."""

    progress: Progress
    accepted_at: float


class Postponed(NamedTuple):
    """Not tried; to be looked at again at `until`. Costs no attempt."""

    until: float
    why: Wait
    progress: Progress


@dataclass(frozen=True, slots=True)
class Retrying:
    """Tried, certainly not sent; to be tried again at `until`."""

    until: float
    error: GraphError
    progress: Progress


@dataclass(frozen=True, slots=True)
class Dead:
    """Given up: `reason` chooses the dead-letter queue, `detail` is one sentence for a person."""

    reason: Reason
    detail: str
    progress: Progress
    error: GraphError | None = None
    problems: tuple[Problem, ...] = ()

    @property
    def is_about_another(self) -> bool:
        """True when the id belongs to another request, whose record must stay as it is."""
        return self.reason is Reason.INVALID and not self.problems


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The id was concluded before; `first` is what was said then."""

    first: OutcomeEvent


@dataclass(frozen=True, slots=True)
class HandedBack:
    """The worker is stopping and had not started: the broker gives it to another."""

    progress: Progress


Outcome = Completed | Postponed | Retrying | Dead | Duplicate | HandedBack
