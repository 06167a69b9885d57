"""Everything a scenario runs on: a broker, a Redis, a sandbox that watches, and the settings."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import aio_pika

from tests.replicas import evidence, work
from tests.replicas.evidence import Evidence
from tests.replicas.fleet import Fleet, a_fleet
from tests.replicas.windows import Allowed
from tests.support.commands import environment, said
from tests.support.http_calls import call
from worker.local.child import Child
from worker.local.redis import RedisNode, private_redis
from worker.rabbit.declare import declare
from worker.rabbit.names import Names
from worker.rabbit.topology import topology_of

Gate = Literal["redis", "memory"]

ROOT = Path(__file__).absolute().parents[2]
_WRITE_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Ground:
    """Where a scenario is played: a broker on which the names under `prefix` are free.

    `pids` are the broker's processes if they are ours; logs and evidence stay in `folder` if there
    is one.
    """

    amqp_url: str
    prefix: str = "ig"
    pids: tuple[int, ...] = ()
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a scenario needs. `settings` are names of IGSEND_ settings without that prefix."""

    name: str
    workers: int
    accounts: list[str]
    limits: Mapping[str, Allowed] = field(default_factory=dict)
    gate: Gate = "redis"
    persistence: bool = True
    partitions: int = 8
    keep: int = 200_000
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Site:
    """A set-up without workers yet; `seen` is there once the block of `a_site` has ended.

    `gate_url` may be set to lead the workers to the Redis by another road.
    """

    plan: Plan
    ground: Ground
    names: Names
    folder: Path
    sandbox: Child
    sandbox_url: str
    redis: RedisNode | None
    gate_url: str
    seen: Evidence | None = None

    @property
    def evidence(self) -> Evidence:
        assert self.seen is not None, "the sandbox writes its evidence when it ends"
        return self.seen

    def fleet(self, *, is_drained: bool = True) -> contextlib.AbstractAsyncContextManager[Fleet]:
        """Start the workers of the plan."""
        return a_fleet(self.plan.workers, self.settings(), self.folder, is_drained=is_drained)

    def settings(self) -> dict[str, str]:
        """Give the settings of each worker."""
        plan = self.plan
        return {
            "IGSEND_AMQP_URL": self.ground.amqp_url,
            "IGSEND_GATE_URL": self.gate_url,
            "IGSEND_GRAPH_URL": self.sandbox_url,
            "IGSEND_ACCOUNTS": str(self.folder / "accounts.json"),
            "IGSEND_PREFIX": self.ground.prefix,
            "IGSEND_PARTITIONS": str(plan.partitions),
            "IGSEND_ALLOW_OTHER_CONSUMERS": "true",
            "IGSEND_HTTP_HOST": "127.0.0.1",
            "IGSEND_HTTP_PORT": "0",
            "IGSEND_LOG_FORMAT": "json",
            **{f"IGSEND_{name.upper()}": value for name, value in plan.settings.items()},
        }

    def groups(self, fleet: Fleet) -> dict[str, list[int]]:
        """Give the processes by what they are, for `usage_of`."""
        return {
            "workers": fleet.pids,
            "sandbox": [self.sandbox.pid] if self.sandbox.pid else [],
            "rabbitmq": list(self.ground.pids),
            "redis": list(self.redis.pids) if self.redis else [],
            "harness": [os.getpid()],
        }

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Call an endpoint of the sandbox's own, which must answer 200."""
        answer = await call(method, f"{self.sandbox_url}/_sandbox/{path}", body)
        assert answer.status == 200, answer.text
        return answer.json

    async def accepted(self) -> int:
        """Count what was accepted so far."""
        return int((await self.admin("GET", "stats"))["last_message_seq"])


@asynccontextmanager
async def a_site(ground: Ground, plan: Plan) -> AsyncIterator[Site]:
    """Start sandbox and Redis, declare the topology, and read the evidence when the block ends."""
    async with AsyncExitStack() as stack:
        if ground.folder is None:
            home = Path(stack.enter_context(TemporaryDirectory(prefix="igsend-replicas-")))
        else:
            home = ground.folder / plan.name
            home.mkdir(parents=True)
        _write_accounts(home, plan)
        redis = None
        if plan.gate == "redis":
            redis = await stack.enter_async_context(private_redis(persistence=plan.persistence))
        sandbox = _sandbox(home, plan)
        stack.callback(sandbox.kill)
        sandbox.start()
        url = (await said(sandbox, r"url=(http://\S+)"))[1]
        names = Names(ground.prefix, plan.partitions)
        await _declare(ground.amqp_url, names)
        # Several workers on memory:// know nothing of each other: for comparison only.
        gate_url = "memory://" if redis is None else redis.url
        site = Site(plan, ground, names, home, sandbox, url, redis, gate_url)
        yield site
        await sandbox.end(patience_s=_WRITE_WITHIN_S)
        assert sandbox.exit_code == 0, sandbox.said()
        site.seen = await asyncio.to_thread(evidence.read, home / "evidence.jsonl")


def _write_accounts(home: Path, plan: Plan) -> None:
    tokens = {account_id: work.token_of(account_id) for account_id in plan.accounts}
    for name, content in (
        ("accounts.json", work.accounts_document(plan.accounts, plan.limits)),
        ("tokens.json", tokens),
    ):
        (home / name).touch(mode=0o600)
        (home / name).write_text(json.dumps(content))


def _sandbox(home: Path, plan: Plan) -> Child:
    files = [str(home / "tokens.json"), str(home / "evidence.jsonl"), str(plan.keep)]
    return Child(
        "sandbox",
        [sys.executable, "-m", "tests.replicas.sandbox_process", *files],
        environment=environment({"PYTHONPATH": str(ROOT)}),
        log=home / "sandbox.log",
    )


async def _declare(amqp_url: str, names: Names) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        assert connection.transport is not None
        await declare(connection.transport.connection, topology_of(names))
