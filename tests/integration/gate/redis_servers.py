"""Redis servers with settings of their own, and a cluster of three."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from redis.asyncio import Redis

from tests.support.nodes import require_redis
from tests.support.waiting import eventually
from worker.gate.redis.store import Store
from worker.local.child import Child
from worker.local.ports import LOOPBACK, free_ports, reply_from

SLOTS = 16384


class RedisServer:
    """Keeps its port and its folder over restarts; settings may change between them."""

    def __init__(self, folder: Path, settings: Mapping[str, str | int]) -> None:
        self.folder = folder
        self.port, self.bus_port = free_ports(2)
        self.settings = dict(settings)
        self.password: str | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._child = Child(
            "Redis",
            (shutil.which("redis-server") or "redis-server", str(folder / "redis.conf")),
            environment={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(folder)},
            log=folder / "node.log",
        )

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    async def start(self) -> None:
        """Return when it answers anything: PONG, or that it is loading or wants a password."""
        lines = {
            "bind": LOOPBACK,
            "port": self.port,
            "dir": f'"{self.folder}"',
            "save": '""',
            **({"cluster-port": self.bus_port} if "cluster-enabled" in self.settings else {}),
            **self.settings,
        }
        text = "".join(f"{name} {value}\n" for name, value in lines.items())
        (self.folder / "redis.conf").write_text(text)
        self._child.start()
        await eventually(self._answers)

    async def _answers(self) -> bool:
        assert self._child.is_running, self._child.said()
        return bool(await reply_from(self.port, b"PING\r\n"))

    def kill(self) -> None:
        self._child.kill()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """SIGSTOP it for the length of a block."""
        pid = self._child.pid
        assert pid is not None, "it runs"
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    async def do(self, *command: str | int) -> object:
        """Run a command, as an operator would."""
        async with Redis(port=self.port, password=self.password, protocol=2) as client:
            reply: object = await client.execute_command(*command)  # type: ignore[no-untyped-call]
            return reply


@asynccontextmanager
async def redis_server(folder: Path, **settings: str | int) -> AsyncIterator[RedisServer]:
    """Run a server until the block ends; _ in the names of settings stands for -."""
    require_redis()
    server = RedisServer(folder, {key.replace("_", "-"): each for key, each in settings.items()})
    try:
        await server.start()
        yield server
    finally:
        server.kill()


@asynccontextmanager
async def redis_cluster(
    folder: Path, *, with_replica: bool = False, **settings: str | int
) -> AsyncIterator[list[RedisServer]]:
    """Run three primaries with a third of the slots each; the replica is of the second one."""
    require_redis()
    named = {key.replace("_", "-"): each for key, each in settings.items()}
    options = {"cluster-enabled": "yes", "cluster-node-timeout": 2000, **named}
    count = 4 if with_replica else 3
    servers = [RedisServer(folder / f"node{number}", options) for number in range(count)]
    try:
        await asyncio.gather(*(server.start() for server in servers))
        for number, server in enumerate(servers):
            if number < 3:
                first, last = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
                await server.do("CLUSTER", "ADDSLOTSRANGE", first, last)
            for other in servers[:number]:
                await server.do("CLUSTER", "MEET", LOOPBACK, other.port, other.bus_port)
        await agreed(servers)
        if with_replica:
            await _replicate(servers[3], servers[1])
        yield servers
    finally:
        for server in servers:
            server.kill()


async def _replicate(replica: RedisServer, primary: RedisServer) -> None:
    name = await primary.do("CLUSTER", "MYID")
    assert isinstance(name, bytes)
    await replica.do("CLUSTER", "REPLICATE", name.decode())

    async def is_in_step() -> bool:
        info = await replica.do("INFO", "replication")
        return isinstance(info, dict) and info["master_link_status"] == "up"

    await eventually(is_in_step)


async def agreed(servers: Sequence[RedisServer]) -> None:
    """Wait until each node sees all slots served."""

    async def all_see_it() -> bool:
        for server in servers:
            info = await server.do("CLUSTER", "INFO")
            if "cluster_state:ok" not in str(info):
                return False
        return True

    await eventually(all_see_it)


@asynccontextmanager
async def running(store: Store, *, until_well: bool = True) -> AsyncIterator[Store]:
    """Let a store serve for the length of a block."""
    task = asyncio.create_task(store.run())
    try:
        if until_well:
            await eventually(lambda: store.trouble is None)
        yield store
        assert not task.done(), "it serves until it is cancelled"
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
