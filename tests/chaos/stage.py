"""What a run is played on: nodes of its own, workers behind proxies, a sandbox that watches."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika

from tests.chaos.crew import Crew, a_crew
from tests.replicas.site import Gate, Ground, Plan, Site, a_site
from tests.replicas.work import account_ids
from tests.support.nodes import installation
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from worker.local.rabbitmq import RabbitNode, private_rabbitmq
from worker.local.redis import RedisNode

# A partition that gets nothing: its queue can be deleted without the test itself losing requests.
SPARE = -1
# The worker must notice a silent broker while a run lasts; in life it takes three times as long.
_HEARTBEAT_S = 5
_SETTINGS: Mapping[str, str] = {
    # The queues are there, and a worker that declared them would bind the spare one again.
    "declare": "false",
    "retry_base_s": "0.3",
    "retry_longest_s": "5",
    "check_after_s": "1.5",
    "text_timeout_s": "4",
    "media_timeout_s": "6",
    "connect_timeout_s": "2",
    "drain_s": "15",
}


@dataclass(frozen=True, slots=True)
class Roads:
    """The ways from the workers to what they talk to; the test itself goes directly."""

    broker: TcpProxy
    redis: TcpProxy | None
    api: TcpProxy

    def named(self, name: str) -> TcpProxy:
        road = {"broker": self.broker, "redis": self.redis, "api": self.api}[name]
        assert road is not None, "this gate has a Redis"
        return road


@dataclass(slots=True)
class Stage:
    """Everything faults act on. `declared_at` is when a queue was declared last (unix seconds)."""

    rabbit: RabbitNode
    site: Site
    roads: Roads
    crew: Crew
    declared_at: float

    @property
    def redis(self) -> RedisNode:
        assert self.site.redis is not None, "this gate has a Redis"
        return self.site.redis

    @property
    def spare_queue(self) -> str:
        return self.site.names.send_queues[SPARE]

    async def unready(self) -> int:
        """Count the workers that say they are ready: while something is away, that is a lie."""
        return sum(probe.is_ready for probe in await self.crew.fleet.ready())


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: how many workers on which gate, for which accounts."""

    workers: int = 3
    accounts: int = 20
    gate: Gate = "redis"
    folder: Path | None = None


@asynccontextmanager
async def a_stage(cast: Cast) -> AsyncIterator[Stage]:
    """Set everything up; the site's evidence is there when the block has ended."""
    plan = Plan(
        "chaos",
        workers=cast.workers,
        accounts=account_ids(cast.accounts),
        gate=cast.gate,
        partitions=5,
        settings=_SETTINGS,
    )
    async with private_rabbitmq(installation=installation()) as rabbit:
        ground = Ground(rabbit.amqp_url, pids=rabbit.pids, folder=cast.folder)
        async with a_site(ground, plan) as site:
            await site.admin("PUT", "settings", {"strict": True})
            await _spare_one_queue(site)
            # A queue that has just been declared does not survive a crash of RabbitMQ 3.10.
            await rabbit.restart()
            async with (
                _roads(site) as (roads, settings),
                a_crew(cast.workers, settings, site.folder) as crew,
            ):
                yield Stage(rabbit, site, roads, crew, time.time())


async def _spare_one_queue(site: Site) -> None:
    async with await aio_pika.connect(site.ground.amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(site.names.send_queues[SPARE], ensure=False)
        await queue.unbind(site.names.spread, routing_key="1")


@asynccontextmanager
async def _roads(site: Site) -> AsyncIterator[tuple[Roads, dict[str, str]]]:
    """Lay the roads, and give the settings that lead the workers over them."""
    settings = site.settings()
    async with (
        _road(site.ground.amqp_url) as (broker, amqp_url),
        _road(site.sandbox_url) as (api, graph_url),
    ):
        settings["IGSEND_AMQP_URL"] = f"{amqp_url}?heartbeat={_HEARTBEAT_S}"
        settings["IGSEND_GRAPH_URL"] = graph_url
        if site.redis is None:
            yield Roads(broker, None, api), settings
            return
        async with _road(site.redis.url) as (redis, settings["IGSEND_GATE_URL"]):
            yield Roads(broker, redis, api), settings


@asynccontextmanager
async def _road(url: str) -> AsyncIterator[tuple[TcpProxy, str]]:
    parts = urlsplit(url)
    assert parts.hostname is not None, "a node's own URL"
    assert parts.port is not None, "a node's own URL"
    async with tcp_proxy(parts.hostname, parts.port) as road:
        netloc = parts.netloc.replace(f":{parts.port}", f":{road.port}")
        yield road, parts._replace(netloc=netloc).geturl()
