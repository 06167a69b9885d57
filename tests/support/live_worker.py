"""The real worker inside the test's own process: its log lines and readiness are at hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from structlog.testing import capture_logs

from tests.support.http_calls import call
from tests.support.waiting import eventually
from worker.app import Worker
from worker.config import Config


@dataclass(frozen=True, slots=True)
class LiveWorker:
    """A worker that runs; `lines` are what it has logged so far."""

    service: Worker
    lines: Sequence[MutableMapping[str, Any]]
    running: asyncio.Task[bool]

    @property
    def reasons(self) -> str:
        """Why it is not ready; empty when it is."""
        return "; ".join(self.service.reasons_not_ready())

    @property
    def is_ready(self) -> bool:
        return not self.reasons

    def link_changes(self, state: str, role: str | None = None) -> int:
        """Count how often a connection came ("up"), went ("down") or was "blocked"."""
        return sum(
            line["state"] == state and role in (None, line["role"])
            for line in self.lines
            if line["event"] == "connection to RabbitMQ"
        )

    def logged(self, event: str) -> list[MutableMapping[str, Any]]:
        """Give the lines of one event."""
        return [line for line in self.lines if line["event"] == event]

    async def in_hand(self) -> int:
        """Ask how many deliveries are not settled yet."""
        port = self.logged("worker started")[0]["http_port"]
        status = (await call("GET", f"http://127.0.0.1:{port}/status")).json
        return int(status["in_hand"])

    async def stop(self) -> bool:
        """Stop gracefully; True when everything in hand was settled."""
        self.service.stop()
        return await asyncio.wait_for(self.running, 60)


@asynccontextmanager
async def live_worker(
    settings: Mapping[str, str], tokens: Mapping[str, str], limits: Mapping[str, str] | None = None
) -> AsyncIterator[LiveWorker]:
    """Run until the block ends; it must then stop with nothing unsettled.

    `limits` are those of every account, as in an accounts file; none means the published ones.
    """
    with TemporaryDirectory() as folder, capture_logs() as lines:
        accounts = _accounts_file(Path(folder), tokens, limits or {})
        config = Config.from_env({**settings, "IGSEND_ACCOUNTS": str(accounts)})
        service = Worker(config, {})
        worker = LiveWorker(service, lines, asyncio.create_task(service.run()))
        try:
            await eventually(lambda: worker.is_ready or worker.running.done())
            assert worker.is_ready, "it runs" if not worker.running.done() else worker.running
            yield worker
            if not worker.running.done():
                assert await worker.stop(), "something in hand was not settled"
        finally:
            if not worker.running.done():
                worker.running.cancel()
                await asyncio.wait([worker.running])


def _accounts_file(folder: Path, tokens: Mapping[str, str], limits: Mapping[str, str]) -> Path:
    accounts = folder / "accounts.json"
    accounts.touch(mode=0o600)
    entries = {i: {"token": t} for i, t in tokens.items()}
    accounts.write_text(json.dumps({"defaults": {"limits": limits}, "accounts": entries}))
    return accounts
