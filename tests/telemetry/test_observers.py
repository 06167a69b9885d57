"""Each observer is told, and none can hurt the pipeline or the others."""

from tests.support.builders import TEXT, a_report
from tests.telemetry.captured_logs import captured_logs
from worker.core.report import Report
from worker.telemetry.observers import Observers


class Recorder:
    def __init__(self) -> None:
        self.seen: list[Report] = []

    def observe(self, report: Report) -> None:
        self.seen.append(report)


class Failing:
    def observe(self, report: Report) -> None:
        raise ValueError(TEXT)


class FailingToo(Failing):
    pass


def test_every_observer_is_told_in_their_order() -> None:
    one, other = Recorder(), Recorder()
    report = a_report()
    Observers([one, other]).observe(report)
    assert (one.seen, other.seen) == ([report], [report])


def test_failing_observer_is_logged_once_and_stops_nobody() -> None:
    recorder = Recorder()
    observers = Observers([Failing(), FailingToo(), recorder])
    with captured_logs() as logs:
        for _ in range(3):
            observers.observe(a_report())
    assert len(recorder.seen) == 3
    assert [line["observer"] for line in logs.lines] == ["Failing", "FailingToo"]
    assert all("test_observers.py" in line["exception"] for line in logs.lines)
    assert TEXT.encode() not in logs.raw
