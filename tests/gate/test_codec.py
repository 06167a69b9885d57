"""What the Redis gate stores comes back as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gate.world import a_request
from worker.core.outcome_event import OutcomeEvent, Status
from worker.core.problem import Problem
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.replay import Replay
from worker.core.send_result import GraphError
from worker.gate.redis.codec import pack_event, pack_progress, unpack_event, unpack_progress
from worker.gate.redis.compact import pack_ids, unpack_ids

BASE64 = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/", max_size=200)
IDS = st.lists(st.none() | st.text(max_size=40) | BASE64, max_size=10).map(tuple)
MOMENTS = st.integers(0, 4_102_444_799_000).map(lambda ms: ms / 1000)
REQUEST = a_request()


@given(IDS)
def test_ids_come_back(ids: tuple[str | None, ...]) -> None:
    assert unpack_ids(pack_ids(ids)) == ids


def test_ids_of_the_usual_alphabet_are_shortened() -> None:
    assert len(pack_ids(["aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOjE3ODQx" * 4])) < 135


def test_an_endless_id_is_refused() -> None:
    with pytest.raises(ValueError, match="64 KiB"):
        pack_ids(["ü" * 40_000])


@given(st.integers(1, 255), st.integers(0, 10**7), MOMENTS, IDS, st.none() | st.text(max_size=20))
def test_what_was_sent_comes_back(
    attempts: int, took_ms: int, accepted: float, ids: tuple[str | None, ...], to: str | None
) -> None:
    event = OutcomeEvent(
        REQUEST.id,
        REQUEST.account_id,
        Status.SENT,
        round(accepted * 1000 + took_ms) / 1000,
        attempts,
        ids,
        to or REQUEST.recipient["id"],
        accepted,
    )
    assert unpack_event(pack_event(event, REQUEST), REQUEST) == event


@pytest.mark.parametrize("error", [None, GraphError("no such person", 100, 2018001, 400, "trace")])
def test_what_failed_comes_back(error: GraphError | None) -> None:
    event = OutcomeEvent(
        REQUEST.id,
        REQUEST.account_id,
        Status.FAILED,
        1_795_340_000.5,
        3,
        ("mid", None),
        None,
        reason=Reason.REJECTED,
        detail="no such person",
        error=error,
        problems=(Problem("/id", "must be text"),),
    )
    assert unpack_event(pack_event(event, REQUEST), REQUEST) == event


def test_progress_comes_back_as_that_of_a_request_we_know() -> None:
    progress = Progress(2, 1.5, ("mid", None), "7", unknown_since=3.25, checks=1)
    assert unpack_progress(pack_progress(progress)) == progress._replace(is_republished=True)


@pytest.mark.parametrize("replay_of", [None, "i" * 128])
def test_replay_of_what_was_sent_comes_back(replay_of: str | None) -> None:
    replay = Replay("b" * 64, 1_000_000, "ж" * 32, replay_of)
    event = OutcomeEvent(
        REQUEST.id,
        REQUEST.account_id,
        Status.SENT,
        1_795_340_000.5,
        1,
        ("mid",),
        REQUEST.recipient["id"],
        1_795_340_000.25,
        replay=replay,
    )
    assert unpack_event(pack_event(event, REQUEST), REQUEST) == event
    failed = event._replace(status=Status.FAILED, reason=Reason.REJECTED, detail="no")
    failed = failed._replace(accepted_at=None)
    assert unpack_event(pack_event(failed, REQUEST), REQUEST) == failed


@pytest.mark.parametrize("replay", [None, Replay("20261123T101500-7f3a", 2, "ada")])
@pytest.mark.parametrize("status", [Status.SENT, Status.FAILED])
def test_disclosure_comes_back(status: Status, replay: Replay | None) -> None:
    event = OutcomeEvent(
        REQUEST.id, REQUEST.account_id, status, 1_795_340_000.5, 1, ("mid-1",), "p",
        1_795_340_000.5 if status is Status.SENT else None,
        reason=None if status is Status.SENT else Reason.REJECTED,
        replay=replay, disclosure_id="mid-0",
    )  # fmt: skip
    assert unpack_event(pack_event(event, REQUEST), REQUEST) == event


@pytest.mark.parametrize("disclosure", [None, "digest"])
def test_progress_comes_back_with_its_disclosure(disclosure: str | None) -> None:
    progress = Progress(1, 1_795_340_000.5, ("mid-0",), is_republished=True, disclosure=disclosure)
    assert unpack_progress(pack_progress(progress)) == progress
