"""What follows from a part that did not go: retry, dead letter, and for which reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import NOW, a_document, a_request, an_error
from worker.core.outcome import Dead, Outcome, Postponed, Retrying, Wait
from worker.core.progress import Progress
from worker.core.reason import SAFE_TO_REPLAY, Reason
from worker.core.request import OnUnknown, SendRequest, request_from
from worker.core.retry import SHORTEST_DELAY_S, RetryPolicy
from worker.core.send_result import NotSent, Refused, Scope, Unknown
from worker.core.verdict import (
    Chance,
    expired,
    outcome_of_doubt,
    outcome_of_failure,
)

ERROR = an_error("the API was away")
CALLED_AT = NOW - 30
POLICY = RetryPolicy(max_attempts=8, base_s=2.0, longest_s=900.0)
Failure = NotSent | Refused | Unknown


def decide(
    result: Failure,
    *,
    attempts: int = 0,
    on_unknown: OnUnknown = OnUnknown.VERIFY,
    deadline: float | None = None,
    jitter: float = 0.5,
    sent: tuple[str | None, ...] = (),
) -> Outcome:
    return outcome_of_failure(
        a_request(on_unknown=on_unknown),
        Progress(attempts, NOW, sent),
        result,
        policy=POLICY,
        deadline=deadline,
        chance=Chance(NOW, jitter, CALLED_AT),
    )


def dead_for(outcome: Outcome) -> Reason | None:
    return outcome.reason if isinstance(outcome, Dead) else None


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        (Scope.MESSAGE, Reason.REJECTED),
        (Scope.RECIPIENT, Reason.REJECTED),
        (Scope.CONVERSATION, Reason.REJECTED),
        (Scope.WINDOW, Reason.EXPIRED),
        (Scope.ACCOUNT, Reason.ACCOUNT),
        (Scope.APP, Reason.ACCOUNT),
    ],
)
def test_refusal_is_final_and_its_scope_names_the_queue(scope: Scope, reason: Reason) -> None:
    outcome = decide(Refused(scope, ERROR))
    assert outcome == Dead(reason, "the API was away", Progress(1, NOW), ERROR)


# result, on_unknown, attempts before this one, seconds to the deadline -> reason of death
TABLE: list[tuple[Failure, OnUnknown, int, float | None, Reason | None]] = [
    (NotSent(ERROR), OnUnknown.VERIFY, 0, None, None),
    (NotSent(ERROR), OnUnknown.VERIFY, 6, None, None),
    (NotSent(ERROR), OnUnknown.VERIFY, 7, None, Reason.EXHAUSTED),
    (NotSent(ERROR), OnUnknown.VERIFY, 99, None, Reason.EXHAUSTED),
    (NotSent(ERROR), OnUnknown.VERIFY, 0, 60.0, None),
    (NotSent(ERROR), OnUnknown.VERIFY, 0, 2.0, None),
    (NotSent(ERROR), OnUnknown.VERIFY, 0, 1.9, Reason.EXPIRED),
    (NotSent(ERROR), OnUnknown.VERIFY, 0, -5.0, Reason.EXPIRED),
    (NotSent(ERROR), OnUnknown.VERIFY, 7, 1.0, Reason.EXHAUSTED),
    (NotSent(ERROR, 3, Scope.MESSAGE), OnUnknown.VERIFY, 1, None, None),
    (NotSent(ERROR, 3, Scope.MESSAGE), OnUnknown.VERIFY, 2, None, Reason.REJECTED),
    (NotSent(ERROR, 99, Scope.MESSAGE), OnUnknown.VERIFY, 7, None, Reason.REJECTED),
    (NotSent(ERROR, 1), OnUnknown.VERIFY, 0, None, Reason.EXHAUSTED),
    (Unknown(ERROR), OnUnknown.HOLD, 0, None, Reason.UNCONFIRMED),
    (Unknown(ERROR), OnUnknown.HOLD, 0, 60.0, Reason.UNCONFIRMED),
    (Unknown(ERROR), OnUnknown.RESEND, 0, None, None),
    (Unknown(ERROR), OnUnknown.RESEND, 0, 60.0, None),
    (Unknown(ERROR), OnUnknown.RESEND, 7, None, Reason.UNCONFIRMED),
    (Unknown(ERROR), OnUnknown.RESEND, 0, 1.0, Reason.UNCONFIRMED),
    (Refused(Scope.MESSAGE, ERROR), OnUnknown.RESEND, 0, None, Reason.REJECTED),
]


@pytest.mark.parametrize(("result", "on_unknown", "attempts", "left_s", "reason"), TABLE)
def test_failure_ends_or_is_tried_again_as_the_table_says(
    result: Failure,
    on_unknown: OnUnknown,
    attempts: int,
    left_s: float | None,
    reason: Reason | None,
) -> None:
    deadline = None if left_s is None else NOW + left_s
    outcome = decide(result, on_unknown=on_unknown, attempts=attempts, deadline=deadline)
    assert dead_for(outcome) is reason
    assert isinstance(outcome, Dead | Retrying)
    assert outcome.progress.attempts == attempts + 1
    assert outcome.error is ERROR


@given(
    st.integers(0, 6),
    st.floats(0, 1, exclude_max=True),
    st.none() | st.floats(2 * SHORTEST_DELAY_S, 1e6),
)
def test_retry_is_at_least_a_second_away_and_never_past_the_deadline(
    attempts: int, jitter: float, left_s: float | None
) -> None:
    deadline = None if left_s is None else NOW + left_s
    outcome = decide(NotSent(ERROR), attempts=attempts, deadline=deadline, jitter=jitter)
    assert isinstance(outcome, Retrying)
    # Unix seconds are exact to a quarter of a microsecond.
    assert outcome.until >= NOW + SHORTEST_DELAY_S - 1e-6
    if deadline is not None:
        assert outcome.until <= deadline - SHORTEST_DELAY_S + 1e-6


@given(
    st.sampled_from([*OnUnknown]),
    st.integers(0, 20),
    st.none() | st.floats(-100, 100),
    st.floats(0, 1, exclude_max=True),
)
def test_what_may_have_been_sent_never_dies_for_a_reason_that_is_safe_to_replay(
    on_unknown: OnUnknown, attempts: int, left_s: float | None, jitter: float
) -> None:
    outcome = decide(
        Unknown(ERROR),
        on_unknown=on_unknown,
        attempts=attempts,
        deadline=None if left_s is None else NOW + left_s,
        jitter=jitter,
    )
    assert dead_for(outcome) not in SAFE_TO_REPLAY


def test_parts_that_went_stay_in_the_progress() -> None:
    outcome = decide(NotSent(ERROR), sent=("mid-1",))
    assert isinstance(outcome, Retrying)
    assert outcome.progress.sent == ("mid-1",)


@pytest.mark.parametrize(
    ("attempts", "policy_attempts", "detail"),
    [(0, 1, "the API was away; tried once"), (2, 3, "the API was away; tried 3 times")],
)
def test_detail_says_how_often_it_was_tried(
    attempts: int, policy_attempts: int, detail: str
) -> None:
    outcome = decide(NotSent(ERROR, policy_attempts), attempts=attempts)
    assert isinstance(outcome, Dead)
    assert outcome.detail == detail


def test_detail_of_an_unknown_result_says_that_it_may_have_been_sent() -> None:
    outcome = decide(Unknown(ERROR), on_unknown=OnUnknown.HOLD)
    assert isinstance(outcome, Dead)
    assert outcome.detail == "the API was away; the message may or may not have been sent"


def test_expired_without_a_call_has_no_error_of_the_api() -> None:
    assert expired(Progress(2)).error is None
    assert expired(Progress(2)).reason is Reason.EXPIRED


def test_unknown_result_waits_until_the_conversation_can_tell() -> None:
    outcome = decide(Unknown(ERROR), attempts=2)
    progress = Progress(3, NOW, unknown_since=CALLED_AT)
    assert outcome == Postponed(NOW + POLICY.check_after_s, Wait.VERIFY, progress)


TO_A_COMMENT = request_from(
    a_document(recipient={"comment_id": "17900000000000000"}), fingerprint=b"f"
)
TYPING = request_from(
    {"id": "1", "account_id": "2", "recipient": {"id": "3"}, "sender_action": "typing_on"},
    fingerprint=b"f",
)


@pytest.mark.parametrize("request_", [TO_A_COMMENT, TYPING])
def test_what_the_conversation_does_not_show_is_held_at_once(request_: SendRequest) -> None:
    outcome = outcome_of_failure(
        request_,
        Progress(),
        Unknown(ERROR),
        policy=POLICY,
        deadline=None,
        chance=Chance(NOW, 0.5, CALLED_AT),
    )
    assert dead_for(outcome) is Reason.UNCONFIRMED


def test_message_that_is_not_found_twice_is_held() -> None:
    doubtful = Progress(1, NOW, unknown_since=CALLED_AT)
    again = outcome_of_doubt(doubtful, policy=POLICY, now=NOW)
    assert again == Postponed(NOW + 2 * POLICY.check_after_s, Wait.VERIFY, doubtful.with_check())
    held = outcome_of_doubt(again.progress, policy=POLICY, now=NOW)
    assert dead_for(held) is Reason.UNCONFIRMED
    assert held.progress.unknown_since == CALLED_AT


def test_what_is_held_says_when_the_call_began() -> None:
    outcome = decide(Unknown(ERROR), on_unknown=OnUnknown.HOLD)
    assert isinstance(outcome, Dead)
    assert outcome.progress.unknown_since == CALLED_AT
