"""Says once that the API has refused an account, and once that it sends again."""

import structlog

from worker.core.outcome import Completed, Dead
from worker.core.reason import Reason
from worker.core.report import Report
from worker.core.send_result import GraphError

ADVICE = "mend it (most often: store a new token), then: igsend dead replay account --account ID"


class ClosureObserver:
    """Implements the Observer port. Its requests that come meanwhile say so in their own lines."""

    def __init__(self) -> None:
        self._refused: set[str] = set()

    def observe(self, report: Report) -> None:
        outcome = report.outcome
        if isinstance(outcome, Completed):
            if self._refused and report.identity.account_id in self._refused:
                self._refused.discard(report.identity.account_id)
                structlog.get_logger().info(
                    "account sends again", account_id=report.identity.account_id
                )
        elif isinstance(outcome, Dead) and outcome.reason is Reason.ACCOUNT and report.api_calls:
            self._say_once(report.identity.account_id, outcome.error)

    def _say_once(self, account_id: str | None, error: GraphError | None) -> None:
        if account_id is None or error is None or account_id in self._refused:
            return
        self._refused.add(account_id)
        structlog.get_logger().warning(
            "account closed: the API refuses it",
            account_id=account_id,
            code=error.code,
            subcode=error.subcode,
            detail=error.meaning,
            advice=ADVICE,
        )
