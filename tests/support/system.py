"""The whole product as its users meet it: a broker, `igsend sandbox` and `igsend worker` processes.

Nothing in here looks inside: settings, AMQP, HTTP and signals are all there is.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.commands import exit_code, said, started
from tests.support.http_calls import Answer, call
from tests.support.nodes import Broker
from tests.support.waiting import eventually
from worker.local.child import Child


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running `igsend sandbox`."""

    process: Child
    url: str

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Call an endpoint of the sandbox's own, which must answer 200."""
        answer = await call(method, f"{self.url}/_sandbox/{path}", body)
        assert answer.status == 200, answer.text
        return answer.json

    async def messages(self, account_id: str) -> list[dict[str, Any]]:
        """Give what was accepted from an account, in order."""
        found: list[dict[str, Any]] = await self.admin("GET", f"messages?account_id={account_id}")
        return found

    async def calls(self, account_id: str) -> list[dict[str, Any]]:
        """Give the calls that named an account and its token, in order."""
        found: list[dict[str, Any]] = await self.admin("GET", f"calls?account_id={account_id}")
        return found


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """A running `igsend worker`; `url` is where its health endpoints are."""

    process: Child
    url: str

    async def get(self, path: str) -> Answer:
        return await call("GET", self.url + path)

    async def is_ready(self) -> bool:
        """Tell whether /readyz says so; False also while nothing answers."""
        try:
            return (await self.get("/readyz")).status == 200
        except aiohttp.ClientError:
            return False


@dataclass(frozen=True, slots=True)
class System:
    """Everything together; `settings` are those of the worker, for commands beside it."""

    broker: Broker
    sandbox: Sandbox
    worker: RunningWorker
    accounts: Path
    settings: Mapping[str, str]


@asynccontextmanager
async def running_sandbox(
    folder: Path, *arguments: str, accounts: Path | None = None
) -> AsyncIterator[Sandbox]:
    """Start `igsend sandbox` on a free port; `accounts` is read as its --accounts."""
    known = () if accounts is None else ("--accounts", str(accounts))
    process = started(
        "sandbox", "--port", "0", *known, *arguments, settings={}, folder=folder, name="sandbox"
    )
    try:
        url = (await said(process, r"IGSEND_GRAPH_URL=(http://\S+)"))[1]
        yield Sandbox(process, url)
    finally:
        await process.end(patience_s=10)


@asynccontextmanager
async def running_worker(
    folder: Path, settings: Mapping[str, str], *, name: str = "worker"
) -> AsyncIterator[RunningWorker]:
    """Start `igsend worker`, wait until it is ready, and stop it: it must exit 0."""
    process = started("worker", settings=settings, folder=folder, name=name)
    try:
        port = (await said(process, r'"http_port":(\d+)'))[1]
        worker = RunningWorker(process, f"http://127.0.0.1:{port}")
        await eventually(worker.is_ready)
        yield worker
        if (pid := process.pid) is not None:
            await process.end(patience_s=40)
            assert await exit_code(process) == 0, f"pid {pid}:\n{process.said()}"
    finally:
        process.kill()


def settings_for(broker: Broker, *, graph_url: str, accounts: Path) -> dict[str, str]:
    """Give the settings of a worker of this test: its own names, loopback, quick retries."""
    return {
        "IGSEND_AMQP_URL": broker.amqp_url,
        "IGSEND_PREFIX": broker.prefix,
        "IGSEND_GRAPH_URL": graph_url,
        "IGSEND_ACCOUNTS": str(accounts),
        "IGSEND_HTTP_HOST": "127.0.0.1",
        "IGSEND_HTTP_PORT": "0",
        "IGSEND_LOG_FORMAT": "json",
        "IGSEND_RETRY_BASE_S": "0.1",
        "IGSEND_CHECK_AFTER_S": "0.5",
        "IGSEND_PARTITIONS": "2",
    }


def token_files(folder: Path, tokens: Mapping[str, str]) -> Path:
    """Write a directory of token files, one per account."""
    folder.mkdir(mode=0o700)
    for account_id, token in tokens.items():
        (folder / account_id).write_text(token)
    return folder


@asynccontextmanager
async def running_system(
    broker: Broker,
    folder: Path,
    tokens: Mapping[str, str],
    *,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[System]:
    """Start sandbox and worker on `broker`. The sandbox has its own copy of the tokens."""
    accounts = token_files(folder / "accounts", tokens)
    valid = token_files(folder / "valid-tokens", tokens)
    async with running_sandbox(folder, accounts=valid) as sandbox:
        chosen = settings_for(broker, graph_url=sandbox.url, accounts=accounts)
        chosen |= settings or {}
        async with running_worker(folder, chosen) as worker:
            yield System(broker, sandbox, worker, accounts, chosen)
