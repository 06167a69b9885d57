"""Where a scenario is played: a broker full of letters, and, if wanted, workers on a sandbox."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aio_pika

from tests.dead_letters.letters import Wanted, letters, written
from tests.dead_letters.queues import digest_of, emptied, ready
from tests.replicas.loader import a_loader
from tests.replicas.site import Ground, Plan, Site, a_site
from tests.replicas.windows import Allowed
from tests.replicas.work import account_ids
from tests.support.nodes import installation
from tests.support.waiting import eventually
from worker.core.reason import Reason
from worker.local.rabbitmq import RabbitNode, private_rabbitmq
from worker.rabbit.declare import declare
from worker.rabbit.names import Names
from worker.rabbit.topology import topology_of

# The one whose letters are replayed.
CHOSEN = 7


@dataclass(slots=True)
class Scene:
    """A broker and its dead-letter queue of refused accounts; `digests` are of all letters."""

    node: RabbitNode
    names: Names
    accounts: list[str]
    wanted: list[Wanted] = field(default_factory=list)
    digests: dict[str, bytes] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.node.amqp_url

    @property
    def queue(self) -> str:
        return self.names.dead_queue(Reason.ACCOUNT)

    @property
    def chosen(self) -> str:
        """The account to replay."""
        return self.accounts[CHOSEN % len(self.accounts)]

    @property
    def selected(self) -> list[str]:
        """The ids of its letters, in order."""
        return [each.name for each in self.wanted if each.account_id == self.chosen]

    @property
    def settings(self) -> dict[str, str]:
        """The settings that lead the tool here."""
        return {
            "IGSEND_AMQP_URL": self.url,
            "IGSEND_PREFIX": self.names.prefix,
            "IGSEND_PARTITIONS": str(self.names.partitions),
        }

    async def fill(
        self, count: int, *, claims: Mapping[int, dict[bytes, bytes]] | None = None
    ) -> None:
        """Put letters of all accounts there; `claims` are odd headers by number of letter."""
        self.wanted = list(letters(count, self.accounts))
        async with a_loader(self.url) as loader:
            chunk = []
            for each in self.wanted:
                letter = written(each, self.names, claims=(claims or {}).get(each.number))
                self.digests[each.name] = digest_of(letter.message)
                chunk.append(letter)
                if len(chunk) == 1000 or each is self.wanted[-1]:
                    await loader.post_all(chunk)
                    chunk.clear()
        await self.holds(count)

    async def holds(self, count: int, *, within_s: float = 60.0) -> None:
        """Wait until so many letters are ready."""

        async def are_there() -> bool:
            return await ready(self.url, self.queue) == count

        await eventually(are_there, within_s=within_s)

    async def wrong_with_the_rest(self, gone: set[str], *, patience_s: float = 20.0) -> list[str]:
        """Empty the queue and say where it is not what it was without those that are gone."""
        expected = [each.name for each in self.wanted if each.name not in gone]
        with suppress(TimeoutError):
            # The broker takes back what a command held a moment after the command has ended.
            await self.holds(len(expected), within_s=patience_s)
        found = await emptied(self.url, self.queue)
        troubles = []
        ids = [taken.id for taken in found]
        if ids != expected:
            lost, more = set(expected) - set(ids), set(ids) - set(expected)
            what = f"{len(lost)} lost, {len(more)} too many, {len(ids) - len(set(ids))} twice"
            troubles.append(f"the rest is not as it was: {what}; expected {len(expected)}")
            pairs = enumerate(zip(ids, expected, strict=False))
            first = next((at for at, (a, b) in pairs if a != b), None)
            if first is not None:
                troubles.append(f"from place {first} on the order is another: {ids[first]}")
        changed = [taken.id for taken in found if taken.digest != self.digests.get(taken.id)]
        if changed:
            troubles.append(f"{len(changed)} have other bytes, the first is {changed[0]}")
        return troubles


@asynccontextmanager
async def a_scene(*, accounts: int, partitions: int = 2) -> AsyncIterator[Scene]:
    """Give a broker with the topology, and nothing in it."""
    async with private_rabbitmq(installation=installation()) as node:
        names = Names("ig", partitions)
        async with await aio_pika.connect(node.amqp_url) as connection:
            assert connection.transport is not None
            await declare(connection.transport.connection, topology_of(names))
        yield Scene(node, names, account_ids(accounts))


@asynccontextmanager
async def a_scene_with_workers(
    *, accounts: int, workers: int = 2, limits: Mapping[str, Allowed] | None = None
) -> AsyncIterator[tuple[Scene, Site]]:
    """Give a broker, workers that take what is replayed, and a sandbox that keeps the evidence.

    The workers are the caller's to start: see `Site.fleet`.
    """
    plan = Plan(
        f"dead-letters-{int(time.time())}",
        workers=workers,
        accounts=account_ids(accounts),
        partitions=2,
        limits=limits or {},
        settings={"retry_base_s": "0.3", "check_after_s": "1"},
    )
    async with (
        private_rabbitmq(installation=installation()) as node,
        a_site(Ground(node.amqp_url, pids=node.pids), plan) as site,
    ):
        yield Scene(node, site.names, plan.accounts), site
