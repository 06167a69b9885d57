"""Progress travels in headers and comes back; whatever else stands there is named, not believed."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.problem import Problem
from worker.core.progress import (
    ATTEMPTS,
    DISCLOSURE,
    FIRST_SEEN,
    PREFIX,
    REASON,
    RECIPIENT_ID,
    RETURNED_FROM,
    SENT_PARTS,
    Progress,
    progress_from,
    rfc3339,
)
from worker.core.reason import Reason
from worker.core.replay import BATCH, Doubt, Replay
from worker.core.send_result import Sent

MOMENTS = st.floats(946_684_800.0, 4_102_444_799.0)
PROGRESS = st.builds(
    Progress,
    attempts=st.integers(0, 1_000_000),
    first_seen=st.none() | MOMENTS,
    sent=st.lists(st.none() | st.text(max_size=60), max_size=10).map(tuple),
    recipient_id=st.none() | st.text(max_size=60),
    is_republished=st.just(False),
    unknown_since=st.none() | MOMENTS.map(round).map(float),
    checks=st.just(0),
    returned_from=st.none() | st.sampled_from([reason.value for reason in Reason]),
    disclosure=st.none() | st.text(st.characters(max_codepoint=127), max_size=16),
    may_have_gone=st.booleans(),
    replay=st.none() | st.just(Replay("20261123T101500-7f3a", 2, "ada", "old~1", Doubt.VERIFY)),
)
OUR_NAMES = st.sampled_from(
    [ATTEMPTS, FIRST_SEEN, SENT_PARTS, RECIPIENT_ID, REASON, RETURNED_FROM, BATCH, PREFIX + "new"]
)
ANY_VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.sampled_from(
        ["[]", "[null]", "[[[[", "[1]", "{}", '["\\ud800"]', "0001-01-01T00:00:00+23:59"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(PROGRESS)
def test_progress_comes_back_from_its_own_headers(progress: Progress) -> None:
    read = progress_from(progress.headers())
    assert isinstance(read, Progress)
    assert read._replace(first_seen=None) == progress._replace(first_seen=None, is_republished=True)
    assert (read.first_seen is None) == (progress.first_seen is None)
    assert (read.first_seen or 0.0) == pytest.approx(progress.first_seen or 0.0, abs=0.0011)


@pytest.mark.parametrize("checks", [0, 2])
def test_doubt_comes_back_from_its_own_headers(checks: int) -> None:
    doubtful = Progress(1, unknown_since=1_795_340_000.5, checks=checks)
    read = progress_from(doubtful.headers())
    assert isinstance(read, Progress)
    assert read == doubtful._replace(is_republished=True)
    assert read.is_doubtful


def test_part_that_went_ends_the_doubt() -> None:
    doubtful = Progress(1).in_doubt_since(1_795_340_000.0).with_check()
    assert not doubtful.with_part(Sent("mid", None)).is_doubtful


@given(PROGRESS)
def test_second_round_trip_changes_nothing(progress: Progress) -> None:
    once = progress_from(progress.headers())
    assert isinstance(once, Progress)
    assert progress_from(once.headers()) == once


@given(st.dictionaries(OUR_NAMES, ANY_VALUE, max_size=6))
def test_any_values_in_our_headers_end_in_progress_or_in_a_problem(
    headers: dict[str, object],
) -> None:
    read = progress_from(headers)
    if isinstance(read, Problem):
        assert PREFIX in read.message
    else:
        assert isinstance(progress_from(read.headers()), Progress)
        assert len(read.sent) <= 10


@given(st.dictionaries(st.text().filter(lambda name: not name.startswith(PREFIX)), ANY_VALUE))
def test_headers_of_others_are_no_progress(headers: dict[str, object]) -> None:
    assert progress_from(headers) == Progress()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (ATTEMPTS, -1),
        (ATTEMPTS, 1_000_001),
        (ATTEMPTS, True),
        (ATTEMPTS, "3"),
        (ATTEMPTS, None),
        (FIRST_SEEN, "yesterday"),
        (FIRST_SEEN, 1_795_340_000),
        (FIRST_SEEN, "2026-11-22T10:15:00"),
        (FIRST_SEEN, "1999-12-31T23:59:59Z"),
        (FIRST_SEEN, "9999-12-31T23:59:59-23:59"),
        (DISCLOSURE, 1),
        (DISCLOSURE, "digest"),
        (DISCLOSURE, "[]"),
        (DISCLOSURE, "[null]"),
        (DISCLOSURE, '["digest", "mid", "mid"]'),
        (SENT_PARTS, None),
        (SENT_PARTS, ["mid"]),
        (SENT_PARTS, "mid"),
        (SENT_PARTS, "[" * 8000),
        (SENT_PARTS, '{"0": "mid"}'),
        (SENT_PARTS, "[1]"),
        (SENT_PARTS, '["\\ud800"]'),
        (SENT_PARTS, '["' + "m" * 65_536 + '"]'),
        (SENT_PARTS, "[" + "null," * 10 + "null]"),
        (RECIPIENT_ID, 6789012345),
        (REASON, b"invalid"),
        (RETURNED_FROM, 7),
        (BATCH, ""),
    ],
)
def test_what_we_never_write_is_a_problem_that_names_the_header(name: str, value: object) -> None:
    read = progress_from({name: value})
    assert isinstance(read, Problem)
    assert name in read.message
    assert read.pointer == ""


def test_problem_does_not_repeat_what_the_header_held() -> None:
    read = progress_from({SENT_PARTS: "somebody's words"})
    assert isinstance(read, Problem)
    assert "somebody" not in read.message


def test_returned_dead_letter_starts_its_attempts_afresh_and_keeps_the_parts_that_went() -> None:
    headers = {
        **Progress(
            attempts=8, first_seen=1_795_340_000.0, sent=("mid",), recipient_id="7"
        ).headers(),
        REASON: "exhausted",
    }
    assert progress_from(headers) == Progress(
        sent=("mid",), recipient_id="7", is_republished=True, returned_from="exhausted"
    )


@pytest.mark.parametrize("reason", Reason)
def test_only_what_returns_from_unconfirmed_is_doubtful(reason: Reason) -> None:
    read = progress_from({REASON: reason.value})
    assert isinstance(read, Progress)
    assert read.is_doubtful == (reason is Reason.UNCONFIRMED)


def test_each_part_that_went_is_added_and_the_person_is_remembered() -> None:
    progress = Progress().with_part(Sent("mid-1", "person")).with_part(Sent(None, None))
    assert progress.sent == ("mid-1", None)
    assert progress.recipient_id == "person"


def test_attempts_are_counted_one_by_one() -> None:
    assert Progress(attempts=2).with_attempt().attempts == 3


@given(PROGRESS)
def test_one_more_attempt_and_a_part_change_nothing_else(progress: Progress) -> None:
    assert progress.with_attempt() == progress._replace(attempts=progress.attempts + 1)
    settled = progress.with_part(Sent("mid", "person"))
    assert settled == progress._replace(
        sent=(*progress.sent, "mid"),
        recipient_id="person",
        unknown_since=None,
        checks=0,
        returned_from=None,
        replay=progress.replay and progress.replay.settled,
        may_have_gone=False,
    )


@given(PROGRESS, MOMENTS)
def test_when_it_was_first_seen_stays_what_it_was(progress: Progress, now: float) -> None:
    first = now if progress.first_seen is None else progress.first_seen
    assert progress.seen_at(now) == progress._replace(first_seen=first)


def test_times_are_written_in_utc_with_milliseconds() -> None:
    assert rfc3339(1_795_342_500.1239) == "2026-11-22T10:15:00.123Z"


FORCED = Replay("b", 1, "ada", doubt=Doubt.RESEND)
UNCONFIRMED = Progress(
    is_republished=True, returned_from="unconfirmed", unknown_since=1_795_340_000.0, replay=FORCED
)


def test_letter_that_has_to_wait_stays_a_returned_one_and_keeps_its_counts() -> None:
    returned = progress_from({REASON: "unconfirmed"})
    assert isinstance(returned, Progress)
    parked = progress_from(returned.in_doubt_since(1_795_340_000.0).with_check().headers())
    assert isinstance(parked, Progress)
    assert (parked.returned_from, parked.checks) == ("unconfirmed", 1)


def test_only_a_returned_letter_can_be_forced_or_looked_for() -> None:
    looked_for = replace(FORCED, doubt=Doubt.VERIFY)
    assert UNCONFIRMED.is_forced
    assert UNCONFIRMED._replace(replay=looked_for).is_to_be_looked_for
    assert not UNCONFIRMED._replace(returned_from=None).is_forced
    assert not UNCONFIRMED._replace(returned_from=None, replay=looked_for).is_to_be_looked_for
    assert not UNCONFIRMED._replace(replay=None).is_forced


def test_call_that_is_granted_ends_the_doubt_and_what_was_said_of_it() -> None:
    begun = UNCONFIRMED.begun
    assert not begun.is_doubtful
    assert begun.replay == Replay("b", 1, "ada")
    again = begun.in_doubt_since(1_795_340_100.0)
    assert again.is_doubtful
    assert not again.is_forced


def test_call_that_is_granted_without_any_doubt_changes_nothing() -> None:
    tried = Progress(attempts=2, first_seen=1_795_340_000.0, sent=("mid",))
    assert tried.begun is tried


def test_part_that_was_found_ends_what_was_said_of_the_doubt() -> None:
    looked_for = UNCONFIRMED._replace(replay=replace(FORCED, doubt=Doubt.VERIFY))
    found = looked_for.with_part(Sent("mid", None))
    assert not found.is_doubtful
    assert not found.is_to_be_looked_for


def test_force_can_be_taken_back_and_nothing_else_is() -> None:
    assert UNCONFIRMED.unforced() == UNCONFIRMED._replace(replay=Replay("b", 1, "ada"))
    looked_for = UNCONFIRMED._replace(replay=replace(FORCED, doubt=Doubt.VERIFY))
    assert looked_for.unforced() == looked_for


def test_call_that_is_made_in_doubt_is_remembered_until_its_part_has_gone() -> None:
    doubtful = Progress(unknown_since=5.0)
    assert doubtful.begun.may_have_gone
    assert doubtful.begun.begun.may_have_gone
    assert not Progress(returned_from=Reason.REJECTED).begun.may_have_gone
    assert Progress(returned_from=Reason.UNCONFIRMED).begun.may_have_gone
    assert not doubtful.begun.with_part(Sent("mid", "p")).may_have_gone


def test_parts_cannot_have_gone_before_the_disclosure_that_goes_first() -> None:
    headers = {DISCLOSURE: '["digest"]', SENT_PARTS: '["mid-1"]'}
    read = progress_from(headers)
    assert isinstance(read, Problem)
    assert DISCLOSURE in read.message
    assert isinstance(progress_from({**headers, DISCLOSURE: '["digest",null]'}), Progress)


@pytest.mark.parametrize("digest", ["d" * 17, "ж"])
def test_digest_that_is_none_of_ours_is_a_problem(digest: str) -> None:
    assert isinstance(progress_from({DISCLOSURE: json.dumps([digest])}), Problem)
