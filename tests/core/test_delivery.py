"""What a delivery says of itself before its body is read."""

from tests.support.builders import a_delivery
from worker.core.problem import Problem
from worker.core.progress import Progress


def test_unreadable_progress_counts_as_none() -> None:
    assert a_delivery(progress=Problem("", "unreadable")).known_progress == Progress()
    assert a_delivery(progress=Progress(attempts=3)).known_progress.attempts == 3


def test_reply_address_is_where_and_under_which_correlation() -> None:
    delivery = a_delivery(reply_to="producer.replies", correlation_id="7")
    assert delivery.reply_address == ("producer.replies", "7")
    assert a_delivery(reply_to="producer.replies").reply_address == ("producer.replies", None)


def test_without_reply_to_there_is_no_reply_address() -> None:
    assert a_delivery(correlation_id="7").reply_address is None
    assert a_delivery(reply_to="", correlation_id="7").reply_address is None
