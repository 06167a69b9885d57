"""Counts how passes end."""

from worker.core.graph_errors import TABLE, row_for
from worker.core.outcome import (
    Completed,
    Dead,
    Duplicate,
    HandedBack,
    Outcome,
    Postponed,
    Retrying,
)
from worker.core.report import Report
from worker.core.send_result import GraphError
from worker.telemetry.metrics import Metrics
from worker.telemetry.outcome_class import class_of


class MetricsObserver:
    """Implements the Observer port."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def observe(self, report: Report) -> None:
        if report.api_calls:
            self._metrics.attempt_made()
            self._note_unlisted(report.outcome)
        match report.outcome:
            case Completed() as outcome:
                first_seen = outcome.progress.first_seen
                since = report.started_at if first_seen is None else first_seen
                self._metrics.request_ended(class_of(outcome), None)
                published = report.delivery.properties.timestamp
                self._metrics.request_accepted(
                    report.delivery.lane,
                    after_s=outcome.accepted_at - since,
                    published_s=None if published is None else outcome.accepted_at - published,
                )
            case Dead() as outcome:
                self._metrics.request_ended(class_of(outcome), outcome.reason)
            case Duplicate() as outcome:
                self._metrics.request_ended(class_of(outcome), None)
            case Postponed() as outcome:
                self._metrics.request_parked(outcome.why)
            case Retrying():
                self._metrics.request_retried()
            case HandedBack():  # pragma: no branch  # mypy checks that no case is missing
                self._metrics.request_handed_back()

    def _note_unlisted(self, outcome: Outcome) -> None:
        error = _error_of(outcome)
        if error is None or error.code is None:
            return
        row = row_for(error.code, error.subcode)
        if row is None:
            self._metrics.unlisted_error_met(is_code_known=False)
        elif (error.code, error.subcode) not in TABLE and error.subcode is not None:
            self._metrics.unlisted_error_met(is_code_known=True)


def _error_of(outcome: Outcome) -> GraphError | None:
    return outcome.error if isinstance(outcome, Dead | Retrying) else None
