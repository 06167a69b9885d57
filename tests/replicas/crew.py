"""Worker processes that come and go one by one, as the pods of a Deployment do."""

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.support.commands import environment, said
from tests.support.http_calls import call
from tests.support.waiting import eventually
from worker.local.child import Child


@dataclass(frozen=True, slots=True)
class Member:
    """One running worker; `url` is where its health endpoints are."""

    process: Child
    url: str

    async def is_ready(self) -> bool:
        try:
            return (await call("GET", f"{self.url}/readyz")).status == 200
        except aiohttp.ClientError:
            return False

    async def metrics(self) -> dict[str, float]:
        """Scrape it: every sample without labels by its name; empty when nobody answers."""
        try:
            text = (await call("GET", f"{self.url}/metrics")).text
        except aiohttp.ClientError:
            return {}
        return {
            sample.name: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if not sample.labels
        }


_IN_HAND = re.compile(r'"event":"worker stopping","in_hand":(\d+)')


class Crew:
    """`members` are those that run and were not told to stop, the oldest first.

    `in_hand` is what those that were told had in hand at that moment, all together.
    """

    def __init__(self, settings: Mapping[str, str], folder: Path, *, grace_s: float) -> None:
        self.members: list[Member] = []
        self.started: list[Child] = []
        self.longest_stop_s = 0.0
        self.in_hand = 0
        self._settings = settings
        self._folder = folder
        self._grace_s = grace_s

    async def hire(self) -> Member:
        """Start one and wait until it is ready."""
        number = len(self.started)
        process = Child(
            f"worker-{number}",
            [sys.executable, "-m", "worker", "worker"],
            environment=environment(self._settings),
            log=self._folder / f"worker-{number}.log",
        )
        self.started.append(process)
        process.start()
        port = (await said(process, r'"http_port":(\d+)'))[1]
        member = Member(process, f"http://127.0.0.1:{port}")
        await eventually(member.is_ready)
        self.members.append(member)
        return member

    async def dismiss(self, member: Member) -> None:
        """SIGTERM; it must have ended well within the grace period."""
        self.members.remove(member)
        asked_at = time.monotonic()
        await member.process.end(patience_s=self._grace_s)
        self.longest_stop_s = max(self.longest_stop_s, time.monotonic() - asked_at)
        self.in_hand += sum(map(int, _IN_HAND.findall(member.process.said())))
        code, name = member.process.exit_code, member.process.name
        assert code == 0, f"{name} ended with {code}:\n{member.process.said()[-2000:]}"

    def check_alive(self) -> None:
        """Raise when one that was not told to stop has ended."""
        for member in self.members:
            if not member.process.is_running:
                said_last = member.process.said()[-2000:]
                raise AssertionError(f"{member.process.name} ended:\n{said_last}")


@asynccontextmanager
async def a_crew(
    settings: Mapping[str, str], folder: Path, *, grace_s: float
) -> AsyncIterator[Crew]:
    """Give a crew without members; those left at the end are dismissed together."""
    crew = Crew(settings, folder, grace_s=grace_s)
    try:
        yield crew
        crew.check_alive()
        await asyncio.gather(*(crew.dismiss(member) for member in list(crew.members)))
    finally:
        for process in crew.started:
            process.kill()
