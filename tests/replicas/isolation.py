"""Scenario: one account gets a flood, and fifty quiet ones must not feel it."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.replicas.evidence import Evidence
from tests.replicas.latencies import Latencies, latencies, ms
from tests.replicas.loader import Letter, Loader, a_loader
from tests.replicas.processor_time import cores, usage_of
from tests.replicas.site import Gate, Ground, Plan, Site, a_site
from tests.replicas.table import Table
from tests.replicas.windows import Allowed
from tests.replicas.witness import Witness, a_witness
from tests.replicas.work import PUBLISHED, Lane, account_ids, body, flood
from tests.support.pacing import beats, until

Kind = Literal["none", "bulk", "requests", "bulk-waiting", "requests-waiting"]
_WARM_WITHIN_S = 60.0
KINDS: tuple[Kind, ...] = ("none", "bulk", "requests", "bulk-waiting", "requests-waiting")


@dataclass(frozen=True, slots=True)
class Isolation:
    """Sizes of the scenario. `patience_s` is how long the last quiet request may take."""

    workers: int = 4
    quiet_accounts: int = 50
    per_s: float = 25.0
    flood: int = 50_000
    length_s: float = 40.0
    flood_after_s: float = 5.0
    patience_s: float = 30.0
    gate: Gate = "redis"
    allowed: Mapping[str, Allowed] = field(default_factory=lambda: {"text": PUBLISHED["text"]})


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of one run: of the quiet accounts, and of the flooded one."""

    kind: Kind
    quiet: Latencies
    flood_per_s: float
    violations: int
    evidence: Evidence
    cores: Mapping[str, float]


async def run(ground: Ground, sizes: Isolation, kind: Kind) -> Found:
    """Send the quiet requests at their pace, with or without a flood."""
    accounts = account_ids(sizes.quiet_accounts + 1)
    plan = Plan(
        f"isolation-{kind}",
        workers=sizes.workers,
        accounts=accounts,
        limits=sizes.allowed,
        gate=sizes.gate,
    )
    async with a_site(ground, plan) as site:
        lane: Lane = "bulk" if kind.startswith("bulk") else "requests"
        count = 0 if kind == "none" else sizes.flood
        letters = flood(site.names, accounts[0], count=count, lane=lane)
        async with (
            a_loader(ground.amqp_url) as quiet,
            a_loader(ground.amqp_url) as loader,
            a_witness(ground.amqp_url, site.names, accounts=accounts[1:]) as witness,
        ):
            await _warm_up(site, quiet, witness)
            if kind.endswith("waiting"):
                await loader.post_all(letters)
            async with site.fleet(is_drained=False) as fleet:
                start = time.time()
                before = usage_of(site.groups(fleet))
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_flood_at(start + sizes.flood_after_s, loader, letters))
                    publishing = tasks.create_task(_publish_quietly(site, quiet, sizes, start))
                published = publishing.result()
                await witness.wait_for(published, within_s=sizes.patience_s)
                busy = cores(before, usage_of(site.groups(fleet)))
    return judge(site.evidence, sizes, kind, published=published, busy=busy)


def judge(
    evidence: Evidence,
    sizes: Isolation,
    kind: Kind,
    *,
    published: Mapping[str, float],
    busy: Mapping[str, float],
) -> Found:
    """Measure from publishing to acceptance; look at the flooded account's pace and windows."""
    came = {call.request: call.received_at for call in evidence.accepted}
    taken = [came[name] - at for name, at in published.items() if name in came]
    flooded_id = account_ids(1)[0]
    flooded = [call.received_at for call in evidence.accepted if call.account_id == flooded_id]
    first, last = min(published.values()), max(published.values())
    return Found(
        kind,
        quiet=latencies(taken, missing=len(published) - len(taken)),
        flood_per_s=sum(first <= at <= last for at in flooded) / max(1.0, last - first),
        violations=len(evidence.violations(sizes.allowed)),
        evidence=evidence,
        cores=busy,
    )


def table(found: Iterable[Found]) -> Table:
    """Compare the runs; the first is what the others are measured by."""
    runs = list(found)
    table = Table(
        "isolation: quiet accounts, from publishing to acceptance",
        ("flood", "quiet", "missing", "p50", "p99", "worst", "p50 x", "p99 x", "flood/s",
         "violations"),
    )  # fmt: skip
    plain = runs[0].quiet
    for each in runs:
        quiet = each.quiet
        table.add(
            each.kind, quiet.count, quiet.missing, ms(quiet.p50), ms(quiet.p99), ms(quiet.worst),
            f"{quiet.p50 / plain.p50:.1f}", f"{quiet.p99 / plain.p99:.1f}",
            f"{each.flood_per_s:.1f}", each.violations,
        )  # fmt: skip
    for each in runs:
        table.note(f"{each.kind}:")
        table.note_machine(each.evidence, each.cores)
    return table


async def _warm_up(site: Site, loader: Loader, witness: Witness) -> None:
    """Let workers send once from each quiet account, and stop them.

    The gate is slow for some seconds on a Redis it finds empty; that is not the flood's doing.
    """
    async with site.fleet():
        names = []
        for number, account_id in enumerate(site.plan.accounts[1:]):
            names.append(f"warm-{number}")
            text = body("text", account_id, names[-1], to=1_000_000 + number)
            loader.post(Letter(site.names.requests, account_id, text))
        missing = await witness.wait_for(names, within_s=_WARM_WITHIN_S)
        assert not missing, f"{len(missing)} of {len(names)} requests got no outcome"


async def _flood_at(moment: float, loader: Loader, letters: Iterable[Letter]) -> None:
    await until(moment)
    await loader.post_all(letters)


async def _publish_quietly(
    site: Site, loader: Loader, sizes: Isolation, start: float
) -> dict[str, float]:
    """Publish in turn for each quiet account; give the moment of each request by its name."""
    published = {}
    accounts = site.plan.accounts[1:]
    async for beat in beats(sizes.per_s, start=start, end=start + sizes.length_s):
        account_id, name = accounts[beat % len(accounts)], f"quiet-{beat}"
        text = body("text", account_id, name, to=beat)
        published[name] = loader.post(Letter(site.names.requests, account_id, text))
    await loader.confirmed()
    return published
