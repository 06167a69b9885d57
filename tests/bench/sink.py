"""The far end: a private nginx with one worker that accepts every POST at once."""

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.support.commands import environment
from worker.local.child import Child
from worker.local.errors import NodeMissingError
from worker.local.ports import LOOPBACK, free_ports
from worker.local.readiness import Sign, wait_for_sign

_SIGN = Sign(b"GET /status HTTP/1.0\r\n\r\n", b"HTTP/1.1 200")
_ADVICE = "Is the Debian package nginx whole?"
_REQUESTS = re.compile(r"^ \d+ \d+ (\d+)", re.MULTILINE)
# One process without a master; a kept connection is never closed, so nobody pays for new ones.
# The log tells first and last POST; written in blocks it costs under a microsecond each.
_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    log_format accepted '$msec $request_method $status';
    client_body_temp_path {folder}/client; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    tcp_nodelay on;
    server {{
        listen {host}:{port} backlog=4096;
        location = /status {{ stub_status; access_log off; }}
        location / {{
            access_log {folder}/accepted.log accepted buffer=64k flush=100ms;
            default_type application/json;
            return 200 '{{"recipient_id":"6000000001","message_id":"$request_id"}}';
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the log of a run says: how many POSTs, and when the first and the last came."""

    count: int
    first: float
    last: float

    @property
    def elapsed_s(self) -> float:
        return self.last - self.first


@dataclass(slots=True)
class Sink:
    """A running nginx; `session` asks it how far a worker is."""

    url: str
    pid: int
    _log: Path
    _session: aiohttp.ClientSession
    _asked: int = field(default=0)
    _start: int = field(default=0)
    _log_start: int = field(default=0)

    async def begin(self) -> None:
        """Count from here."""
        self._log_start = self._log.stat().st_size
        self._asked, self._start = 0, await self._requests()
        self._asked = 0

    async def accepted(self) -> int:
        """Say how many requests came since `begin`, our own questions excepted."""
        return await self._requests() - self._start - self._asked

    def logged(self) -> Accepted:
        """Read the log since `begin`; only after its buffer was flushed."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return accepted_in(log.read().decode())

    async def _requests(self) -> int:
        async with self._session.get(f"{self.url}/status") as answer:
            text = await answer.text()
        self._asked += 1
        found = _REQUESTS.search(text)
        assert found is not None, text
        return int(found[1])


def accepted_in(log: str) -> Accepted:
    """Count the accepted POSTs in lines like `1700000000.123 POST 200`; others are an error."""
    moments = []
    for line in log.splitlines():
        moment, method, status = line.split()
        if (method, status) != ("POST", "200"):
            raise ValueError(f"the sink saw a {method} and answered {status}")
        moments.append(float(moment))
    if not moments:
        return Accepted(0, 0.0, 0.0)
    return Accepted(len(moments), min(moments), max(moments))


@asynccontextmanager
async def a_sink(folder: Path) -> AsyncIterator[Sink]:
    """Start nginx in a folder of its own on a free loopback port."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise NodeMissingError("nginx is not installed: scripts/bench-setup, or package nginx")
    (port,) = free_ports(1)
    settings = _CONFIGURATION.format(folder=folder, host=LOOPBACK, port=port)
    (folder / "nginx.conf").write_text(settings)
    child = Child(
        "nginx",
        [program, "-p", str(folder), "-e", str(folder / "error.log"),
         "-c", str(folder / "nginx.conf")],
        environment=environment({}),
        log=folder / "nginx.log",
    )  # fmt: skip
    try:
        child.start()
        await wait_for_sign(child, port, _SIGN, within_s=30.0, advice=_ADVICE)
        url = f"http://{LOOPBACK}:{port}"
        async with aiohttp.ClientSession() as session:
            assert child.pid is not None
            yield Sink(url, child.pid, folder / "accepted.log", session)
    finally:
        child.kill()
