"""What the worker tells about itself: each incident makes a line and a count."""

import asyncio
from typing import Literal

import pytest

from tests.support.builders import TEXT, a_delivery, a_report, a_request, an_account
from tests.telemetry.captured_logs import captured_logs
from tests.telemetry.samples import sample
from worker.config import Config
from worker.core.delivery import Delivery
from worker.telemetry.metrics import Gauges
from worker.telemetry.reporting import Reporting


def a_reporting() -> Reporting:
    return Reporting(Config())


def test_pass_of_a_request_makes_one_line_and_is_counted() -> None:
    reporting = a_reporting()
    with captured_logs() as logs:
        reporting.observe(a_report())
    assert [line["outcome"] for line in logs.lines] == ["sent"]
    assert sample(reporting.metrics, "igsend_outcomes_total", status="sent", reason="") == 1


def test_delivery_is_counted_and_handed_on() -> None:
    reporting, taken = a_reporting(), list[Delivery]()
    delivery = a_delivery(redelivered=True)
    reporting.receiving(taken.append)(delivery)
    assert taken == [delivery]
    assert sample(reporting.metrics, "igsend_redeliveries_total", lane="interactive") == 1


@pytest.mark.parametrize(
    ("state", "level", "up", "blocked"),
    [("up", "info", 1, 0), ("down", "warning", 0, 0), ("blocked", "warning", 1, 1)],
)
def test_state_of_a_connection_is_told_and_shown(
    state: Literal["up", "down", "blocked"], level: str, up: int, blocked: int
) -> None:
    reporting = a_reporting()
    with captured_logs() as logs:
        reporting.link_changed("publish", state=state, detail="why")
    assert [(line["state"], line["level"], line["role"]) for line in logs.lines] == [
        (state, level, "publish")
    ]
    metrics = reporting.metrics
    assert sample(metrics, "igsend_connection_up", role="publish") == up
    assert sample(metrics, "igsend_connection_blocked", role="publish") == blocked
    assert sample(metrics, "igsend_connection_up", role="consume") == 0


def test_password_in_a_connection_error_is_masked() -> None:
    with captured_logs() as logs:
        a_reporting().link_changed("consume", state="down", detail="amqp://u:s3cret@host refused")
    assert b"s3cret" not in logs.raw


def test_outage_that_hits_every_request_makes_one_line_but_counts_each() -> None:
    reporting = a_reporting()
    with captured_logs() as logs:
        for _ in range(500):
            reporting.publish_repeated("ig.dead", detail="the channel closed")
            reporting.reply_dropped(detail="no queue is bound for it")
    assert [line["event"] for line in logs.lines] == ["publish repeated", "reply dropped"]
    assert sample(reporting.metrics, "igsend_publishes_repeated_total") == 500
    assert sample(reporting.metrics, "igsend_replies_dropped_total") == 500


def test_bug_is_told_with_its_place_and_without_what_it_quotes() -> None:
    reporting = a_reporting()
    with captured_logs() as logs:
        for _ in range(2):
            try:
                raise KeyError(TEXT)
            except KeyError as bug:
                reporting.mishap(a_delivery(TEXT.encode()), bug)
    [line] = logs.lines
    assert (line["level"], line["error"]) == ("error", "KeyError")
    assert "test_reporting.py" in line["exception"]
    assert TEXT.encode() not in logs.raw
    assert sample(reporting.metrics, "igsend_mishaps_total") == 2


def test_start_tells_the_settings_without_their_secrets() -> None:
    config = Config.from_env({"IGSEND_AMQP_URL": "amqp://user:s3cret@host/"})
    with captured_logs() as logs:
        Reporting(config).started(config, port=8080, accounts=3, worker=None)
    [line] = logs.lines
    assert (line["http_port"], line["accounts"]) == (8080, 3)
    assert line["settings"]["IGSEND_PREFIX"] == "ig"
    assert b"s3cret" not in logs.raw


@pytest.mark.parametrize(("is_clean", "level"), [(True, "info"), (False, "warning")])
def test_stop_that_left_work_behind_is_a_warning(is_clean: bool, level: str) -> None:
    with captured_logs() as logs:
        a_reporting().stopping(in_hand=2)
        a_reporting().stopped(is_clean=is_clean)
    assert [line["level"] for line in logs.lines] == ["info", level]


async def test_measuring_shows_the_gauges_and_keeps_the_loop_alive() -> None:
    reporting, measured = a_reporting(), asyncio.Event()

    def read() -> Gauges:
        measured.set()
        return Gauges(in_hand=7, consumers_expected=9, consumers_registered=9, accounts=2)

    task = asyncio.create_task(reporting.measure(read))
    async with asyncio.timeout(30):
        await measured.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sample(reporting.metrics, "igsend_in_hand") == 7
    assert sample(reporting.metrics, "igsend_loop_lag_seconds_count") == 1
    assert reporting.tick_age_s() < 30
    assert b"igsend_in_hand 7.0" in reporting.exposition()


async def test_measured_graph_counts_its_calls() -> None:
    class Refusing:
        async def send(self, *_: object, **__: object) -> None:
            raise ConnectionError

    reporting, [part] = a_reporting(), a_request().parts
    graph = reporting.measured(Refusing())  # type: ignore[arg-type]  # it never answers
    with pytest.raises(ConnectionError):
        await graph.send(an_account(), part, tag={}, may_have_gone=False)
    assert sample(reporting.metrics, "igsend_api_calls_in_flight") == 0
