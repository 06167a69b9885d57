"""Several observers as one. What goes wrong in one of them stays there."""

from collections.abc import Sequence

import structlog

from worker.core.report import Report
from worker.ports import Observer
from worker.telemetry.exception_text import stack_of


class Observers:
    """Implements the Observer port: tells each, logs the first failure of each, never raises."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)
        self._failed: set[int] = set()

    def observe(self, report: Report) -> None:
        for place, observer in enumerate(self._observers):
            try:
                observer.observe(report)
            except Exception as error:  # the request is settled; its report must not undo that
                self._note(place, observer, error)

    def _note(self, place: int, observer: Observer, error: Exception) -> None:
        if place in self._failed:
            return
        self._failed.add(place)
        structlog.get_logger().error(
            "an observer fails; its logs or metrics are incomplete, please report this as a bug",
            observer=type(observer).__name__,
            exception=stack_of(error),
        )
