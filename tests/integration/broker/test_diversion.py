"""Accounts that flood are diverted at a real broker, and returned once they are calm."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from yarl import URL

from tests.support.builders import a_delivery, a_report, a_request
from tests.support.fakes import FakeClock
from tests.support.nodes import Broker
from tests.support.stage import Stage, a_message, a_stage, a_text
from tests.support.waiting import eventually
from worker.core.delivery import Lane
from worker.core.outcome import Postponed, Wait
from worker.core.progress import Progress
from worker.rabbit.diversion import CALM_S, FLOOD_AHEAD_S, Diversion
from worker.rabbit.wire.connection import Wire, connect

pytestmark = pytest.mark.broker

BEGAN, ENDED = "account diverted to the bulk lane", "account returned to the interactive lane"
AHEAD_S = FLOOD_AHEAD_S + 1
DIVERTED = a_delivery(lane=Lane.BULK)._replace(is_diverted=True)


@dataclass
class FakeObserver:
    told: list[str] = field(default_factory=list)

    def diversion_began(self, account_id: str, *, why: str) -> None:
        self.told.append("began")

    def diversion_ended(self, account_id: str, *, why: str) -> None:
        self.told.append("ended")

    def diversion_refused(self, *, detail: str) -> None:
        self.told.append(detail)


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    connection, wire = await connect(url, client_properties={}, timeout_s=30)
    try:
        yield wire
    finally:
        await connection.close()


async def lane_of_a_probe(stage: Stage) -> Lane:
    """Publish to the flooded account, and take the message out again where it lies."""
    await stage.publish(a_message())

    async def is_there() -> bool:
        return bool(await stage.counts())

    await eventually(is_there)
    (queue,) = await stage.counts()
    await stage.take(queue)
    return stage.names.intake[queue]


def a_flood(clock: FakeClock, diversion: Diversion) -> None:
    until = clock.now() + AHEAD_S
    report = a_report(
        Postponed(until, Wait.RATE, Progress()), request=a_request(), finished_at=clock.now()
    )
    diversion.observe(report)


async def test_new_messages_go_to_bulk_until_the_account_is_calm(broker: Broker) -> None:
    clock, observer = FakeClock(), FakeObserver()
    async with a_stage(broker, has_worker=False) as stage, wire_to(broker.amqp_url) as wire:
        diversion = Diversion(stage.names, clock, observer=observer)
        assert await lane_of_a_probe(stage) is Lane.INTERACTIVE
        a_flood(clock, diversion)
        await diversion.look(wire.connection)
        await diversion.look(wire.connection)
        assert await lane_of_a_probe(stage) is Lane.BULK
        clock.time += AHEAD_S + CALM_S
        await diversion.look(wire.connection)
        assert await lane_of_a_probe(stage) is Lane.INTERACTIVE
        assert observer.told == ["began", "ended"]


async def test_a_binding_that_nobody_remembers_is_taken_away(broker: Broker) -> None:
    clock, observer = FakeClock(), FakeObserver()
    async with a_stage(broker, has_worker=False) as stage, wire_to(broker.amqp_url) as wire:
        forgotten = Diversion(stage.names, clock, observer=observer)
        a_flood(clock, forgotten)
        await forgotten.look(wire.connection)
        diversion = Diversion(stage.names, clock, observer=observer)
        diversion.observe(
            a_report(None, request=a_request(), delivery=DIVERTED, finished_at=clock.now())
        )
        clock.time += CALM_S
        await diversion.look(wire.connection)
        assert await lane_of_a_probe(stage) is Lane.INTERACTIVE


async def test_it_ends_when_it_is_told_to_in_whatever_it_is_just_doing(broker: Broker) -> None:
    async with a_stage(broker, has_worker=False) as stage, wire_to(broker.amqp_url) as wire:
        for turns in range(60):
            clock = FakeClock()
            diversion = Diversion(stage.names, clock, observer=FakeObserver())
            a_flood(clock, diversion)
            using = asyncio.create_task(diversion.use(wire))
            for _ in range(turns):
                await asyncio.sleep(0)
            using.cancel()
            done, _ = await asyncio.wait([using], timeout=5)
            assert done, f"it goes on though it was cancelled after {turns} turns of the loop"


async def test_without_permission_the_connection_stays(broker: Broker) -> None:
    if broker.server.node is None:
        pytest.skip("only on a private node: it makes a user")
    node, clock, observer = broker.server.node, FakeClock(), FakeObserver()
    await node.control("add_user", broker.vhost, "modest")
    allowed = ("^$", "^$", ".*")
    await node.control("set_permissions", "--vhost", broker.vhost, broker.vhost, *allowed)
    url = str(URL(broker.amqp_url).with_user(broker.vhost).with_password("modest"))
    async with a_stage(broker, has_worker=False) as stage, wire_to(url) as wire:
        diversion = Diversion(stage.names, clock, observer=observer)
        a_flood(clock, diversion)
        await diversion.look(wire.connection)
        (refusal,) = observer.told
        assert "ACCESS_REFUSED" in refusal
        assert not wire.is_closed
        assert await lane_of_a_probe(stage) is Lane.INTERACTIVE


async def test_a_worker_diverts_a_flood_and_sends_each_request_once(broker: Broker) -> None:
    async with a_stage(broker, limits={"text": "10/s"}) as stage:
        early = [a_text() for _ in range(100)]
        await stage.publish(*map(a_message, early))
        await eventually(lambda: bool(stage.live.logged(BEGAN)))
        late = [a_text() for _ in range(10)]
        await stage.publish(*map(a_message, late))
        await stage.idle(sent=len(early) + len(late), within_s=60)
        outcomes = await stage.outcome_count(len(early) + len(late))
        assert sorted(o["id"] for o in outcomes) == sorted(d["id"] for d in early + late)
        lanes = {line["id"]: line["lane"] for line in stage.live.logged("request")}
        assert {lanes[document["id"]] for document in late} == {"bulk"}
        await eventually(lambda: bool(stage.live.logged(ENDED)), within_s=60)
        last = a_text()
        await stage.publish(a_message(last))
        await eventually(
            lambda: any(line["id"] == last["id"] for line in stage.live.logged("request"))
        )
        assert stage.live.logged("request")[-1]["lane"] == "interactive"


async def test_a_worker_told_so_diverts_nobody(broker: Broker) -> None:
    async with a_stage(broker, limits={"text": "5/s"}, divert="false") as stage:
        requests = [a_message() for _ in range(50)]
        await stage.publish(*requests)
        await asyncio.wait_for(stage.idle(sent=len(requests)), 60)
        assert not stage.live.logged(BEGAN)
