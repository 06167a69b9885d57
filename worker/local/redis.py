"""A private Redis node: a free loopback port, a folder of its own, nothing left behind."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from worker.local.child import Child
from worker.local.errors import NodeError, NodeMissingError
from worker.local.ports import LOOPBACK, free_ports
from worker.local.readiness import Sign, wait_for_sign

_START_WITHIN_S = 60.0
_STOP_WITHIN_S = 15.0
_TRIES = 4
_PORT_TAKEN = "Address already in use"
# While it loads its data it answers -LOADING.
_SIGN = Sign(b"PING\r\n", b"+PONG")
_ADVICE = (
    "If that does not say what to change: check free memory and disk, and that the Debian "
    "package redis-server is whole (`apt-get install --reinstall redis-server`)."
)


class RedisNode:
    """One node on one folder; once started, its address stays the same over restarts."""

    def __init__(self, directory: Path, *, persistence: bool) -> None:
        self.directory = directory
        self.log = directory / "node.log"
        self._persistence = persistence
        self._choose_port()

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self._port}/0"

    @property
    def pids(self) -> tuple[int, ...]:
        return () if self._server.pid is None else (self._server.pid,)

    @property
    def is_running(self) -> bool:
        return self._server.is_running

    async def start(self) -> None:
        """Return when it answers; raises NodeError with the end of its log."""
        if self.is_running:
            raise RuntimeError(f"this node runs already; its log is {self.log}")
        if not redis_is_present():
            raise NodeMissingError(
                "Redis is not installed: no redis-server on the search path. Run `make setup`, "
                "or install the Debian package redis-server."
            )
        is_known = self.log.exists()  # then clients hold its address
        for tries_left in reversed(range(_TRIES)):
            try:
                await self._start_once()
                break
            except NodeError:
                self.end_now()
                if tries_left == 0 or _PORT_TAKEN not in self._server.said():
                    raise
                if not is_known:
                    self._choose_port()

    async def stop(self) -> None:
        """Stop in order; data is kept with `persistence`. Returns when the process is gone."""
        await self._server.end(patience_s=_STOP_WITHIN_S)

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def kill(self) -> None:
        """SIGKILL the node, as a crash would; `start` brings it back."""
        self._server.kill()

    def end_now(self) -> None:
        """SIGKILL what runs, for when the data is not wanted any more."""
        self._server.kill()

    def _choose_port(self) -> None:
        (self._port,) = free_ports(1)
        self._server = Child(
            "Redis",
            (shutil.which("redis-server") or "redis-server", str(self.directory / "redis.conf")),
            environment={"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(self.directory)},
            log=self.log,
        )

    async def _start_once(self) -> None:
        self._write_configuration()
        self._server.start()
        await wait_for_sign(
            self._server, self._port, _SIGN, within_s=_START_WITHIN_S, advice=_ADVICE
        )

    def _write_configuration(self) -> None:
        lines = (
            f"bind {LOOPBACK}",
            f"port {self._port}",
            f'dir "{self.directory}"',
            "daemonize no",
            'save ""',
            f"appendonly {'yes' if self._persistence else 'no'}",
        )
        (self.directory / "redis.conf").write_text("\n".join(lines) + "\n")


def redis_is_present() -> bool:
    return shutil.which("redis-server") is not None


@contextlib.asynccontextmanager
async def private_redis(
    *, persistence: bool = False, directory: Path | None = None
) -> AsyncIterator[RedisNode]:
    """Give a node that answers, and end it however the block ends.

    `persistence` writes every change to disk, so the data survives `kill`. Without `directory`
    all is thrown away at the end. Enter it on the main thread (see child.py).
    """
    with contextlib.ExitStack() as cleanup:
        if directory is None:
            folder = tempfile.TemporaryDirectory(prefix="igsend-redis-", ignore_cleanup_errors=True)
            home = Path(cleanup.enter_context(folder))
        else:
            home = directory
        node = RedisNode(home, persistence=persistence)
        cleanup.callback(node.end_now)
        await node.start()
        yield node
        if directory is not None:
            await node.stop()
