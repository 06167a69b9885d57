"""When an account is diverted into the bulk lane and when it is returned, by the test's clock."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from aiormq.abc import AbstractConnection
from aiormq.exceptions import ChannelAccessRefused

from tests.support.builders import ACCOUNT_ID, a_delivery, a_report, a_request
from tests.support.fakes import START, FakeClock
from tests.support.waiting import eventually
from worker.core.delivery import Delivery, Lane
from worker.core.outcome import Outcome, Postponed, Wait
from worker.core.progress import Progress
from worker.rabbit.diversion import (
    CALM_S,
    FLOOD_AHEAD_S,
    MOST_ACCOUNTS,
    REBIND_S,
    REST_S,
    Diversion,
)
from worker.rabbit.names import Names
from worker.rabbit.wire.connection import Wire

AHEAD_S = FLOOD_AHEAD_S + 1
OURS = Progress(is_republished=True)
BULK = a_delivery(lane=Lane.BULK)
DIVERTED = BULK._replace(is_diverted=True)
COPY = a_delivery(progress=OURS)


@dataclass
class FakeBroker:
    """A connection and its channels; keeps what was bound, and refuses while `refusal` is set."""

    asked: list[str] = field(default_factory=list)
    channels: int = 0
    refusal: BaseException | None = None
    is_closed: bool = False
    before_answer: Any = None

    async def channel(self, **_: object) -> "FakeBroker":
        self.channels += 1
        return self

    async def close(self) -> None: ...

    async def exchange_bind(self, **call: object) -> None:
        self._answer("bind", call)

    async def exchange_unbind(self, **call: object) -> None:
        self._answer("unbind", call)

    def _answer(self, verb: str, call: dict[str, object]) -> None:
        if self.refusal is not None:
            raise self.refusal
        if self.before_answer is not None:
            self.before_answer()
        assert (call["source"], call["destination"]) == ("ig.requests", "ig.bulk")
        self.asked.append(f"{verb} {call['routing_key']}")


@dataclass
class FakeObserver:
    told: list[str] = field(default_factory=list)

    def diversion_began(self, account_id: str, *, why: str) -> None:
        self.told.append(f"began {account_id}: {why}")

    def diversion_ended(self, account_id: str, *, why: str) -> None:
        self.told.append(f"ended {account_id}: {why}")

    def diversion_refused(self, *, detail: str) -> None:
        self.told.append(f"refused: {detail}")

    @property
    def events(self) -> list[str]:
        return [line.partition(" ")[0].rstrip(":") for line in self.told]


class World:
    """One worker's diversion, its clock and its broker."""

    def __init__(self) -> None:
        self.clock, self.broker, self.observer = FakeClock(), FakeBroker(), FakeObserver()
        self.diversion = Diversion(Names("ig", 2), self.clock, observer=self.observer)

    def see(
        self,
        ahead_s: float | None = AHEAD_S,
        *,
        delivery: Delivery | None = None,
        account_id: str = ACCOUNT_ID,
        why: Wait = Wait.RATE,
    ) -> None:
        """Have a pass end: put off for so long, or sent when that is None."""
        now = self.clock.now()
        outcome: Outcome | None = None
        if ahead_s is not None:
            outcome = Postponed(now + ahead_s, why, Progress())
        request = a_request(account_id=account_id)
        self.diversion.observe(
            a_report(outcome, request=request, delivery=delivery, finished_at=now)
        )

    async def look(self, *, after_s: float = 0.0) -> list[str]:
        """Let time pass and the worker look; give what it asked of the broker since last time."""
        self.clock.time += after_s
        await self.diversion.look(cast(AbstractConnection, self.broker))
        asked, self.broker.asked = self.broker.asked, []
        return [line.partition(" ")[0] for line in asked]


@pytest.fixture
def world() -> World:
    return World()


async def test_flood_is_bound_at_once_and_only_once(world: World) -> None:
    for _ in range(3):
        world.see()
    assert await world.look() == ["bind"]
    assert await world.look() == []
    assert world.diversion.accounts == [ACCOUNT_ID]
    assert world.observer.told == [
        f"began {ACCOUNT_ID}: a new request would wait 6 s for the account's rate"
    ]


async def test_worker_without_floods_opens_no_channel(world: World) -> None:
    world.see(None)
    assert await world.look() == []
    assert world.broker.channels == 0


@pytest.mark.parametrize(
    ("ahead_s", "delivery", "why"),
    [
        (None, None, Wait.RATE),
        (FLOOD_AHEAD_S, None, Wait.RATE),
        (AHEAD_S, None, Wait.COOLDOWN),
        (AHEAD_S, None, Wait.TURN),
        (AHEAD_S, None, Wait.NOT_BEFORE),
        (AHEAD_S, BULK, Wait.RATE),
        (AHEAD_S, COPY, Wait.RATE),
    ],
    ids=["sent", "soon", "throttled", "turn", "not before", "bulk", "our own copy"],
)
async def test_anything_else_is_no_flood(
    world: World, ahead_s: float | None, delivery: Delivery | None, why: Wait
) -> None:
    world.see(ahead_s, delivery=delivery, why=why)
    assert await world.look() == []
    assert world.diversion.accounts == []


async def test_delivery_that_is_no_request_is_of_no_account(world: World) -> None:
    outcome = Postponed(START + AHEAD_S, Wait.RATE, Progress())
    world.diversion.observe(a_report(outcome)._replace(request=None))
    assert await world.look() == []


async def test_account_is_returned_when_it_was_calm_after_the_last_due_time(world: World) -> None:
    world.see()
    await world.look()
    assert await world.look(after_s=AHEAD_S + CALM_S - 0.1) == []
    assert await world.look(after_s=0.2) == ["unbind"]
    assert world.diversion.accounts == []
    assert world.observer.events == ["began", "ended"]


@pytest.mark.parametrize(
    "delivery", [None, BULK, DIVERTED, COPY], ids=["new", "bulk", "diverted", "copy"]
)
async def test_any_request_that_waits_for_its_rate_prolongs_the_diversion(
    world: World, delivery: Delivery | None
) -> None:
    world.see()
    await world.look()
    world.clock.time += AHEAD_S + CALM_S - 1
    world.see(0.5, delivery=delivery)
    await world.look()
    assert "unbind" not in await world.look(after_s=CALM_S)
    assert await world.look(after_s=1) == ["unbind"]


async def test_requests_that_wait_for_something_else_do_not_prolong_it(world: World) -> None:
    world.see()
    await world.look()
    world.clock.time += AHEAD_S + CALM_S
    world.see(60, why=Wait.COOLDOWN)
    world.see(None, delivery=DIVERTED)
    assert await world.look() == ["unbind"]


async def test_flood_that_is_still_seen_is_bound_again_now_and_then(world: World) -> None:
    """Another worker, to whom the account looked calm, may have unbound it."""
    world.see()
    await world.look()
    asked = []
    for _ in range(100):
        world.clock.time += REBIND_S / 10
        world.see()
        asked += await world.look()
    assert asked == ["bind"] * 10
    assert world.observer.events == ["began"]


async def test_message_that_a_forgotten_binding_brought_leads_to_its_end(world: World) -> None:
    world.see(None, delivery=DIVERTED)
    assert world.diversion.accounts == [ACCOUNT_ID]
    assert await world.look() == []
    assert await world.look(after_s=CALM_S) == ["unbind"]
    assert world.observer.events == ["began", "ended"]


async def test_messages_still_on_their_way_after_the_end_are_no_new_diversion(
    world: World,
) -> None:
    world.see()
    await world.look()
    await world.look(after_s=AHEAD_S + CALM_S)
    world.see(None, delivery=DIVERTED)
    assert await world.look(after_s=CALM_S) == ["unbind"], "the binding may be another worker's"
    assert await world.look(after_s=CALM_S) == []
    assert world.observer.events == ["began", "ended"]
    assert world.diversion.accounts == []


async def test_diverted_flood_of_another_worker_is_taken_up_again(world: World) -> None:
    world.see()
    await world.look()
    await world.look(after_s=AHEAD_S + CALM_S)
    world.see(AHEAD_S, delivery=DIVERTED)
    assert await world.look(after_s=AHEAD_S + CALM_S - 0.1) == []
    assert await world.look(after_s=0.2) == ["unbind"]
    assert world.observer.events == ["began", "ended", "began", "ended"]


async def test_new_flood_right_after_the_end_is_diverted_again(world: World) -> None:
    world.see()
    await world.look()
    await world.look(after_s=AHEAD_S + CALM_S)
    world.see()
    assert await world.look() == ["bind"]
    assert world.observer.events == ["began", "ended", "began"]


async def test_flood_seen_while_it_is_being_unbound_is_bound_again(world: World) -> None:
    world.see()
    await world.look()
    world.broker.before_answer = world.see
    assert await world.look(after_s=AHEAD_S + CALM_S) == ["unbind"]
    world.broker.before_answer = None
    assert await world.look() == ["bind"]
    assert world.diversion.accounts == [ACCOUNT_ID]
    assert world.observer.events == ["began"]


async def test_refusal_is_told_once_and_not_provoked_again_for_a_while(
    world: World,
) -> None:
    world.broker.refusal = ChannelAccessRefused("ACCESS_REFUSED - access to exchange 'ig.bulk'")
    world.see()
    assert await world.look() == []
    for _ in range(9):
        world.see()
        assert await world.look(after_s=REST_S / 10) == []
    assert world.broker.channels == 1
    assert world.observer.events == ["refused"]
    assert "ACCESS_REFUSED" in world.observer.told[0]
    assert world.diversion.accounts == []

    world.broker.refusal = None
    world.clock.time += REST_S / 10
    world.see()
    assert await world.look() == ["bind"]


@pytest.mark.parametrize("error", [RuntimeError("closed"), asyncio.CancelledError()])
async def test_lost_connection_is_no_refusal(world: World, error: BaseException) -> None:
    world.see()
    world.broker.refusal, world.broker.is_closed = error, True
    assert await world.look() == []
    world.broker = FakeBroker()
    assert await world.look() == ["bind"], "over the next connection"
    assert world.observer.events == ["began"]


async def test_flood_that_could_not_be_bound_is_forgotten_when_it_is_over(
    world: World,
) -> None:
    world.broker.refusal = ChannelAccessRefused("no")
    world.see()
    await world.look()
    world.broker.refusal = None
    assert await world.look(after_s=REST_S) == []
    assert world.observer.events == ["refused"]


async def test_number_of_accounts_is_bounded(world: World) -> None:
    for number in range(MOST_ACCOUNTS):
        world.see(None, account_id=f"1784{number:06}", delivery=DIVERTED)
    world.see(None, account_id="17850", delivery=DIVERTED)
    world.see(account_id="17851")
    assert len(world.diversion.accounts) == MOST_ACCOUNTS
    assert await world.look() == []


async def test_it_works_until_the_connection_is_gone_and_wakes_for_a_flood(world: World) -> None:
    wire = Wire(cast(AbstractConnection, world.broker), cast(Any, None), cast(Any, None))
    running = asyncio.create_task(world.diversion.use(wire))
    world.see()
    await eventually(lambda: world.broker.asked == [f"bind {ACCOUNT_ID}"])
    world.broker.is_closed = True
    await asyncio.wait_for(running, 30)
