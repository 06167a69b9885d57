"""What could be sent now: everybody's work counts, what one account's limit holds back does not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import NOW, a_delivery, a_report, a_request
from tests.support.fakes import FakeClock
from worker.core.delivery import Lane
from worker.core.outcome import Dead, Outcome, Postponed, Wait
from worker.core.progress import Progress
from worker.core.reason import Reason
from worker.core.sendable import HELD_AT_MOST_S, Depth, InHand, Standing
from worker.telemetry.backlog import SendableBacklog

QUEUE, OTHER = "ig.send.v1.00", "ig.bulk.v1"
HOT = "17841400000000001"
FLOODED = Postponed(NOW + 300, Wait.RATE, Progress())
EVERY_ENDING = (
    None,
    FLOODED,
    Postponed(NOW + 2, Wait.RATE, Progress()),
    Postponed(NOW + 2, Wait.TURN, Progress()),
    Postponed(NOW + 60, Wait.TURN, Progress()),
    Postponed(NOW + 60, Wait.COOLDOWN, Progress()),
    Dead(Reason.ACCOUNT, "closed", Progress()),
)


class Scene:
    """A worker without anything; `look` is what happens all the time."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.clock.time = NOW
        self.hands: list[InHand] = []
        self.backlog = SendableBacklog(lambda: self.hands, self.clock)

    def holds(
        self, standing: Standing, count: int = 1, *, account_id: str = HOT, queue: str = QUEUE
    ) -> None:
        request = a_request(account_id=account_id)
        since = self.clock.time
        self.hands += [InHand(queue, standing, since, request, Lane.INTERACTIVE)] * count

    def ended(
        self,
        outcome: Outcome | None = None,
        count: int = 1,
        *,
        account_id: str = HOT,
        person: str = "6001",
        lane: Lane = Lane.INTERACTIVE,
    ) -> None:
        """Passes end with one call each, or with `outcome` and none."""
        request = a_request(account_id=account_id, recipient={"id": person})
        report = a_report(
            outcome,
            request=request,
            delivery=a_delivery(queue=QUEUE, lane=lane),
            finished_at=self.clock.time,
            api_calls=0 if outcome else 1,
        )
        for _ in range(count):
            self.backlog.observe(report)

    def look(self, ready: int, *, consumers: int = 1, queue: str = QUEUE) -> float:
        self.backlog.looked({queue: Depth(ready, consumers)})
        self.clock.time += 2
        return self.sendable

    @property
    def sendable(self) -> float:
        return self.backlog.shown()[0]

    @property
    def age_s(self) -> float:
        return self.backlog.shown()[1]


def test_nothing_to_do_is_an_explicit_zero() -> None:
    scene = Scene()
    assert (scene.sendable, scene.age_s) == (0, 0)
    assert scene.look(0) == 0


@pytest.mark.parametrize(
    ("standing", "counts"),
    [
        (Standing.CALLING, True),
        (Standing.NEXT, True),
        (Standing.UNASKED, True),
        (Standing.HELD, False),
        (Standing.DONE, False),
    ],
)
def test_in_hand_counts_what_is_called_and_what_waits_for_a_place(
    standing: Standing, counts: bool
) -> None:
    scene = Scene()
    scene.holds(standing, 3)
    assert scene.sendable == (3 if counts else 0)


def test_one_look_alone_is_no_backlog_and_two_are() -> None:
    scene = Scene()
    assert scene.look(500) == 0, "it may be read a moment later"
    assert scene.look(480) == 480
    assert scene.look(0) == 0


def test_worker_tells_of_its_share_so_that_all_workers_together_tell_of_the_whole() -> None:
    scene = Scene()
    scene.look(400, consumers=4)
    assert scene.look(400, consumers=4) == 100


def test_backlog_of_many_accounts_that_all_go_counts_in_full() -> None:
    scene = Scene()
    scene.look(900)
    for number in range(100):
        scene.ended(account_id=str(17841400000000100 + number))
    assert scene.look(800) == 800


def test_flood_of_one_account_is_none_though_some_of_it_goes_all_the_time() -> None:
    scene = Scene()
    scene.look(50_000)
    scene.ended(FLOODED, 1000)
    scene.ended(count=100)
    scene.holds(Standing.UNASKED, 60)
    scene.holds(Standing.CALLING, 20)
    assert scene.look(48_000) == 20, "calls under way promise nothing for the rest"
    assert scene.look(46_000) == 20


def test_what_a_flood_sent_before_its_limit_was_reached_is_no_promise() -> None:
    scene = Scene()
    scene.ended(count=50)
    scene.ended(Postponed(NOW + 3, Wait.RATE, Progress()), 400)
    scene.look(50_000)
    scene.ended(Postponed(NOW + 4, Wait.RATE, Progress()), 50)
    scene.ended(FLOODED, 1000)
    assert scene.look(48_000) == 0


def test_flood_does_not_hide_the_others_in_its_queue() -> None:
    scene = Scene()
    scene.look(1000)
    scene.ended(FLOODED, 300)
    scene.ended(count=100, account_id="17841400000000002")
    assert scene.look(1000) == 250


def test_flood_of_one_conversation_is_none_and_others_of_its_account_count() -> None:
    scene = Scene()
    scene.look(1000)
    scene.ended(Postponed(NOW + 300, Wait.TURN, Progress()), 90, person="6001")
    scene.ended(count=10, person="6001")
    scene.ended(count=100, person="6002")
    assert scene.look(1000) == 500


def test_bulk_of_an_account_at_its_limit_does_not_hold_its_replies() -> None:
    scene = Scene()
    scene.ended(FLOODED, lane=Lane.BULK)
    scene.holds(Standing.UNASKED)
    assert scene.sendable == 1


def test_short_wait_for_a_limit_holds_nobody() -> None:
    scene = Scene()
    scene.look(1000)
    for account_id in (HOT, "17841400000000002", "17841400000000003"):
        scene.ended(Postponed(NOW + 4, Wait.RATE, Progress()), 100, account_id=account_id)
    assert scene.look(1000) == 1000


def test_who_is_put_off_and_makes_up_most_of_all_floods() -> None:
    scene = Scene()
    scene.look(1000)
    scene.ended(Postponed(NOW + 4, Wait.RATE, Progress()), 60)
    scene.ended(count=40, account_id="17841400000000002")
    scene.holds(Standing.CALLING, 10)
    assert scene.look(1100) == 400 + 10, "400 of the other, and 10 calls of its own"


def test_only_account_that_is_never_put_off_counts_in_full() -> None:
    scene = Scene()
    scene.look(1000)
    scene.ended(count=100)
    assert scene.look(1000) == 1000


def test_account_counts_again_when_its_limit_holds_it_no_more() -> None:
    scene = Scene()
    scene.ended(FLOODED)
    scene.holds(Standing.UNASKED)
    assert scene.sendable == 0
    scene.clock.time += HELD_AT_MOST_S
    assert scene.sendable == 1
    scene.look(10)
    assert scene.sendable == 1


def test_closed_accounts_and_what_is_no_request_are_no_backlog() -> None:
    scene = Scene()
    scene.look(1000)
    scene.ended(Dead(Reason.ACCOUNT, "closed", Progress()), 50)
    invalid = a_report(Dead(Reason.INVALID, "no JSON", Progress()), api_calls=0)
    for _ in range(50):
        scene.backlog.observe(invalid._replace(request=None))
    assert scene.look(1000) == 0


def test_what_is_moved_to_the_bulk_lane_counts_as_held() -> None:
    scene = Scene()
    scene.look(1000)
    for _ in range(75):
        scene.backlog.moved(QUEUE)
    scene.ended(count=25)
    assert scene.look(1000) == 250


def test_what_waits_in_hand_tells_of_a_queue_that_nothing_was_read_from() -> None:
    scene = Scene()
    scene.look(1000)
    scene.holds(Standing.HELD, 30)
    scene.holds(Standing.CALLING, 10)
    scene.holds(Standing.DONE, 5)
    assert scene.look(1000) == 10 + 250


def test_what_was_read_long_ago_is_forgotten() -> None:
    scene = Scene()
    scene.look(1000)
    scene.ended(FLOODED, 64)
    scene.look(1000)
    for _ in range(20):
        scene.look(1000)
    assert scene.sendable == 1000


def test_without_a_broker_only_what_is_in_hand_is_known() -> None:
    scene = Scene()
    scene.look(1000)
    scene.look(1000)
    scene.holds(Standing.NEXT)
    scene.backlog.looked({})
    assert scene.sendable == 1
    assert scene.look(1000) == 1, "one look alone, again"


def test_queues_add_up() -> None:
    scene = Scene()
    for _ in range(2):
        scene.backlog.looked({QUEUE: Depth(10, 1), OTHER: Depth(20, 2)})
    assert scene.sendable == 20


def test_age_is_that_of_the_head_of_a_queue_or_of_who_waits_for_a_place() -> None:
    scene = Scene()
    scene.look(1000)
    scene.look(900)
    assert scene.age_s == 4
    scene.holds(Standing.CALLING)
    scene.clock.time += 10
    assert scene.age_s == 14
    scene.backlog.looked({})
    assert scene.age_s == 0, "a call under way waits for nobody"
    scene.holds(Standing.NEXT)
    scene.clock.time += 3
    assert scene.age_s == 3


def test_flood_has_no_age() -> None:
    scene = Scene()
    scene.look(1000)
    scene.ended(FLOODED, 100)
    scene.look(900)
    scene.look(900)
    assert scene.age_s == 0


def test_head_moves_on_as_all_workers_read() -> None:
    scene = Scene()
    scene.look(100, consumers=2)
    scene.ended(count=50, account_id="17841400000000002")
    scene.look(100, consumers=2)
    scene.look(100, consumers=2)
    assert scene.age_s == 4, "both workers together have read the first hundred"


def test_lines_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.telemetry.backlog._MOST_LINES", 1)
    scene = Scene()
    for account_id in (HOT, "17841400000000002"):
        scene.ended(FLOODED, account_id=account_id)
        scene.holds(Standing.UNASKED, account_id=account_id)
    assert scene.sendable == 1


def test_what_is_shown_is_looked_at_once_a_second() -> None:
    scene = Scene()
    assert scene.backlog.lately() == (0, 0)
    scene.holds(Standing.CALLING)
    scene.clock.time += 0.5
    assert scene.backlog.lately() == (0, 0)
    scene.clock.time += 0.5
    assert scene.backlog.lately() == (1, 0)


def test_part_of_a_worker_that_has_just_come_is_told_by_the_others_until_it_can() -> None:
    scene = Scene()
    scene.look(400, consumers=1)
    assert scene.look(400, consumers=1) == 400
    assert scene.look(400, consumers=4) == 400
    assert scene.look(400, consumers=4) == 100
    assert scene.look(400, consumers=2) == 100
    assert scene.look(400, consumers=2) == 200, "those that went no longer tell of theirs"


COUNTS = st.integers(0, 200)
STEPS = st.one_of(
    st.tuples(st.just("look"), COUNTS, st.integers(0, 5)),
    st.tuples(st.just("ended"), st.sampled_from(EVERY_ENDING), st.integers(0, 3)),
    st.tuples(st.just("holds"), st.sampled_from(Standing), st.integers(0, 3)),
    st.tuples(st.just("lets go"), COUNTS, COUNTS),
    st.tuples(st.just("moved"), COUNTS, COUNTS),
    st.tuples(st.just("lost"), COUNTS, COUNTS),
)


@given(st.lists(STEPS, max_size=60))
def test_whatever_happens_it_is_a_number_between_nothing_and_everything(
    steps: list[tuple[str, Any, int]],
) -> None:
    scene, ready = Scene(), 0
    for verb, what, number in steps:
        account_id = str(17841400000000001 + number)
        match verb:
            case "look":
                ready = what
                scene.look(ready, consumers=number)
            case "ended":
                scene.ended(what, account_id=account_id)
            case "holds":
                scene.holds(what, account_id=account_id)
            case "lets go":
                scene.hands.clear()
            case "moved":
                scene.backlog.moved(QUEUE)
            case _:
                scene.backlog.looked({})
        assert 0 <= scene.sendable <= len(scene.hands) + ready
        assert scene.age_s >= 0


def test_who_has_just_come_tells_of_no_more_than_its_part() -> None:
    scene = Scene()
    scene.look(400, consumers=1)
    assert scene.look(400, consumers=4) == 100
