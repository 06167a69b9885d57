"""Headers of a dead letter: complete, below 4 KiB whatever came, and true to their schema."""

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import encode
from pamqp.common import FieldTable

from tests.support.builders import NOW, TEXT, a_delivery, an_error
from worker.contract.schema_files import DEAD_LETTER_HEADERS, compiled
from worker.core.dead_letter import dead_letter_headers
from worker.core.delivery import Delivery, Lane
from worker.core.outcome import Dead
from worker.core.problem import Problem
from worker.core.progress import (
    ATTEMPTS,
    DISCLOSURE,
    FIRST_SEEN,
    MESSAGE_ID,
    PREFIX,
    REASON,
    RECIPIENT_ID,
    SENT_PARTS,
    Progress,
    progress_from,
    rfc3339,
)
from worker.core.reason import ADVICE, SAFE_TO_REPLAY, Reason
from worker.core.replay import Doubt, Replay, replay_from
from worker.core.request import Identity
from worker.core.send_result import GraphError

IDENTITY = Identity("order-1", "17841405822304914")
ROOM = 4096
# One, two, three and four bytes a character.
SCRIPTS = ["a", "ж", "한", "🎁"]
HOSTILE_TEXT = st.builds(lambda char, n: char * n, st.sampled_from(SCRIPTS), st.integers(0, 9000))
HOSTILE_PROBLEMS = st.lists(
    st.builds(Problem, pointer=HOSTILE_TEXT, message=HOSTILE_TEXT.filter(bool)), max_size=25
).map(tuple)


def bytes_on_the_wire(headers: dict[str, object]) -> int:
    return len(encode.field_table(cast(FieldTable, headers)))


def headers_of(
    dead: Dead, *, delivery: Delivery | None = None, identity: Identity = IDENTITY
) -> dict[str, object]:
    return dead_letter_headers(delivery or a_delivery(), dead, identity, now=NOW)


HOSTILE_DEAD = st.builds(
    Dead,
    reason=st.sampled_from(Reason),
    detail=HOSTILE_TEXT.filter(bool),
    progress=st.builds(
        Progress,
        attempts=st.just(1_000_000),
        first_seen=st.none() | st.just(NOW),
        sent=st.lists(st.none() | HOSTILE_TEXT, max_size=10).map(tuple),
        recipient_id=st.none() | HOSTILE_TEXT,
        is_republished=st.booleans(),
        returned_from=st.none(),
        unknown_since=st.none() | st.just(NOW),
        checks=st.integers(0, 2),
        # Of our own making, unlike the ids.
        disclosure=st.none() | st.just("0123456789abcdef"),
        replay=st.none() | st.just(Replay("b" * 64, 1_000_000, "ж" * 32, "i" * 128, Doubt.VERIFY)),
    ),
    error=st.none()
    | st.builds(
        GraphError,
        meaning=HOSTILE_TEXT,
        code=st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
        subcode=st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
        http_status=st.none() | st.integers(100, 599),
        fbtrace_id=st.none() | HOSTILE_TEXT,
    ),
    problems=HOSTILE_PROBLEMS,
)


@given(dead=HOSTILE_DEAD, queue=HOSTILE_TEXT, message_id=st.none() | HOSTILE_TEXT)
def test_headers_stay_below_4_kib_and_fit_their_schema_whatever_came(
    dead: Dead, queue: str, message_id: str | None
) -> None:
    headers = headers_of(
        dead,
        delivery=a_delivery(queue=queue, message_id=message_id),
        identity=Identity("i" * 128, "9" * 32),
    )
    assert bytes_on_the_wire(headers) < ROOM
    assert [e.message for e in compiled(DEAD_LETTER_HEADERS).iter_errors(headers)] == []


def test_the_fullest_headers_that_can_be_built_stay_below_4_kib() -> None:
    progress = Progress(1_000_000, NOW, ("m" * 196,) * 10, "r" * 128)
    error = GraphError("", -(2**62), -(2**62), 599, "f" * 128)
    problems = (Problem("/p", "m" * 20),) * 50
    for reason in Reason:
        headers = headers_of(
            Dead(reason, "ж" * 300, progress, error, problems),
            delivery=a_delivery(queue="q" * 255, message_id="m" * 255),
            identity=Identity("i" * 128, "9" * 32),
        )
        assert SENT_PARTS in headers
        assert "m" * 196 in str(headers[SENT_PARTS])
        assert 3500 < bytes_on_the_wire(headers) < ROOM


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_comes_with_its_advice_and_says_whether_a_replay_is_safe(
    reason: Reason,
) -> None:
    headers = headers_of(Dead(reason, "why", Progress()))
    assert headers[REASON] == reason.value
    assert headers[PREFIX + "advice"] == ADVICE[reason]
    assert headers[PREFIX + "safe-to-replay"] is (reason in SAFE_TO_REPLAY)


def test_what_may_have_been_sent_is_never_called_safe_to_replay() -> None:
    assert not {Reason.UNCONFIRMED, Reason.SUSPECT} & SAFE_TO_REPLAY


def test_headers_tell_the_whole_story_of_a_refused_request() -> None:
    progress = Progress(3, NOW - 60, ("mid-1", None), "person")
    delivery = a_delivery(lane=Lane.BULK, queue="ig.bulk.v1", message_id="theirs")
    dead = Dead(Reason.REJECTED, "no such person", progress, an_error(subcode=2534014))
    assert headers_of(dead, delivery=delivery) == {
        REASON: "rejected",
        ATTEMPTS: 3,
        PREFIX + "detail": "no such person",
        PREFIX + "advice": ADVICE[Reason.REJECTED],
        PREFIX + "safe-to-replay": True,
        PREFIX + "died-at": rfc3339(NOW),
        FIRST_SEEN: rfc3339(NOW - 60),
        PREFIX + "lane": "bulk",
        PREFIX + "queue": "ig.bulk.v1",
        PREFIX + "request-id": IDENTITY.id,
        PREFIX + "account-id": IDENTITY.account_id,
        MESSAGE_ID: "theirs",
        SENT_PARTS: '["mid-1",null]',
        RECIPIENT_ID: "person",
        PREFIX + "code": 100,
        PREFIX + "subcode": 2534014,
        PREFIX + "http-status": 400,
        PREFIX + "fbtrace-id": "AbCdEf",
    }


def test_headers_without_a_value_are_left_out_and_the_first_sight_is_now() -> None:
    headers = headers_of(Dead(Reason.INVALID, "is empty", Progress()), identity=Identity())
    assert None not in headers.values()
    assert headers[FIRST_SEEN] == rfc3339(NOW)
    assert headers.keys().isdisjoint({SENT_PARTS, RECIPIENT_ID, MESSAGE_ID, PREFIX + "code"})


def test_problems_that_do_not_fit_are_left_out_and_the_rest_still_parses() -> None:
    giant, small = Problem("/" + "x" * 5000, "too long"), Problem("/id", "must be text")
    headers = headers_of(Dead(Reason.INVALID, "…", Progress(), problems=(giant, small)))
    shown = json.loads(str(headers[PREFIX + "problems"]))
    assert shown == [{"pointer": "/id", "message": "must be text"}]


def test_ids_too_long_for_headers_become_null_but_their_number_stays() -> None:
    progress = Progress(1, NOW, ("m" * 400,) * 10)
    headers = headers_of(Dead(Reason.ACCOUNT, "token expired", progress))
    assert json.loads(str(headers[SENT_PARTS])) == [None] * 10
    read = progress_from(headers)
    assert isinstance(read, Progress)
    assert len(read.sent) == 10


def test_long_detail_is_cut_between_characters() -> None:
    headers = headers_of(Dead(Reason.REJECTED, "한" * 200, Progress()))
    assert headers[PREFIX + "detail"] == "한" * 100


def test_id_that_is_too_long_is_left_out_rather_than_cut() -> None:
    progress = Progress(1, NOW, recipient_id="r" * 129)
    assert RECIPIENT_ID not in headers_of(Dead(Reason.EXPIRED, "late", progress))


def test_dead_letter_put_back_continues_where_it_was() -> None:
    progress = Progress(8, NOW, ("mid-1",), "person")
    read = progress_from(headers_of(Dead(Reason.EXHAUSTED, "tried 8 times", progress)))
    assert read == Progress(
        sent=("mid-1",), recipient_id="person", is_republished=True, returned_from="exhausted"
    )


def test_no_header_holds_the_text_of_the_message() -> None:
    delivery = a_delivery(TEXT.encode())
    headers = headers_of(Dead(Reason.REJECTED, "refused", Progress()), delivery=delivery)
    assert TEXT not in str(headers)


def test_letter_of_a_replayed_request_says_so_and_forgets_what_was_said_of_doubt() -> None:
    replay = Replay("20261123T101500-7f3a", 2, "ada", "order-0", Doubt.RESEND)
    headers = headers_of(Dead(Reason.REJECTED, "why", Progress(replay=replay)))
    assert replay_from(headers) == Replay("20261123T101500-7f3a", 2, "ada", "order-0")


def test_letter_remembers_the_disclosure_that_went() -> None:
    progress = Progress(1, NOW, ("mid-0", "mid-1"), disclosure="digest")
    headers = headers_of(Dead(Reason.REJECTED, "no such person", progress))
    assert (headers[DISCLOSURE], headers[SENT_PARTS]) == ('["digest","mid-0"]', '["mid-1"]')
    read = progress_from(headers)
    assert isinstance(read, Progress)
    assert (read.sent, read.disclosure) == (progress.sent, "digest")


def test_letter_remembers_which_disclosure_is_in_doubt() -> None:
    progress = Progress(1, NOW, disclosure="digest", unknown_since=NOW)
    headers = headers_of(Dead(Reason.UNCONFIRMED, "who knows", progress))
    assert headers[DISCLOSURE] == '["digest"]'
    assert SENT_PARTS not in headers


def test_endless_id_of_a_disclosure_becomes_null() -> None:
    progress = Progress(1, NOW, ("m" * 5000,), disclosure="digest")
    headers = headers_of(Dead(Reason.REJECTED, "no such person", progress))
    assert headers[DISCLOSURE] == '["digest",null]'


def test_id_of_a_disclosure_that_would_be_too_long_when_escaped_is_null() -> None:
    progress = Progress(sent=("🎁" * 14, "mid"), disclosure="digest")
    dead = Dead(Reason.EXPIRED, "too late", progress)
    headers = headers_of(dead, delivery=a_delivery(), identity=Identity("a", "1"))
    assert headers["x-igsend-disclosure"] == '["digest",null]'
