"""Scenario: every worker is replaced under load, one by one, as a Deployment does it."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.replicas.conversations import Order, order_of
from tests.replicas.crew import Crew, a_crew
from tests.replicas.evidence import Evidence
from tests.replicas.latencies import Latencies, latencies, ms
from tests.replicas.loader import Letter, Loader, a_loader
from tests.replicas.site import Gate, Ground, Plan, Site, a_site
from tests.replicas.table import Table
from tests.replicas.windows import Allowed
from tests.replicas.witness import a_witness
from tests.replicas.work import PUBLISHED, account_ids, body
from tests.support.pacing import beats, beside, until
from worker.config import Config

# What the manifests add to the drain for their grace period.
GRACE_MARGIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Rolling:
    """Sizes of the scenario: the same load for `quiet_s` without restarts, then with them.

    The workers have as long to end as a pod has by default. `people` take turns, so that
    conversations go on across the workers that are replaced.
    """

    workers: int = 4
    accounts: int = 50
    people: int = 1000
    per_s: float = 60.0
    latency_s: float = 0.2
    concurrency: int = 200
    warm_up_s: float = 5.0
    quiet_s: float = 30.0
    rest_s: float = 2.0
    patience_s: float = 60.0
    gate: Gate = "redis"
    allowed: Mapping[str, Allowed] = field(default_factory=lambda: {"text": PUBLISHED["text"]})


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of one run. `lost` were neither accepted nor heard of."""

    before: Latencies
    while_rolling: Latencies
    outcomes: Counter[str]
    twice: list[str]
    lost: list[str]
    order: Order
    rolled_s: float
    longest_stop_s: float
    in_hand: int
    violations: int
    evidence: Evidence

    @property
    def times_p99(self) -> float:
        return self.while_rolling.p99 / self.before.p99

    def table(self) -> Table:
        table = Table(
            "rolling restart",
            ("", "requests", "missing", "p50", "p99", "worst"),
        )
        for name, each in (("steady", self.before), ("while replaced", self.while_rolling)):
            table.add(name, each.count, each.missing, ms(each.p50), ms(each.p99), ms(each.worst))
        said = ", ".join(f"{status} {count}" for status, count in sorted(self.outcomes.items()))
        table.note(f"p99 x {self.times_p99:.2f}; outcomes: {said}")
        table.note(
            f"twice {len(self.twice)}, lost {len(self.lost)}, overlaps {self.order.overlaps}, "
            f"not as published {self.order.inversions}, violations {self.violations}"
        )
        table.note(
            f"all replaced in {self.rolled_s:.1f} s, the slowest stop took "
            f"{self.longest_stop_s:.1f} s; together they had {self.in_hand} in hand"
        )
        table.note_machine(self.evidence, {})
        return table


async def run(ground: Ground, sizes: Rolling) -> Found:
    """Load steadily, first with the old workers, then while each gives way to a new one."""
    plan = Plan(
        "rolling",
        workers=sizes.workers,
        accounts=account_ids(sizes.accounts),
        limits=sizes.allowed,
        gate=sizes.gate,
        settings={"concurrency": str(sizes.concurrency)},
    )
    grace_s = float(Config.model_fields["drain_s"].default) + GRACE_MARGIN_S
    async with (
        a_site(ground, plan) as site,
        a_witness(ground.amqp_url, site.names) as witness,
        a_loader(ground.amqp_url) as loader,
        a_crew(site.settings(), site.folder, grace_s=grace_s) as crew,
    ):
        await site.admin("POST", "faults", {"latency_s": sizes.latency_s, "times": None})
        await asyncio.gather(*(crew.hire() for _ in range(sizes.workers)))
        published: dict[str, float] = {}
        async with beside(_load(site, loader, sizes, published)):
            begin = time.time() + sizes.warm_up_s
            middle = begin + sizes.quiet_s
            await until(middle)
            await _replace_all(crew, rest_s=sizes.rest_s)
            end = time.time()
        await loader.confirmed()
        unheard = await witness.wait_for(published, within_s=sizes.patience_s)
    evidence = site.evidence
    places = {name: place for place, name in enumerate(published)}
    return Found(
        before=_latencies(evidence, published, begin, middle),
        while_rolling=_latencies(evidence, published, middle, end),
        outcomes=Counter(said for all_said in witness.outcomes.values() for said in all_said),
        twice=evidence.sent_more_than_once(),
        lost=sorted(unheard - evidence.sent_requests()),
        order=order_of(evidence.conversations().values(), places),
        rolled_s=end - middle,
        longest_stop_s=crew.longest_stop_s,
        in_hand=crew.in_hand,
        violations=len(evidence.violations(sizes.allowed)),
        evidence=evidence,
    )


async def _replace_all(crew: Crew, *, rest_s: float) -> None:
    """As with maxSurge 1 and maxUnavailable 0: a new one is ready before an old one is told."""
    for old in list(crew.members):
        await crew.hire()
        await crew.dismiss(old)
        crew.check_alive()
        await until(time.time() + rest_s)


async def _load(site: Site, loader: Loader, sizes: Rolling, published: dict[str, float]) -> None:
    """Publish in turn for each person until cancelled; note the moment of each request."""
    accounts, start = site.plan.accounts, time.time()
    async for beat in beats(sizes.per_s, start=start, end=float("inf")):
        number, name = beat % sizes.people, f"rolling-{beat}"
        account_id = accounts[number % len(accounts)]
        text = body("text", account_id, name, to=number)
        published[name] = loader.post(Letter(site.names.requests, account_id, text))


def _latencies(
    evidence: Evidence, published: Mapping[str, float], start: float, end: float
) -> Latencies:
    """From publishing to the answer of the API, of what was published between two moments."""
    answered = {call.request: call.answered_at for call in evidence.accepted}
    wanted = {name: at for name, at in published.items() if start <= at < end}
    taken = [then - at for name, at in wanted.items() if (then := answered.get(name)) is not None]
    return latencies(taken, missing=len(wanted) - len(taken))
