"""One line per pass, always with the same keys, never with what a customer wrote."""

from typing import Any

import pytest

from tests.support.builders import (
    ACCOUNT_ID,
    NOW,
    TEXT,
    TOKEN,
    a_delivery,
    a_report,
    a_request,
)
from tests.telemetry.captured_logs import captured_logs
from tests.telemetry.every_outcome import EVERY_OUTCOME, FIRST
from worker.core.delivery import Lane
from worker.core.outcome import Dead, Duplicate
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import Progress, rfc3339
from worker.core.reason import Reason
from worker.core.replay import Replay
from worker.core.report import Report
from worker.core.request import Identity
from worker.telemetry.wide_event import LEVELS, LogObserver, facts_of

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
KEYS = [
    "timestamp", "level", "event", "outcome", "id", "account_id", "request_schema",
    "reason", "detail", "attempts", "sent_parts",
    "code", "subcode", "http_status", "fbtrace_id", "wait", "wait_until",
    "kinds", "parts", "replay_batch", "lane", "queue", "redelivered",
    "api_calls", "api_s", "duration_s", "trace_id",
]  # fmt: skip


def line_of(report: Report) -> dict[str, Any]:
    with captured_logs() as logs:
        LogObserver().observe(report)
    [line] = logs.lines
    return line


@pytest.mark.parametrize("name", EVERY_OUTCOME)
def test_every_outcome_makes_one_line_with_the_same_keys(name: str) -> None:
    line = line_of(a_report(EVERY_OUTCOME[name]))
    assert list(line) == KEYS
    assert (line["event"], line["outcome"]) == ("request", name)


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("sent", "info"),
        ("duplicate", "info"),
        ("failed", "warning"),
        ("held", "warning"),
        ("retrying", "warning"),
        ("postponed", "debug"),
        ("handed_back", "debug"),
    ],
)
def test_level_says_whether_somebody_should_look(name: str, level: str) -> None:
    assert line_of(a_report(EVERY_OUTCOME[name]))["level"] == level


def test_flood_that_is_parked_writes_nothing_at_info() -> None:
    with captured_logs("info") as logs:
        for _ in range(100):
            LogObserver().observe(a_report(EVERY_OUTCOME["postponed"]))
    assert logs.raw == b""


def test_every_class_of_outcome_has_its_level() -> None:
    assert {outcome.value for outcome in LEVELS} == EVERY_OUTCOME.keys()


def test_line_of_a_sent_request_says_who_what_and_how_long() -> None:
    image = {"attachment": {"type": "image", "payload": {"url": "https://cdn.example.com/a"}}}
    report = a_report(
        EVERY_OUTCOME["sent"],
        request=a_request(messages=[{"text": TEXT}, image, {"text": TEXT}]),
        delivery=a_delivery(
            progress=Progress(replay=Replay("20261123T101500-7f3a", 1, "ada")),
            queue="ig.bulk.v1",
            lane=Lane.BULK,
            redelivered=True,
            headers={"traceparent": TRACEPARENT},
        ),
        api_s=0.25,
        api_calls=3,
    )
    expected = {
        "id": "order-1",
        "account_id": ACCOUNT_ID,
        "kinds": ["text", "image"],
        "parts": 3,
        "sent_parts": 1,
        "attempts": 2,
        "replay_batch": "20261123T101500-7f3a",
        "lane": "bulk",
        "queue": "ig.bulk.v1",
        "redelivered": True,
        "api_calls": 3,
        "api_s": 0.25,
        "duration_s": 0.5,
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "reason": None,
        "wait": None,
    }
    facts = facts_of(report)
    assert {name: facts[name] for name in expected} == expected


def test_line_of_a_refusal_has_the_codes_of_the_api() -> None:
    facts = facts_of(a_report(EVERY_OUTCOME["failed"]))
    codes = [facts[name] for name in ("code", "subcode", "http_status", "fbtrace_id")]
    assert codes == [190, 463, 400, "AbCdEf"]
    assert (facts["reason"], facts["detail"]) == ("account", "the access token has expired")


@pytest.mark.parametrize(
    ("name", "wait", "until"), [("postponed", "rate", NOW + 30), ("retrying", "retry", NOW + 8)]
)
def test_line_of_a_request_that_waits_says_why_and_until_when(
    name: str, wait: str, until: float
) -> None:
    facts = facts_of(a_report(EVERY_OUTCOME[name]))
    assert (facts["wait"], facts["wait_until"]) == (wait, rfc3339(until))


def test_line_of_a_duplicate_repeats_what_was_concluded_first() -> None:
    facts = facts_of(a_report(Duplicate(FIRST)))
    assert (facts["attempts"], facts["sent_parts"], facts["reason"]) == (1, 2, None)
    failed = OutcomeEvent("1", "2", Status.FAILED, NOW, 3, reason=Reason.EXPIRED, detail="too late")
    facts = facts_of(a_report(Duplicate(failed)))
    assert (facts["reason"], facts["detail"]) == ("expired", "too late")


def test_line_of_an_unreadable_delivery_says_what_little_is_known() -> None:
    dead = Dead(Reason.INVALID, "is empty; send one JSON object", Progress())
    delivery = a_delivery()
    report = Report(delivery, None, dead, NOW, NOW, identity=Identity(None, ACCOUNT_ID))
    facts = facts_of(report)
    assert (facts["id"], facts["account_id"]) == (None, ACCOUNT_ID)
    assert (facts["kinds"], facts["parts"]) == ([], None)


@pytest.mark.parametrize("name", EVERY_OUTCOME)
def test_no_line_holds_text_metadata_or_body(name: str) -> None:
    report = a_report(
        EVERY_OUTCOME[name],
        request=a_request(metadata={"note": "a private note", "token": TOKEN}),
        delivery=a_delivery(TEXT.encode(), headers={"x-private": "a private header"}),
    )
    with captured_logs() as logs:
        LogObserver().observe(report)
    for private in (TEXT, "private", TOKEN):
        assert private.encode() not in logs.raw
