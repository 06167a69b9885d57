"""Rules that both gates follow, whatever they keep their state in."""

from worker.core.admission import NotYet, TooLate
from worker.core.ask import Ask
from worker.core.delivery import Lane
from worker.core.outcome import Wait
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import Progress
from worker.core.send_result import GraphError

UNKNOWN_ACCOUNT = GraphError("the account is not among the accounts of this worker")


def may_run_again(event: OutcomeEvent, progress: Progress) -> bool:
    """A dead letter that somebody put back runs again, unless it was sent meanwhile.

    A second copy of the very replay that ended is a duplicate of it.
    """
    if progress.returned_from is None or event.status is Status.SENT:
        return False
    return (
        progress.replay is None or event.replay is None or event.replay.run != progress.replay.run
    )


def may_be_forced(event: OutcomeEvent, progress: Progress) -> bool:
    """Whether the operator can have known of the doubt that `event` tells of.

    When the tool was killed between publish and ack, the next run replays the letter again: two
    copies, of which the first may have been sent without anybody seeing it.
    """
    if event.status is not Status.HELD or event.replay is None:
        return True
    return progress.replay is not None and progress.replay.count > event.replay.count


def further(known: Progress, carried: Progress) -> Progress:
    """Which knows more: the ledger, or the headers that the message carries."""
    if (len(known.sent), known.attempts) > (len(carried.sent), carried.attempts):
        return of_the_message(known, carried)
    if known.unknown_since is not None:
        return carried._replace(
            unknown_since=known.unknown_since, checks=known.checks, disclosure=known.disclosure
        )
    return carried


def of_the_message(known: Progress, carried: Progress) -> Progress:
    """Add what only the message can tell: who put it back, and from where."""
    returned_from = carried.returned_from or known.returned_from
    return known._replace(returned_from=returned_from, replay=carried.replay)


def not_yet(due: float, why: Wait, ask: Ask) -> NotYet | TooLate:
    """Put off until `due`, unless that is after the deadline: then there is no use in waiting."""
    if ask.deadline is not None and due > ask.deadline:
        return TooLate()
    return NotYet(due, why)


def is_paced_as_bulk(ask: Ask) -> bool:
    """Bulk lets interactive requests go first, until it has begun."""
    return ask.lane is Lane.BULK and not ask.progress.sent


# How much later than the next call of the bucket a call of bulk may be by its account's share: a
# slot further off would keep the bucket from interactive requests until then.
SHARE_AHEAD_S = 0.005


def is_shared(ask: Ask) -> bool:
    """Whether it may only take a share of its account's limits."""
    return ask.lane is Lane.BULK and ask.account is not None and ask.account.bulk_share < 1


def is_untried(progress: Progress) -> bool:
    """Whether it never got as far as a call."""
    return progress.attempts == 0 and not progress.sent
