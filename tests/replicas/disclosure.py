"""Scenario: who is told that an automation talks, while workers are killed in the midst of it."""

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.replicas.evidence import Evidence, Seen
from tests.replicas.fleet import a_worker
from tests.replicas.loader import Letter, Loader, a_loader
from tests.replicas.site import Ground, Plan, Site, a_site
from tests.replicas.table import Table
from tests.replicas.windows import Allowed
from tests.replicas.witness import Witness, a_witness
from tests.replicas.work import account_ids, body
from tests.support.commands import said
from tests.support.pacing import beats, until

_SEED = 7
# What is published of each conversation before the lapse, and after it.
FIRST = ("automation", "automation", "human", "automation", "automation")
LATER = ("automation", "automation")
TEXT = "You are talking to our bot."
# From the moment a worker decides to the moment the sandbox sees the call.
_NEARLY_S = 3.0


@dataclass(frozen=True, slots=True)
class Disclosing:
    """Sizes of the scenario; `after_s` is the lapse, `life_s` how long a worker lives at most."""

    workers: int = 4
    accounts: int = 10
    conversations: int = 200
    per_s: float = 50.0
    life_s: float = 3.0
    after_s: float = 75.0
    latency_s: float = 0.05
    patience_s: float = 180.0
    allowed: Mapping[str, Allowed] = field(default_factory=lambda: {"text": Allowed(100, 1.0)})


@dataclass(frozen=True, slots=True)
class Told:
    """What was told in all conversations: why, and what should have been otherwise."""

    reasons: Counter[str]
    missing: list[str]
    superfluous: list[str]


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of one run; `lost` were never heard of, `outcomes` count the requests."""

    told: Told
    kills: int
    twice: list[str]
    lost: list[str]
    outcomes: Counter[str]

    def table(self) -> Table:
        table = Table(
            "disclosure",
            ("start", "hand-over", "lapse", "missing", "superfluous", "kills", "twice", "lost",
             "outcomes"),
        )  # fmt: skip
        reasons = self.told.reasons
        table.add(
            reasons["start"], reasons["hand-over"], reasons["lapse"], len(self.told.missing),
            len(self.told.superfluous), self.kills, len(self.twice), len(self.lost),
            dict(self.outcomes),
        )  # fmt: skip
        return table


async def run(ground: Ground, sizes: Disclosing, *, has_lapse: bool = True) -> Found:
    """Play each conversation, kill a worker every few seconds; after a lapse go on with it."""
    plan = Plan(
        "disclosure",
        workers=sizes.workers,
        accounts=account_ids(sizes.accounts),
        limits=sizes.allowed,
        settings={"check_after_s": "2"},
    )
    async with (
        _disclosing(ground, plan, after_s=sizes.after_s) as site,
        a_witness(ground.amqp_url, site.names) as witness,
        a_loader(ground.amqp_url) as loader,
        site.fleet(),
    ):
        await site.admin("POST", "faults", {"latency_s": sizes.latency_s, "times": None})
        play = _Play(site, loader, witness, sizes)
        async with _killing(site, sizes.life_s) as kills:
            await play.act(FIRST)
        if has_lapse:
            await until(time.time() + sizes.after_s + _NEARLY_S)
            async with _killing(site, sizes.life_s) as more:
                await play.act(LATER)
            kills += more
    return Found(
        judged(site.evidence, play.authors, after_s=sizes.after_s),
        kills=len(kills),
        twice=[name for name in site.evidence.sent_more_than_once() if name != "None/None"],
        lost=sorted(play.unheard),
        outcomes=Counter(said[0] for said in witness.outcomes.values()),
    )


@contextlib.asynccontextmanager
async def _disclosing(ground: Ground, plan: Plan, *, after_s: float) -> AsyncIterator[Site]:
    """A site where every account discloses."""
    async with a_site(ground, plan) as site:
        path = site.folder / "accounts.json"
        document = json.loads(path.read_text())
        document["defaults"]["disclosure"] = {"text": TEXT, "after_s": after_s}
        path.write_text(json.dumps(document))
        yield site


class _Play:
    """Publishes the turns of all conversations; `authors` says who wrote what."""

    def __init__(self, site: Site, loader: Loader, witness: Witness, sizes: Disclosing) -> None:
        self._site = site
        self._loader = loader
        self._witness = witness
        self._sizes = sizes
        self._count = 0
        self.authors: dict[str, str] = {}
        self.unheard: set[str] = set()

    async def act(self, authors: Sequence[str]) -> None:
        """Publish one message by each of the authors to everybody, and hear how they end."""
        accounts, sizes, published = self._site.plan.accounts, self._sizes, list[str]()
        start, total = time.time(), len(authors) * sizes.conversations
        async for beat in beats(sizes.per_s, start=start, end=start + (total - 0.5) / sizes.per_s):
            turn, conversation = divmod(beat, sizes.conversations)
            self._count += 1
            name, account_id = f"told-{self._count}", accounts[conversation % len(accounts)]
            text = body("text", account_id, name, to=conversation)
            document = json.loads(text) | {"author": authors[turn]}
            letter = Letter(self._site.names.requests, account_id, json.dumps(document).encode())
            self._loader.post(letter)
            self.authors[name] = authors[turn]
            published.append(name)
        await self._loader.confirmed()
        self.unheard |= await self._witness.wait_for(published, within_s=sizes.patience_s)


@contextlib.asynccontextmanager
async def _killing(site: Site, life_s: float) -> AsyncIterator[list[int]]:
    """Start one more worker over and over, and kill it in the midst of its work."""
    killed: list[int] = []
    chance = random.Random(_SEED)

    async def kill() -> None:
        while True:
            worker = a_worker(100 + len(killed), site.settings(), site.folder)
            worker.start()
            try:
                await said(worker, r'"http_port":(\d+)')
                await until(time.time() + life_s * (0.3 + 0.7 * chance.random()))
            finally:
                worker.kill()
            killed.append(len(killed))

    killing = asyncio.create_task(kill())
    try:
        yield killed
    finally:
        killing.cancel()
        await asyncio.wait([killing])


def judged(evidence: Evidence, authors: Mapping[str, str], *, after_s: float) -> Told:
    """Go through what was accepted in each conversation, and say what was told rightly."""
    told = Told(Counter(), [], [])
    for calls in evidence.conversations().values():
        last: tuple[str, float] | None = None
        is_told = False
        for call in (each for each in calls if each.accepted):
            if call.request is None:
                _judge_disclosure(told, call, last, after_s)
                last, is_told = ("automation", call.received_at), True
                continue
            author = authors[call.request]
            is_due = last is None or last[0] == "human"
            is_late = last is not None and call.received_at - last[1] > after_s + _NEARLY_S
            if author == "automation" and (is_due or is_late) and not is_told:
                told.missing.append(call.request)
            last, is_told = (author, call.received_at), False
    return told


def _judge_disclosure(
    told: Told, call: Seen, last: tuple[str, float] | None, after_s: float
) -> None:
    if last is None:
        told.reasons["start"] += 1
    elif last[0] == "human":
        told.reasons["hand-over"] += 1
    elif call.received_at - last[1] > after_s - _NEARLY_S:
        told.reasons["lapse"] += 1
    else:
        told.superfluous.append(f"{call.account_id} to {call.recipient_id}")
