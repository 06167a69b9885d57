"""Scenario: many conversations over several workers, some calls fail, and none overlaps itself."""

import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.replicas.conversations import Order, order_of
from tests.replicas.evidence import Evidence
from tests.replicas.loader import Letter, Loader, a_loader
from tests.replicas.processor_time import cores, usage_of
from tests.replicas.site import Gate, Ground, Plan, Site, a_site
from tests.replicas.table import Table
from tests.replicas.windows import Allowed
from tests.replicas.witness import a_witness
from tests.replicas.work import PUBLISHED, account_ids, body, person
from tests.support.pacing import beats

_SEED = 3
# Of each conversation, every so-maniest request has several parts.
_WITH_PARTS, _PARTS = 10, 3


@dataclass(frozen=True, slots=True)
class Ordering:
    """Sizes of the scenario; `latency_s` is how long the sandbox takes for an answer."""

    workers: int = 4
    accounts: int = 20
    conversations: int = 200
    requests: int = 50
    per_s: float = 200.0
    failing: float = 0.05
    latency_s: float = 0.02
    patience_s: float = 240.0
    gate: Gate = "redis"
    allowed: Mapping[str, Allowed] = field(default_factory=lambda: {"text": PUBLISHED["text"]})


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of one run; `lost` were neither accepted nor heard of."""

    order: Order
    failures: int
    twice: list[str]
    lost: list[str]
    outcomes: Counter[str]
    took_s: float
    evidence: Evidence
    cores: Mapping[str, float]

    def table(self) -> Table:
        order = self.order
        table = Table(
            "order",
            ("conversations", "accepted", "failures", "overlaps", "interleaved", "parts wrong",
             "twice", "lost", "not as published", "conversations with such"),
        )  # fmt: skip
        table.add(
            order.conversations, order.accepted, self.failures, order.overlaps, order.interleaved,
            order.parts_wrong, len(self.twice), len(self.lost), order.inversions, order.shuffled,
        )  # fmt: skip
        said = ", ".join(f"{status} {count}" for status, count in sorted(self.outcomes.items()))
        table.note(f"took {self.took_s:.1f} s: {said}")
        table.note_machine(self.evidence, self.cores)
        return table


async def run(ground: Ground, sizes: Ordering) -> Found:
    """Publish in turn for each conversation and wait until every request has ended."""
    plan = Plan(
        "order",
        workers=sizes.workers,
        accounts=account_ids(sizes.accounts),
        limits=sizes.allowed,
        gate=sizes.gate,
        settings={"retry_base_s": "1"},
    )
    async with (
        a_site(ground, plan) as site,
        a_witness(ground.amqp_url, site.names) as witness,
        a_loader(ground.amqp_url) as loader,
        site.fleet() as fleet,
    ):
        await _script(site, sizes)
        before = usage_of(site.groups(fleet))
        start = time.time()
        published = await _load(site, loader, sizes, start)
        unheard = await witness.wait_for(published, within_s=sizes.patience_s)
        took_s = time.time() - start
        busy = cores(before, usage_of(site.groups(fleet)))
    evidence = site.evidence
    return Found(
        order_of(evidence.conversations().values(), published),
        failures=sum(not call.accepted for call in evidence.calls),
        twice=evidence.sent_more_than_once(),
        lost=sorted(unheard - evidence.sent_requests()),
        outcomes=Counter(said[0] for said in witness.outcomes.values()),
        took_s=took_s,
        evidence=evidence,
        cores=busy,
    )


async def _script(site: Site, sizes: Ordering) -> None:
    """Let a share of the calls fail in a way that is certainly not sent, and all others wait."""
    chance = random.Random(_SEED)
    for number in range(sizes.conversations):
        for skip in _failing(chance, sizes):
            match = {"recipient_id": person(number)}
            script = {"scenario": "media_not_fetched", "match": match, "skip": skip}
            await site.admin("POST", "faults", script)
    if sizes.latency_s:
        slow = {"latency_s": sizes.latency_s, "times": None}
        await site.admin("POST", "faults", slow)


def _failing(chance: random.Random, sizes: Ordering) -> Sequence[int]:
    """Choose calls of one conversation, never two in a row: a file is not fetched three times."""
    return [n for n in range(0, sizes.requests, 2) if chance.random() < 2 * sizes.failing]


async def _load(site: Site, loader: Loader, sizes: Ordering, start: float) -> dict[str, int]:
    """Publish at a steady pace; give the place of each request in the order of publishing."""
    published = {}
    total = sizes.conversations * sizes.requests
    accounts = site.plan.accounts
    async for beat in beats(sizes.per_s, start=start, end=start + (total - 0.5) / sizes.per_s):
        conversation, name = beat % sizes.conversations, f"order-{beat}"
        account_id = accounts[conversation % len(accounts)]
        turn = beat // sizes.conversations
        parts = _PARTS if turn % _WITH_PARTS == _WITH_PARTS - 1 else 1
        text = body("text", account_id, name, to=conversation, parts=parts)
        loader.post(Letter(site.names.requests, account_id, text))
        published[name] = beat
    await loader.confirmed()
    return published
