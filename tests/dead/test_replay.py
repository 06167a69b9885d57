"""A replay takes a letter out when the broker has its copy, and stops when the first go badly."""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import pytest

from tests.dead.letters import FakeDeliveries, a_letter
from tests.support.builders import ACCOUNT_ID, a_document
from tests.support.waiting import eventually
from worker.core.delivery import Properties
from worker.dead.letter import Letter
from worker.dead.order import Going, Order, Skipped, Why
from worker.dead.outcomes import Outcomes
from worker.dead.replay import MOST_EXAMPLES, Replayer, Stopped, Tally
from worker.rabbit.wire.confirms import Confirms, Nacked, Unroutable
from worker.rabbit.wire.properties import header_of

BATCH = "20261123T101500-7f3a"


class FakeConfirms:
    """Answers each publish as told, by its number from 1; the rest are taken at once."""

    def __init__(self, answers: dict[int, Exception | None] | None = None) -> None:
        self.published: list[str] = []
        self.waiting: dict[int, asyncio.Future[None]] = {}
        self._answers = answers or {}

    def publish(
        self, exchange: str, routing_key: str, header: object, body: bytes, *, is_mandatory: bool
    ) -> asyncio.Future[None]:
        assert (exchange, routing_key, is_mandatory) == ("ig.bulk", ACCOUNT_ID, True)
        self.published.append(body.decode())
        number = len(self.published)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if number not in self._answers:
            future.set_result(None)
        elif (error := self._answers[number]) is not None:
            future.set_exception(error)
        else:
            self.waiting[number] = future
        return future


class Desk:
    """A replayer and everything around it; letters are named by their ids."""

    def __init__(
        self,
        *,
        answers: dict[int, Exception | None] | None = None,
        stays: Iterable[str] = (),
        is_one_by_one: bool = False,
        **order: Any,
    ) -> None:
        self.confirms = FakeConfirms(answers)
        self.deliveries = FakeDeliveries()
        self.outcomes = Outcomes(BATCH)
        self.tally = Tally(100)
        self._stays = set(stays)
        self._tag = 0
        self.replayer = Replayer(
            Order(BATCH, "ada", **{"patience_s": 0.01, **order}),
            self._decide,
            cast(Confirms, self.confirms),
            self.outcomes,
            self.tally,
            is_one_by_one=is_one_by_one,
        )

    def _decide(self, letter: Letter) -> Going | Skipped:
        name = letter.id or ""
        if name in self._stays:
            return Skipped(Why.INVALID, "not today")
        return Going(name, ACCOUNT_ID, "ig.bulk", header_of(Properties(), {}), name.encode())

    async def put_back(self, *names: str) -> None:
        for name in names:
            self._tag += 1
            letter = a_letter(a_document(id=name), tag=self._tag, deliveries=self.deliveries)
            await self.replayer.put_back(letter)

    def announce(self, *names: str, status: str = "sent") -> None:
        self.outcomes.status |= dict.fromkeys(names, status)


async def test_letter_is_taken_out_when_the_broker_has_its_copy_and_not_before() -> None:
    desk = Desk(answers={1: None})
    await desk.put_back("a", "b")
    assert desk.confirms.published == ["a", "b"]
    assert desk.deliveries.settled == []
    desk.confirms.waiting[1].set_result(None)
    await desk.replayer.finish()
    assert desk.deliveries.settled == [1, 2]
    assert (desk.tally.replayed, desk.tally.left) == (2, 98)


@pytest.mark.parametrize("refusal", [Unroutable(), Nacked()])
async def test_refused_letter_stays_and_each_other_is_in_one_place(refusal: Exception) -> None:
    desk = Desk(answers={2: refusal})
    await desk.put_back("a", "b", "c")
    with pytest.raises(Stopped, match="RabbitMQ does not take the requests"):
        await desk.replayer.finish()
    assert desk.deliveries.settled == [1, 3]
    assert desk.tally.replayed == 2


async def test_letter_that_stays_is_counted_and_named() -> None:
    desk = Desk(stays=["b"])
    await desk.put_back("a", "b")
    await desk.replayer.finish()
    assert desk.deliveries.settled == [1]
    assert desk.tally.skipped == {"invalid": 1}
    assert desk.tally.examples == ["b: not today"]


async def test_of_many_that_stay_the_first_are_named() -> None:
    names = [str(number) for number in range(MOST_EXAMPLES + 5)]
    desk = Desk(stays=names)
    await desk.put_back(*names)
    assert len(desk.tally.examples) == MOST_EXAMPLES
    assert desk.tally.skipped.total() == MOST_EXAMPLES + 5


async def test_broker_that_stalls_does_not_get_more_at_once_than_the_rate_allows() -> None:
    desk = Desk(answers={1: None, 2: None}, rate_per_s=10.0)
    going = asyncio.ensure_future(desk.put_back("a", "b", "c"))
    await eventually(lambda: len(desk.confirms.published) == 2)
    assert not going.done()
    desk.confirms.waiting[1].set_result(None)
    await eventually(lambda: len(desk.confirms.published) == 3)
    desk.confirms.waiting[2].set_result(None)
    await going
    assert desk.confirms.published == ["a", "b", "c"]


async def test_limit_counts_what_goes() -> None:
    desk = Desk(stays=["a"], limit=1)
    await desk.put_back("a")
    assert not desk.replayer.is_done
    await desk.put_back("b")
    assert desk.replayer.is_done


async def test_nothing_more_goes_until_the_canary_has_its_outcomes() -> None:
    desk = Desk(canary=2, patience_s=60.0)
    going = asyncio.ensure_future(desk.put_back("a", "b", "c"))
    await eventually(lambda: len(desk.deliveries.settled) == 2)
    assert desk.confirms.published == ["a", "b"]
    desk.announce("a", "b")
    desk.outcomes.news.set()
    await going
    assert desk.confirms.published == ["a", "b", "c"]


async def test_batches_double_while_it_goes_well() -> None:
    names = [str(number) for number in range(14)]
    desk = Desk(canary=2)
    desk.announce(*names)
    judged: list[int] = []
    for name in names:
        before = desk.tally.outcomes.total()
        await desk.put_back(name)
        if (now := desk.tally.outcomes.total()) > before:
            judged.append(now - before)
    assert judged == [2, 4, 8]


@pytest.mark.parametrize(
    ("failed", "share", "stops"),
    [(2, 0.2, False), (3, 0.2, True), (1, 0.0, True), (10, 1.0, False)],
)
async def test_replay_stops_when_a_larger_share_fails_than_may(
    *, failed: int, share: float, stops: bool
) -> None:
    names = [str(number) for number in range(10)]
    desk = Desk(canary=10, most_failures=share)
    desk.announce(*names)
    desk.announce(*names[:failed], status="failed")
    if stops:
        with pytest.raises(Stopped, match=f"{failed} of 10 requests failed, .* more than"):
            await desk.put_back(*names)
    else:
        await desk.put_back(*names)
    assert desk.tally.outcomes == {
        status: count for status, count in (("sent", 10 - failed), ("failed", failed)) if count
    }


async def test_last_batch_is_judged_although_it_is_not_full() -> None:
    desk = Desk(canary=10)
    desk.announce("a", status="failed")
    await desk.put_back("a")
    with pytest.raises(Stopped, match="1 of 1 requests failed"):
        await desk.replayer.finish()


async def test_replay_stops_when_outcomes_do_not_come_and_says_which() -> None:
    desk = Desk(canary=2)
    desk.announce("a")
    with pytest.raises(Stopped, match=r"1 of 2 requests had no outcome .*\(b\).*igsend why"):
        await desk.put_back("a", "b")
    assert desk.deliveries.settled == [1, 2], "they went: a rerun must not send them again"


async def test_two_copies_of_a_letter_have_one_outcome() -> None:
    desk = Desk(canary=2)
    desk.announce("a", "b")
    await desk.put_back("a", "a", "b")
    assert desk.tally.outcomes == {"sent": 2}


async def test_suspects_go_one_by_one_and_a_failure_is_no_reason_to_stop() -> None:
    desk = Desk(is_one_by_one=True, canary=10)
    desk.announce("a", "b", status="failed")
    await desk.put_back("a", "b")
    assert desk.tally.outcomes == {"failed": 2}
    with pytest.raises(Stopped, match="1 of 1 requests had no outcome"):
        await desk.put_back("c", "d")
    assert desk.confirms.published == ["a", "b", "c"]


async def test_who_is_told_to_end_takes_out_what_the_broker_has() -> None:
    desk = Desk(answers={2: Nacked()})
    await desk.put_back("a", "b", "c")
    await desk.replayer.let_go()
    assert desk.deliveries.settled == [1, 3]
