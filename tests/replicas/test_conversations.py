"""The judge of order sees each thing that may go wrong in a conversation."""

from tests.replicas.conversations import Order, order_of
from tests.replicas.evidence import Seen

PUBLISHED = {"order-1": 1, "order-2": 2, "order-3": 3}


def a_call(
    request: str, at: float, *, part: int = 0, took: float | None = 0.5, accepted: bool = True
) -> Seen:
    answered_at = None if took is None else at + took
    return Seen("1", "2", "text", request, part, at, answered_at, accepted, 200)


def judged(*calls: Seen) -> Order:
    return order_of([calls], PUBLISHED)


def test_a_conversation_in_order_has_nothing_wrong() -> None:
    found = judged(a_call("order-1", 1), a_call("order-2", 2), a_call("order-3", 3))
    assert found == Order(1, 3, 0, 0, 0, 0, 0)


def test_a_call_before_the_answer_to_the_one_before_is_an_overlap() -> None:
    assert judged(a_call("order-1", 1, took=2.0), a_call("order-2", 2)).overlaps == 1


def test_a_call_after_one_that_was_never_answered_is_an_overlap() -> None:
    assert judged(a_call("order-1", 1, took=None), a_call("order-2", 2)).overlaps == 1


def test_a_retry_at_once_is_nothing_wrong() -> None:
    found = judged(a_call("order-1", 1, accepted=False), a_call("order-1", 2), a_call("order-2", 3))
    assert found == Order(1, 2, 0, 0, 0, 0, 0)


def test_one_that_goes_between_a_failure_and_its_retry_is_interleaved() -> None:
    found = judged(a_call("order-1", 1, accepted=False), a_call("order-2", 2), a_call("order-1", 3))
    assert (found.interleaved, found.inversions) == (1, 1)


def test_parts_out_of_order_or_missing_are_wrong() -> None:
    found = judged(
        a_call("order-1", 1, part=1),
        a_call("order-1", 2, part=0),
        a_call("order-2", 3, part=1),
        a_call("order-3", 4, part=0),
        a_call("order-3", 5, part=1),
    )
    assert found.parts_wrong == 2


def test_one_that_overtakes_shuffles_its_conversation() -> None:
    found = judged(a_call("order-2", 1), a_call("order-1", 2), a_call("order-3", 3))
    assert (found.inversions, found.shuffled) == (1, 1)
