"""One log line per pass of a request, written at its end, always with the same keys.

Never a message text, never a value of the producer's metadata.
"""

import logging
from collections.abc import Callable
from functools import cached_property

import structlog

from worker.core.outcome import (
    Completed,
    Dead,
    Duplicate,
    HandedBack,
    Outcome,
    Postponed,
    Retrying,
)
from worker.core.progress import Progress, rfc3339
from worker.core.report import Report
from worker.core.send_result import GraphError
from worker.telemetry.logs import line_writer
from worker.telemetry.outcome_class import OutcomeClass, class_of
from worker.telemetry.trace_context import trace_id_of

EVENT = "request"

# A flood over its limit is parked by the ten thousand and a stop hands back all that waits: at
# info these lines would drown the ones that say how a request ended.
LEVELS = {
    OutcomeClass.SENT: logging.INFO,
    OutcomeClass.DUPLICATE: logging.INFO,
    OutcomeClass.POSTPONED: logging.DEBUG,
    OutcomeClass.HANDED_BACK: logging.DEBUG,
    OutcomeClass.RETRYING: logging.WARNING,
    OutcomeClass.FAILED: logging.WARNING,
    OutcomeClass.HELD: logging.WARNING,
}


class LogObserver:
    """Implements the Observer port. With tracing, `trace_id` tells the trace of the pass."""

    def __init__(self, trace_id: Callable[[], str | None] | None = None) -> None:
        self._trace_id = trace_id

    @cached_property
    def _log(self) -> structlog.typing.FilteringBoundLogger:
        """The logger as it is set up at the first pass; to ask for it anew takes longer than a
        line.
        """
        logger: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind()
        return logger

    @cached_property
    def _write(self) -> Callable[[int, dict[str, object]], None]:
        return line_writer()

    def observe(self, report: Report) -> None:
        level = LEVELS[class_of(report.outcome)]
        if self._log.is_enabled_for(level):
            facts = facts_of(report)
            if self._trace_id is not None:
                facts["trace_id"] = self._trace_id()
            facts["event"] = EVENT
            self._write(level, facts)


def facts_of(report: Report) -> dict[str, object]:
    """Give the fields of the line: every key each time, None where there is nothing to say.

    `wait` is why the request waits (a `Wait`, or "retry") and `wait_until` till when; `detail`
    is our own sentence; names that end in `_s` are seconds.
    """
    delivery, request = report.delivery, report.request
    return {
        "outcome": class_of(report.outcome).value,
        "id": report.identity.id,
        "account_id": report.identity.account_id,
        "request_schema": report.request_schema,
        **_of_outcome(report.outcome),
        "kinds": list(dict.fromkeys(part.kind.value for part in request.parts)) if request else [],
        "parts": len(request.parts) if request else None,
        "replay_batch": _replay_batch(delivery.known_progress),
        "lane": delivery.lane.value,
        "queue": delivery.queue,
        "redelivered": delivery.redelivered,
        "api_calls": report.api_calls,
        "api_s": round(report.api_s, 4),
        "duration_s": round(report.finished_at - report.started_at, 4),
        "trace_id": trace_id_of(delivery.properties.headers),
    }


def _replay_batch(progress: Progress) -> str | None:
    return None if progress.replay is None else progress.replay.batch


def _of_outcome(outcome: Outcome) -> dict[str, object]:
    match outcome:
        case Completed() | HandedBack():
            return _facts(outcome.progress)
        case Postponed():
            return _facts(outcome.progress, wait=outcome.why.value, until=outcome.until)
        case Retrying():
            meaning = outcome.error.meaning
            return _facts(
                outcome.progress,
                detail=meaning,
                error=outcome.error,
                wait="retry",
                until=outcome.until,
            )
        case Dead():
            return _facts(
                outcome.progress,
                reason=outcome.reason.value,
                detail=outcome.detail,
                error=outcome.error,
            )
        case Duplicate(first=first):  # pragma: no branch  # mypy checks that no case is missing
            progress = Progress(attempts=first.attempts, sent=first.message_ids)
            reason = first.reason.value if first.reason else None
            return _facts(progress, reason=reason, detail=first.detail, error=first.error)


def _facts(
    progress: Progress,
    *,
    reason: str | None = None,
    detail: str | None = None,
    error: GraphError | None = None,
    wait: str | None = None,
    until: float | None = None,
) -> dict[str, object]:
    return {
        "reason": reason,
        "detail": detail,
        "attempts": progress.attempts,
        "sent_parts": len(progress.sent),
        "code": error.code if error else None,
        "subcode": error.subcode if error else None,
        "http_status": error.http_status if error else None,
        "fbtrace_id": error.fbtrace_id if error else None,
        "wait": wait,
        "wait_until": None if until is None else rfc3339(until),
    }
