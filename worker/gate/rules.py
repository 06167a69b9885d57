"""Rules that both gates follow, whatever they keep their state in."""

from dataclasses import replace

from worker.core.admission import NotYet, TooLate
from worker.core.ask import Ask
from worker.core.delivery import Lane
from worker.core.outcome import Wait
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import Progress
from worker.core.send_result import GraphError

UNKNOWN_ACCOUNT = GraphError("the account is not among the accounts of this worker")


def may_run_again(event: OutcomeEvent, progress: Progress) -> bool:
    """A dead letter that somebody put back runs again, unless it was sent meanwhile."""
    return progress.returned_from is not None and event.status is not Status.SENT


def further(known: Progress, carried: Progress) -> Progress:
    """Which knows more: the ledger, or the headers that the message carries."""
    if (len(known.sent), known.attempts) > (len(carried.sent), carried.attempts):
        return known
    if known.unknown_since is not None:
        return replace(carried, unknown_since=known.unknown_since, checks=known.checks)
    return carried


def not_yet(due: float, why: Wait, ask: Ask) -> NotYet | TooLate:
    """Put off until `due`, unless that is after the deadline: then there is no use in waiting."""
    if ask.deadline is not None and due > ask.deadline:
        return TooLate()
    return NotYet(due, why)


def is_paced_as_bulk(ask: Ask) -> bool:
    """Bulk lets interactive requests go first, until it has begun."""
    return ask.lane is Lane.BULK and not ask.progress.sent


def is_untried(progress: Progress) -> bool:
    """Whether it never got as far as a call."""
    return progress.attempts == 0 and not progress.sent
