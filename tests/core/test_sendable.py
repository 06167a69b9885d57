"""What could go now, and how long the head of a queue has waited: rules as tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import ACCOUNT_ID, NOW, PERSON_ID, a_request, an_error
from worker.core.delivery import Lane
from worker.core.kind import Bucket
from worker.core.outcome import (
    Completed,
    Dead,
    Duplicate,
    HandedBack,
    Outcome,
    Postponed,
    Retrying,
    Wait,
)
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.sendable import (
    HELD_AT_MOST_S,
    MOST_READINGS,
    SOON_S,
    InHand,
    Reading,
    Standing,
    could_go,
    head_read,
    held_until,
    limit_of,
    line_of,
    oldest,
)

PROGRESS = Progress()
FIRST = OutcomeEvent("order-1", ACCOUNT_ID, Status.SENT, NOW, 1)
LIMITS = (Wait.RATE, Wait.TURN)
OTHERS = tuple(why for why in Wait if why not in LIMITS)


def put_off(why: Wait, after_s: float) -> Postponed:
    return Postponed(NOW + after_s, why, PROGRESS)


@pytest.mark.parametrize(
    ("outcome", "was_called", "could"),
    [
        (Completed(PROGRESS, NOW), True, True),
        (Retrying(NOW + 60, an_error(), PROGRESS), True, True),
        (HandedBack(PROGRESS), False, True),
        (Dead(Reason.REJECTED, "refused", PROGRESS), True, True),
        (Dead(Reason.ACCOUNT, "closed", PROGRESS), False, False),
        (Duplicate(FIRST), False, False),
        *((put_off(why, SOON_S), False, True) for why in LIMITS),
        *((put_off(why, SOON_S + 1), False, False) for why in LIMITS),
        *((put_off(why, 0.0), True, False) for why in OTHERS),
    ],
)
def test_a_pass_shows_whether_a_request_could_go(
    outcome: Outcome, was_called: bool, could: bool
) -> None:
    assert could_go(outcome, now=NOW, was_called=was_called) is could


@pytest.mark.parametrize(
    ("outcome", "until"),
    [
        (put_off(Wait.RATE, SOON_S + 1), NOW + SOON_S + 1),
        (put_off(Wait.TURN, 20.0), NOW + 20.0),
        (put_off(Wait.RATE, 3600.0), NOW + HELD_AT_MOST_S),
        (put_off(Wait.RATE, SOON_S), None),
        *((put_off(why, 3600.0), None) for why in OTHERS),
        (Completed(PROGRESS, NOW), None),
    ],
)
def test_a_long_wait_for_a_limit_or_a_turn_speaks_for_all_in_its_line(
    outcome: Outcome, until: float | None
) -> None:
    assert held_until(outcome, now=NOW) == until


def test_request_stands_in_the_line_of_its_limit_and_in_that_of_its_conversation() -> None:
    file = {"attachment": {"type": "image", "payload": {"url": "https://cdn.example.com/1.png"}}}
    request = a_request(messages=[{"text": "look"}, file])
    conversation = (ACCOUNT_ID, PERSON_ID)
    text, media = ((ACCOUNT_ID, Lane.BULK, bucket) for bucket in (Bucket.TEXT, Bucket.MEDIA))
    begun = Progress(sent=("mid-1",))
    assert limit_of(request, Lane.BULK) == text
    assert limit_of(request, Lane.BULK, parts_sent=2) == media
    assert limit_of(request, Lane.INTERACTIVE) != text
    assert line_of(put_off(Wait.TURN, 9), request, Lane.BULK) == conversation
    assert line_of(put_off(Wait.RATE, 9), request, Lane.BULK) == text
    assert line_of(Postponed(NOW, Wait.RATE, begun), request, Lane.BULK) == media
    assert line_of(Completed(begun, NOW), request, Lane.BULK) == text
    in_hand = InHand("ig.bulk.v1", Standing.UNASKED, NOW, request, Lane.BULK, parts_sent=1)
    assert in_hand.lines == (media, conversation)


def test_head_of_a_queue_is_as_old_as_the_reading_that_first_saw_it() -> None:
    readings = head_read([], now=NOW, ready=10, read=0)
    readings = head_read(readings, now=NOW + 2, ready=14, read=6)
    assert readings[0] == Reading(NOW, 4), "4 of the first 10 are there still"
    readings = head_read(readings, now=NOW + 4, ready=12, read=6)
    assert readings[0] == Reading(NOW + 2, 8), "the head came after the first reading"
    assert head_read(readings, now=NOW + 6, ready=0, read=3) == []


def test_wrong_guess_of_what_others_read_does_not_last() -> None:
    readings = head_read([], now=NOW, ready=1000, read=0)
    readings = head_read(readings, now=NOW + 2, ready=3, read=1)
    assert readings[0] == Reading(NOW, 3), "no more than what is ready now can be left"
    assert head_read(readings, now=NOW + 4, ready=3, read=3) == [Reading(NOW + 4, 3)]


def test_long_queue_that_nobody_reads_keeps_its_age_in_few_readings() -> None:
    readings: list[Reading] = []
    for number in range(3 * MOST_READINGS):
        readings = head_read(readings, now=NOW + number, ready=number + 1, read=0)
    assert readings[0].at == NOW
    assert len(readings) <= MOST_READINGS


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=200))
def test_age_is_never_greater_than_the_truth_for_the_only_reader(
    steps: list[tuple[int, int]],
) -> None:
    queue, readings = list[float](), list[Reading]()
    for number, (came, taken) in enumerate(steps):
        now = NOW + number
        read = min(taken, len(queue))
        del queue[:read]
        queue += [now] * came
        readings = head_read(readings, now=now, ready=len(queue), read=read)
        age_s = oldest((reading.at for reading in readings[:1]), now=now)
        assert age_s <= oldest(queue[:1], now=now)
        assert len(readings) <= MOST_READINGS + 1
        if len(steps) <= MOST_READINGS:
            assert age_s == oldest(queue[:1], now=now)


@pytest.mark.parametrize(
    ("moments", "age_s"), [([], 0.0), ([NOW - 3, NOW - 7], 7.0), ([NOW + 1], 0.0)]
)
def test_age_is_that_of_the_first(moments: list[float], age_s: float) -> None:
    assert oldest(moments, now=NOW) == age_s
