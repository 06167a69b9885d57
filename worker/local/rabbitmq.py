"""A private RabbitMQ node: free loopback ports, a folder of its own, nothing left behind."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from worker.local.child import Child
from worker.local.errors import NodeError, NodeMissingError
from worker.local.ports import LOOPBACK, free_ports
from worker.local.rabbitmq_files import Ports, environment, write_files
from worker.local.readiness import Sign, wait_for_sign

_START_WITHIN_S = 120.0
_STOP_WITHIN_S = 30.0
_TRIES = 4
_PORT_TAKEN = ("eaddrinuse", "already in use", "already_in_use", "already used", "duplicate_name")
_EPMD_SIGN = Sign(b"\x00\x01n")
_AMQP_SIGN = Sign(b"AMQP\x00\x00\x09\x01")
_HTTP_SIGN = Sign(b"GET / HTTP/1.0\r\n\r\n", b"HTTP/")
_ADVICE = (
    "If that does not say what to change: check free memory (300 MB) and disk, and that the Debian "
    "package rabbitmq-server is whole (`apt-get install --reinstall rabbitmq-server`)."
)


@dataclass(frozen=True, slots=True)
class Installation:
    """Where the server's scripts are; `command_prefix` runs them elsewhere, as `chroot DIR` does.

    The scripts of the package's lib folder, not those on the search path: those change the user
    when started by root and refuse everybody else.
    """

    lib_dir: Path = Path("/usr/lib/rabbitmq/bin")
    command_prefix: tuple[str, ...] = ()

    def command(self, program: str, *arguments: str) -> tuple[str, ...]:
        return (*self.command_prefix, str(self.lib_dir / program), *arguments)

    def epmd(self, port: int) -> tuple[str, ...]:
        return (*self.command_prefix, "epmd", "-port", str(port), "-address", LOOPBACK)

    @property
    def is_present(self) -> bool:
        """Whether the programs are there; taken for granted behind a prefix."""
        if self.command_prefix:
            return True
        scripts = ("rabbitmq-server", "rabbitmqctl")
        return shutil.which("epmd") is not None and all(
            (self.lib_dir / script).exists() for script in scripts
        )


@dataclass(frozen=True, slots=True)
class RabbitOptions:
    """How a node is to be; `settings` are lines of rabbitmq.conf and win over ours."""

    management: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    installation: Installation = field(default_factory=Installation)


class RabbitNode:
    """One node on one folder; once started, its addresses stay the same over restarts."""

    def __init__(self, directory: Path, options: RabbitOptions) -> None:
        self.directory = directory
        self.log = directory / "node.log"
        self._options = options
        self._choose_ports()

    @property
    def amqp_url(self) -> str:
        return f"amqp://guest:guest@{LOOPBACK}:{self._ports.amqp}/"

    @property
    def management_url(self) -> str | None:
        """Root of the HTTP API (user guest, password guest); None without the plugin."""
        port = self._ports.management
        return None if port is None else f"http://{LOOPBACK}:{port}"

    @property
    def pids(self) -> tuple[int, ...]:
        """The running processes: the node itself, then its name server."""
        return tuple(child.pid for child in (self._server, self._epmd) if child.pid is not None)

    @property
    def is_running(self) -> bool:
        return self._server.is_running

    async def start(self) -> None:
        """Return when it accepts AMQP connections; raises NodeError with the end of its log."""
        if self.is_running:
            raise RuntimeError(f"this node runs already; its log is {self.log}")
        if not self._options.installation.is_present:
            raise NodeMissingError(
                "RabbitMQ is not installed: no server scripts in "
                f"{self._options.installation.lib_dir}, or no epmd. Run `make setup`, or install "
                "the Debian package rabbitmq-server."
            )
        is_known = self.log.exists()  # then clients hold its addresses
        for tries_left in reversed(range(_TRIES)):
            try:
                await self._start_once()
                break
            except NodeError:
                await self.stop()
                if tries_left == 0 or not self._lost_a_port():
                    raise
                if not is_known:
                    self._choose_ports()

    async def stop(self) -> None:
        """Stop in order, keeping the data; returns when the processes are gone."""
        try:
            await self._server.end(patience_s=_STOP_WITHIN_S)
        finally:
            self._epmd.kill()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def kill(self) -> None:
        """SIGKILL the node, as a crash would; `start` brings it back with its data.

        RabbitMQ 3.10 loses a quorum queue declared less than about a second before, with all it
        holds, and never answers commands on it again: declare, then `restart`, then kill.
        """
        self._server.kill()

    def end_now(self) -> None:
        """SIGKILL everything that runs, for when the data is not wanted any more."""
        self._server.kill()
        self._epmd.kill()

    async def control(self, *arguments: str) -> str:
        """Run rabbitmqctl on this node (takes a second) and give what it printed."""
        process = await asyncio.create_subprocess_exec(
            *self._options.installation.command("rabbitmqctl", "--quiet", *arguments),
            env=environment(self.directory, self._ports),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = output.decode("utf-8", "replace").strip()
        if process.returncode != 0:
            raise NodeError(f"rabbitmqctl {arguments[0]} failed: {text}")
        return text

    def _choose_ports(self) -> None:
        amqp, distribution, epmd, management = free_ports(4)
        self._ports = Ports(
            amqp=amqp,
            distribution=distribution,
            epmd=epmd,
            management=management if self._options.management else None,
        )
        self._epmd = self._child("epmd", self._options.installation.epmd(epmd), "epmd.log")
        self._server = self._child(
            "RabbitMQ", self._options.installation.command("rabbitmq-server"), self.log.name
        )

    def _child(self, name: str, command: Sequence[str], log: str) -> Child:
        variables = environment(self.directory, self._ports)
        return Child(name, command, environment=variables, log=self.directory / log)

    async def _start_once(self) -> None:
        write_files(self.directory, self._ports, self._options.settings)
        if not self._epmd.is_running:
            # Our own, in the foreground: otherwise the node leaves a daemon behind.
            self._epmd.start()
            await self._ready(self._epmd, self._ports.epmd, _EPMD_SIGN)
        self._server.start()
        await self._ready(self._server, self._ports.amqp, _AMQP_SIGN)
        if self._ports.management is not None:
            await self._ready(self._server, self._ports.management, _HTTP_SIGN)

    async def _ready(self, child: Child, port: int, sign: Sign) -> None:
        await wait_for_sign(child, port, sign, within_s=_START_WITHIN_S, advice=_ADVICE)

    def _lost_a_port(self) -> bool:
        said = [child.said() for child in (self._server, self._epmd)]
        return any(mark in text for mark in _PORT_TAKEN for text in said)


@contextlib.asynccontextmanager
async def private_rabbitmq(
    *,
    management: bool = False,
    directory: Path | None = None,
    settings: Mapping[str, str] | None = None,
    installation: Installation | None = None,
) -> AsyncIterator[RabbitNode]:
    """Give a node that accepts connections, and end it however the block ends.

    Without `directory` its data is thrown away; a given one must be an existing folder, and its
    data is kept. Enter it on the main thread (see child.py).
    """
    options = RabbitOptions(
        management=management,
        settings=dict(settings or {}),
        installation=installation or Installation(),
    )
    with contextlib.ExitStack() as cleanup:
        if directory is None:
            folder = tempfile.TemporaryDirectory(
                prefix="igsend-rabbitmq-", ignore_cleanup_errors=True
            )
            home = Path(cleanup.enter_context(folder))
        else:
            home = directory
        node = RabbitNode(home, options)
        cleanup.callback(node.end_now)
        await node.start()
        yield node
        if directory is not None:
            await node.stop()
