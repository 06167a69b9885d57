"""What follows for a request from the result of one call: done, later, or never."""

from dataclasses import dataclass, replace

from worker.core.outcome import Dead, Outcome, Postponed, Retrying, Wait
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.request import OnUnknown, SendRequest
from worker.core.retry import SHORTEST_DELAY_S, RetryPolicy
from worker.core.send_result import GraphError, NotSent, Refused, Scope, Unknown
from worker.core.verification import can_be_verified

MOST_CHECKS = 2
NOT_FOUND = (
    "an attempt left no result, and the conversation does not show the message; it may still "
    "have been sent"
)

_REASON_OF_REFUSAL = {
    Scope.MESSAGE: Reason.REJECTED,
    Scope.RECIPIENT: Reason.REJECTED,
    Scope.CONVERSATION: Reason.REJECTED,
    Scope.WINDOW: Reason.EXPIRED,
    Scope.ACCOUNT: Reason.ACCOUNT,
    Scope.APP: Reason.ACCOUNT,
}


@dataclass(frozen=True, slots=True)
class Chance:
    """The time and the dice of one decision: unix seconds and a sample from [0, 1).

    `called_at` is when the call began that failed.
    """

    now: float
    jitter: float
    called_at: float


def outcome_of_failure(
    request: SendRequest,
    progress: Progress,
    result: NotSent | Refused | Unknown,
    *,
    policy: RetryPolicy,
    deadline: float | None,
    chance: Chance,
) -> Outcome:
    """Decide about a part that was tried and did not go; a throttle is the gate's business."""
    progress = progress.with_attempt()
    match result:
        case Refused():
            reason = _REASON_OF_REFUSAL[result.scope]
            return Dead(reason, result.error.meaning, progress, result.error)
        case Unknown() if _is_to_be_verified(request, progress):
            doubtful = progress.in_doubt_since(chance.called_at)
            return Postponed(chance.now + policy.check_after_s, Wait.VERIFY, doubtful)
        case Unknown() if request.on_unknown is not OnUnknown.RESEND:
            return _unconfirmed(result.error, progress, chance)
        case Unknown():
            again = NotSent(result.error)
            maybe = progress._replace(may_have_gone=True)
            after = _again(again, maybe, policy=policy, deadline=deadline, chance=chance)
            # Out of attempts or of time, but still not known to be unsent.
            is_over = isinstance(after, Dead)
            return _unconfirmed(result.error, progress, chance) if is_over else after
        case NotSent():  # pragma: no branch  # mypy checks that no case is missing
            return _again(result, progress, policy=policy, deadline=deadline, chance=chance)


def outcome_of_doubt(progress: Progress, *, policy: RetryPolicy, now: float) -> Dead | Postponed:
    """Decide what follows a check that did not find the message."""
    checked = progress.with_check()
    if checked.checks < MOST_CHECKS:
        return Postponed(now + 2 * policy.check_after_s, Wait.VERIFY, checked)
    return Dead(Reason.UNCONFIRMED, NOT_FOUND, checked)


def _is_to_be_verified(request: SendRequest, progress: Progress) -> bool:
    part = request.parts[len(progress.sent)]
    return request.on_unknown is OnUnknown.VERIFY and can_be_verified(part)


def _unconfirmed(error: GraphError, progress: Progress, chance: Chance) -> Dead:
    detail = f"{error.meaning}; the message may or may not have been sent"
    # With the moment of the call the conversation can be asked later, if an operator wants that.
    return Dead(Reason.UNCONFIRMED, detail, progress.in_doubt_since(chance.called_at), error)


def _again(
    result: NotSent,
    progress: Progress,
    *,
    policy: RetryPolicy,
    deadline: float | None,
    chance: Chance,
) -> Dead | Retrying:
    if result.max_attempts is not None:
        policy = replace(policy, max_attempts=min(policy.max_attempts, result.max_attempts))
    if policy.is_used_up(progress.attempts):
        return _used_up(result, progress)
    delay_s = policy.delay_s(progress.attempts, jitter=chance.jitter)
    if deadline is not None:
        left_s = deadline - chance.now
        if left_s < 2 * SHORTEST_DELAY_S:
            return expired(progress, result.error)
        delay_s = min(delay_s, left_s - SHORTEST_DELAY_S)
    return Retrying(chance.now + delay_s, result.error, progress)


def _used_up(result: NotSent, progress: Progress) -> Dead:
    times = "once" if progress.attempts == 1 else f"{progress.attempts} times"
    detail = f"{result.error.meaning}; tried {times}"
    if result.refused_as is None:
        return Dead(Reason.EXHAUSTED, detail, progress, result.error)
    return Dead(_REASON_OF_REFUSAL[result.refused_as], detail, progress, result.error)


def expired(progress: Progress, error: GraphError | None = None) -> Dead:
    """Give up a request that cannot be sent in time."""
    detail = "the time to send it has passed: expires_at or the end of the messaging window"
    return Dead(Reason.EXPIRED, detail, progress, error)
