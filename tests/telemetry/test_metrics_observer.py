"""Each pass is counted once, under how it ended."""

import pytest

from tests.support.builders import NOW, a_delivery, a_report, an_error
from tests.telemetry.every_outcome import EVERY_OUTCOME, PROGRESS
from tests.telemetry.samples import sample, some_metrics
from worker.core.delivery import Lane
from worker.core.outcome import Completed, Dead, Outcome, Postponed, Retrying, Wait
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.telemetry.metrics import Metrics
from worker.telemetry.metrics_observer import MetricsObserver


def after(outcome: Outcome, *, api_calls: int = 1) -> Metrics:
    metrics = some_metrics()
    MetricsObserver(metrics).observe(a_report(outcome, api_calls=api_calls))
    return metrics


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_of_a_dead_letter_is_counted_under_its_status(reason: Reason) -> None:
    status = "held" if reason is Reason.UNCONFIRMED else "failed"
    metrics = after(Dead(reason, "why", PROGRESS))
    assert sample(metrics, "igsend_outcomes_total", status=status, reason=reason.value) == 1


@pytest.mark.parametrize("status", ["sent", "duplicate"])
def test_sent_and_duplicate_have_no_reason(status: str) -> None:
    metrics = after(EVERY_OUTCOME[status])
    assert sample(metrics, "igsend_outcomes_total", status=status, reason="") == 1


@pytest.mark.parametrize("why", Wait)
def test_parked_requests_are_counted_by_what_they_wait_for(why: Wait) -> None:
    metrics = after(Postponed(NOW, why, PROGRESS), api_calls=0)
    assert sample(metrics, "igsend_parked_total", why=why.value) == 1
    assert sample(metrics, "igsend_attempts_total") == 0


@pytest.mark.parametrize(
    ("name", "counter"),
    [("retrying", "igsend_retries_total"), ("handed_back", "igsend_handed_back_total")],
)
def test_retries_and_hand_backs_have_counters(name: str, counter: str) -> None:
    assert sample(after(EVERY_OUTCOME[name]), counter) == 1


def test_pass_that_called_the_api_is_one_attempt_however_many_parts_it_sent() -> None:
    assert sample(after(EVERY_OUTCOME["sent"], api_calls=10), "igsend_attempts_total") == 1
    assert sample(after(EVERY_OUTCOME["duplicate"], api_calls=0), "igsend_attempts_total") == 0


def test_time_to_acceptance_counts_from_the_first_sight() -> None:
    metrics = some_metrics()
    outcome = Completed(Progress(first_seen=NOW - 60), accepted_at=NOW)
    MetricsObserver(metrics).observe(a_report(outcome, delivery=a_delivery(lane=Lane.BULK)))
    assert sample(metrics, "igsend_accepted_seconds_sum", lane="bulk") == 60


def test_time_to_acceptance_of_an_unseen_request_counts_from_the_start_of_the_pass() -> None:
    metrics = after(Completed(Progress(), accepted_at=NOW + 2))
    assert sample(metrics, "igsend_accepted_seconds_sum", lane="interactive") == 2


def test_clock_that_went_back_gives_no_negative_time() -> None:
    metrics = after(Completed(Progress(first_seen=NOW + 5), accepted_at=NOW))
    assert sample(metrics, "igsend_accepted_seconds_sum", lane="interactive") == 0


@pytest.mark.parametrize(
    ("code", "subcode", "known", "unknown"),
    [
        (190, 463, 0, 0),
        (190, None, 0, 0),
        (190, 999_999, 1, 0),
        (424242, None, 0, 1),
        (424242, 7, 0, 1),
        (None, None, 0, 0),
        (250, None, 0, 0),
    ],
)
@pytest.mark.parametrize("is_final", [True, False])
def test_errors_that_the_table_does_not_list_are_counted(
    code: int | None, subcode: int | None, known: int, unknown: int, is_final: bool
) -> None:
    error = an_error(code=code, subcode=subcode)
    dead = Dead(Reason.REJECTED, "refused", PROGRESS, error)
    metrics = after(dead if is_final else Retrying(NOW, error, PROGRESS))
    assert sample(metrics, "igsend_unlisted_errors_total", code_known="yes") == known
    assert sample(metrics, "igsend_unlisted_errors_total", code_known="no") == unknown


def test_error_met_earlier_and_only_repeated_is_not_counted_again() -> None:
    dead = Dead(Reason.ACCOUNT, "closed", PROGRESS, an_error(code=424242))
    metrics = after(dead, api_calls=0)
    assert sample(metrics, "igsend_unlisted_errors_total", code_known="no") == 0
