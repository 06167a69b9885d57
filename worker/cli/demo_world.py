"""Everything the demo runs on: a private RabbitMQ, a sandbox and a worker process."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time

import aiohttp

from worker.cli.demo_requests import (
    ACCOUNT,
    BLOCKING_PERSON,
    PERSON,
    REVOKED_ACCOUNT,
    SILENT_PERSON,
    TOKENS,
)
from worker.cli.failure import CommandFailed
from worker.local.child import Child
from worker.local.ports import LOOPBACK, free_ports
from worker.local.rabbitmq import private_rabbitmq
from worker.sandbox.graph_server import RunningSandbox, running_sandbox

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0
POLL_S = 0.1
INBOUND_MESSAGE = "aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOjE3ODQxNDA1ODIyMzA0OTE0"


@dataclass(frozen=True, slots=True)
class DemoWorld:
    """A running demo: `environment` holds the settings that reach it."""

    sandbox: RunningSandbox
    environment: dict[str, str]
    worker_log: Path


@asynccontextmanager
async def demo_world(tell: Callable[[str], None]) -> AsyncIterator[DemoWorld]:
    """Start everything, and end it all however the block ends. `tell` hears of each step."""
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="igsend-demo-")))
        tell("starting a private RabbitMQ on a free loopback port")
        rabbit = await stack.enter_async_context(private_rabbitmq())
        tell("starting the sandbox, a fake graph.instagram.com")
        sandbox = await stack.enter_async_context(running_sandbox(accounts=TOKENS))
        _script(sandbox)
        (http_port,) = free_ports(1)
        environment = {
            # Without its last "/", which Java's client takes for a virtual host without a name.
            "IGSEND_AMQP_URL": rabbit.amqp_url.removesuffix("/"),
            "IGSEND_GRAPH_URL": sandbox.url,
            "IGSEND_ACCOUNTS": str(_write_accounts(home)),
            "IGSEND_HTTP_HOST": LOOPBACK,
            "IGSEND_HTTP_PORT": str(http_port),
        }
        tell("starting a worker")
        worker = Child(
            "the worker",
            [sys.executable, "-m", "worker", "worker"],
            environment={**_without_settings(), **environment},
            log=home / "worker.log",
        )
        stack.callback(worker.kill)
        worker.start()
        await _wait_until_ready(worker, http_port)
        try:
            yield DemoWorld(sandbox, environment, worker.log)
        finally:
            await worker.end(patience_s=STOP_WITHIN_S)


def _script(sandbox: RunningSandbox) -> None:
    """Set the scene: a person wrote, one blocks the account, one call gets no answer."""
    sandbox.world.person_wrote(ACCOUNT, PERSON, message_id=INBOUND_MESSAGE, at=time())
    sandbox.add_fault(
        match={"recipient_id": BLOCKING_PERSON}, times=None, scenario="person_unavailable"
    )
    sandbox.add_fault(match={"recipient_id": SILENT_PERSON}, times=None, reset="after_accepting")
    sandbox.add_fault(match={"account_id": REVOKED_ACCOUNT}, times=None, scenario="expired_token")


def _write_accounts(home: Path) -> Path:
    directory = home / "accounts"
    directory.mkdir(mode=0o700)
    for account_id, token in TOKENS.items():
        (directory / account_id).write_text(token)
    return directory


def _without_settings() -> dict[str, str]:
    """The caller's environment, less settings of other workers."""
    return {name: value for name, value in os.environ.items() if not name.startswith("IGSEND_")}


async def _wait_until_ready(worker: Child, http_port: int) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(READY_WITHIN_S):
        while not await _is_ready(session, http_port):
            if not worker.is_running:
                raise CommandFailed(f"the worker did not start:\n{worker.said()}")
            await asyncio.sleep(POLL_S)


async def _is_ready(session: aiohttp.ClientSession, http_port: int) -> bool:
    try:
        async with session.get(f"http://{LOOPBACK}:{http_port}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
